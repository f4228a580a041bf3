//! From what PASV, PORT and their kin left behind to the channel of one transfer: judged for its path, and opened on
//! its slave.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use drftpd_actors::BoxIo;
use drftpd_protocol::VfsPath;
use drftpd_protocol::wire::{DataPath, DataTls};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::config::WithoutPret;
use super::error::DataError;
use super::forward::{ClientEnd, Ends, Forward};
use super::fxp;
use super::peers::{self, NotToDial};
use super::reach::{ActiveBy, is_unreached};
use super::relay::RelayPermit;
use super::secure::{self, Other};
use super::{Endpoint, OurPort, active};
use crate::ftp::error::FtpError;
use crate::ftp::guard::TransferGuard;
use crate::ftp::services::VerbCx;
use crate::tls::Carries;
use crate::transfer::Direction;

/// How long a slave may try to get to a client that the master could dial as well.
const SOON: Duration = Duration::from_secs(5);

/// How a transfer with a slave gets its data connection.
#[derive(Debug)]
pub enum Channel {
    /// The slave listens, at a port that the client was told of; its slot is held.
    Listening(TransferGuard, OurPort),
    /// No slave knows of it yet.
    Unopened(Unopened),
}

/// A channel that no slave knows of yet.
#[derive(Debug)]
pub enum Unopened {
    /// The slave dials the client.
    Dial(SocketAddr),
    /// The slave dials the client; where it does not get there soon, the master will.
    DialFirst(SocketAddr),
    /// The client comes to the master, or the master to the client, and the master forwards.
    Relay(ClientEnd, RelayPermit),
}

/// Where the slave's connection arrives, if the master forwards.
pub type Arrival = Option<oneshot::Receiver<BoxIo>>;

/// Where to dial for a path, if the client may send us there; without a direction: for anything.
///
/// # Errors
/// Why not, for the log.
pub fn may_dial(
    cx: &VerbCx,
    to: SocketAddr,
    path: &VfsPath,
    direction: Option<Direction>,
) -> Result<SocketAddr, DataError> {
    let to = peers::may_dial(to, cx.client(), fxp::of(cx, path, direction))?;
    let own = to.port() == cx.local.port() || cx.services.data.own_ports.contains(&to.port());
    if own && to.ip() == cx.local.ip().to_canonical() {
        return Err(NotToDial::OwnPort.into());
    }
    Ok(to)
}

/// Whether a dial may be tried for the user. What is not tried sounds as if it had failed.
///
/// # Errors
/// [`DataError::TooManyFailed`].
pub(super) async fn may_try(cx: &VerbCx) -> Result<(), DataError> {
    if cx.services.data.dials.may_try(user(cx), cx.client()) {
        return Ok(());
    }
    active::fail_late(Instant::now()).await;
    Err(DataError::TooManyFailed)
}

/// A dial for the user has failed for good.
pub(super) fn dial_failed(cx: &VerbCx) {
    cx.services.data.dials.failed(user(cx), cx.client());
}

fn user(cx: &VerbCx) -> &str {
    cx.account().map_or("", |account| &account.name)
}

impl Channel {
    /// Judges an endpoint for a transfer of a file with a slave.
    ///
    /// # Errors
    /// When there is none, it does not fit, or the other end would be somebody that the user may not have there.
    pub async fn of(
        cx: &VerbCx,
        endpoint: Option<Endpoint>,
        path: &VfsPath,
        direction: Direction,
    ) -> Result<Self, DataError> {
        let endpoint = endpoint.ok_or(DataError::NotAgreed)?;
        secure::may_carry(cx, Carries::File, path)?;
        match endpoint {
            Endpoint::Dial(to) => {
                let to = may_dial(cx, to, path, Some(direction))?;
                may_try(cx).await?;
                Ok(Self::Unopened(dialled(cx, to)?))
            }
            Endpoint::Here(passive)
                if !passive.stands_in()
                    && cx.services.data.passive.without_pret == WithoutPret::Refuse =>
            {
                Err(DataError::OtherAnnounced(
                    "Announce the transfer with PRET before PASV",
                ))
            }
            Endpoint::Here(passive) => {
                let permit = cx.services.data.relays.permit()?;
                let who = fxp::of(cx, path, Some(direction)).who_may_connect(cx.client());
                let client = ClientEnd::Comes(passive, who);
                Ok(Self::Unopened(Unopened::Relay(client, permit)))
            }
            Endpoint::Slave(reserved) => {
                if reserved.path != *path || reserved.direction != direction {
                    return Err(DataError::OtherAnnounced(
                        "PRET announced another transfer: send PRET and PASV again",
                    ));
                }
                let taken = reserved.take().ok_or(DataError::NobodyConnected)?;
                Ok(Self::Listening(taken.0, taken.1))
            }
        }
    }

    /// What its slave is told of TLS.
    pub fn tls(&self, cx: &VerbCx, path: &VfsPath) -> Option<DataTls> {
        let other = match self {
            Self::Listening(_, port) => Other::Told(Some(port)),
            Self::Unopened(Unopened::Dial(to) | Unopened::DialFirst(to)) => Other::Dialled(*to),
            Self::Unopened(Unopened::Relay(client, _)) => match client {
                ClientEnd::Comes(passive, _) => Other::Told(passive.told()),
                ClientEnd::Dialled { to, .. } => Other::Dialled(*to),
            },
        };
        secure::order(cx, path, other)
    }
}

/// Who dials the client, or another host for it.
fn dialled(cx: &VerbCx, to: SocketAddr) -> Result<Unopened, DataError> {
    // Another host is the slaves' matter: the master does not come from where they come from.
    let active = match to.ip() == cx.client() {
        true => cx.services.data.clients.of(cx.client()).active,
        false => ActiveBy::Slave,
    };
    match active {
        ActiveBy::Slave => Ok(Unopened::Dial(to)),
        ActiveBy::Auto if cx.reach.slaves_get_there() => Ok(Unopened::DialFirst(to)),
        ActiveBy::Auto | ActiveBy::Relay => from_here(cx, to),
    }
}

/// The master dials the client and forwards.
fn from_here(cx: &VerbCx, to: SocketAddr) -> Result<Unopened, DataError> {
    let client = ClientEnd::Dialled {
        net: Arc::clone(&cx.services.net),
        local: cx.local.ip(),
        to,
    };
    Ok(Unopened::Relay(client, cx.services.data.relays.permit()?))
}

/// What else can be tried when the ends of a transfer have not come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Otherwise {
    /// Nothing: nobody was dialled.
    Nothing,
    /// Nothing: the dial has failed.
    NoOtherDial,
    /// The master may get there.
    MasterDials(SocketAddr),
}

impl Channel {
    /// What could be tried after this one.
    pub fn otherwise(&self) -> Otherwise {
        match self {
            Self::Unopened(Unopened::DialFirst(to)) => Otherwise::MasterDials(*to),
            Self::Unopened(Unopened::Dial(_) | Unopened::Relay(ClientEnd::Dialled { .. }, _)) => {
                Otherwise::NoOtherDial
            }
            _ => Otherwise::Nothing,
        }
    }
}

impl Otherwise {
    /// The channel to try after a transfer that ended so.
    ///
    /// # Errors
    /// That end, where there is none.
    pub fn after(self, cx: &VerbCx, why: FtpError) -> Result<Channel, FtpError> {
        match self {
            Self::MasterDials(to) if is_unreached(&why) => {
                tracing::info!(%to, "no slave gets to the client, the master dials it");
                cx.reach.slaves_failed();
                Ok(Channel::Unopened(from_here(cx, to)?))
            }
            Self::NoOtherDial if is_unreached(&why) => {
                dial_failed(cx);
                Err(why)
            }
            _ => Err(why),
        }
    }
}

impl Unopened {
    /// Opens it on the slave of a slot. It is kept for another try.
    ///
    /// # Errors
    /// What the slave says.
    pub async fn open(&self, cx: &VerbCx, guard: &mut TransferGuard) -> Result<Arrival, FtpError> {
        let limits = &cx.services.data.limits;
        let (path, arrival) = match self {
            Self::Dial(to) | Self::DialFirst(to) => (DataPath::Dial { to: *to }, None),
            Self::Relay(..) => {
                let slave = guard.slot().map(|slot| slot.slave.clone());
                let slave = slave.ok_or(DataError::NobodyConnected)?;
                let expected = cx.services.slaves.expect_relay(&slave).await?;
                let token = expected.token;
                (DataPath::Relay { token }, Some(expected.connection))
            }
        };
        let connect = match self {
            Self::DialFirst(_) => limits.connect_timeout.min(SOON),
            Self::Dial(_) | Self::Relay(..) => limits.connect_timeout,
        };
        let begun = Instant::now();
        let opened = guard.open(path, connect, limits.open_timeout);
        if let Err(why) = opened.await {
            // Where a slave may not dial is told no sooner than where it does not get.
            active::fail_late(begun).await;
            return Err(why.into());
        }
        Ok(arrival)
    }

    /// Does the master's part once the transfer has begun.
    pub fn start(self, cx: &VerbCx, arrival: Arrival) -> Option<Forward> {
        let (Self::Relay(client, permit), Some(slave)) = (self, arrival) else {
            return None;
        };
        let ends = Ends {
            client,
            slave,
            permit,
        };
        Some(Forward::start(ends, &cx.services.data))
    }
}
