//! TLS of data connections, as PROT, CPSV and SSCN left it: what a slave is told of it, and the handshakes of the
//! master's own.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use drftpd_actors::tls::Peer;
use drftpd_actors::{BoxIo, Secured};
use drftpd_protocol::VfsPath;
use drftpd_protocol::wire::{DataTls, Resumption, TlsPeer};
use rustls_pki_types::ServerName;
use tokio::time::timeout;
use tracing::debug;

use super::error::DataError;
use super::fxp::{self, Fxp};
use super::ours::OurPort;
use crate::ftp::secure::{Secure, seen};
use crate::ftp::services::VerbCx;
use crate::ftp::state::Prot;
use crate::tls::{Carries, Tls};

/// How the other end of a data connection comes there.
#[derive(Debug, Clone, Copy)]
pub enum Other<'a> {
    /// We go to it.
    Dialled(SocketAddr),
    /// It comes to a port that its client was told of.
    Told(Option<&'a OurPort>),
}

/// Whether a data connection for something at a resolved path may be as PROT, CPSV and SSCN said; known before 150.
///
/// # Errors
/// [`DataError::Prot`]; [`DataError::NotResumed`] where the session must be resumed and our side would begin the
/// handshake: whoever is at the other end could not prove that it belongs to this control connection.
pub fn may_carry(cx: &VerbCx, what: Carries, path: &VfsPath) -> Result<(), DataError> {
    let Some(rules) = cx.rules() else {
        return Ok(());
    };
    let protected = protection(cx).is_some();
    rules.may_carry(what, protected).map_err(DataError::Prot)?;
    let unproven = protected && is_client(cx);
    match unproven && resumption(cx, path) == Resumption::Required {
        true => Err(DataError::NotResumed),
        false => Ok(()),
    }
}

/// How long a handshake may take, where there is to be one.
pub fn handshake_limit(cx: &VerbCx) -> Option<Duration> {
    protection(cx)?;
    Some(cx.services.tls.as_ref()?.handshake_timeout())
}

/// TLS of the control connection, if data connections are to have it too.
fn protection(cx: &VerbCx) -> Option<&Secure> {
    let secure = cx.state.secure.as_deref()?;
    (cx.state.prot == Prot::Private).then_some(secure)
}

/// Whether our side begins the handshake.
fn is_client(cx: &VerbCx) -> bool {
    cx.state.sscn || cx.state.cpsv
}

/// Another server at the other end cannot resume the session of this control connection.
fn resumption(cx: &VerbCx, path: &VfsPath) -> Resumption {
    match cx.rules().map(|rules| rules.resumption) {
        Some(Resumption::Required) if fxp::of(cx, path, None) != Fxp::No => Resumption::Offered,
        Some(resumption) => resumption,
        None => Resumption::Off,
    }
}

/// Whether the other end is one of our own machines, which then has to prove it. A side that listens knows of it from the
/// PORT that sends the other there; [`super::ours`] has the order of things.
pub fn is_ours(cx: &VerbCx, other: Other<'_>) -> bool {
    match other {
        Other::Dialled(to) => cx.reach.sends(cx.services.data.ours.dial(to)),
        Other::Told(port) => port.is_some_and(OurPort::is_dialled),
    }
}

/// What the slave of a transfer is told.
pub fn order(cx: &VerbCx, path: &VfsPath, other: Other<'_>) -> Option<DataTls> {
    let secure = protection(cx)?;
    Some(match (is_client(cx), is_ours(cx, other)) {
        (true, true) => DataTls::Client {
            peer: TlsPeer::Cluster,
        },
        (true, false) => DataTls::Client { peer: TlsPeer::Any },
        (false, true) => DataTls::ServerOfCluster,
        (false, false) => DataTls::Server {
            tickets: secure.shown.tickets,
            resumption: resumption(cx, path),
        },
    })
}

/// Makes the handshake of a data connection of the master's own, if there is to be one.
///
/// # Errors
/// [`DataError::Tls`], [`DataError::NotResumed`].
pub async fn handshake(
    cx: &VerbCx,
    io: BoxIo,
    path: &VfsPath,
    is_ours: bool,
) -> Result<BoxIo, DataError> {
    let (Some(secure), Some(tls)) = (protection(cx), &cx.services.tls) else {
        cx.live.data_was(None);
        return Ok(io);
    };
    let resumption = resumption(cx, path);
    let shakes = async {
        if is_client(cx) {
            return as_client(cx, tls, io, is_ours).await;
        }
        let config = match is_ours {
            true => tls.between(),
            false => secure.shown.data(resumption),
        };
        cx.services.net.serve_tls(io, config).await
    };
    let shaken = timeout(tls.handshake_timeout(), shakes).await;
    let secured = shaken.unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into()));
    let secured = secured.map_err(DataError::Tls)?;
    let seen = seen(&secured);
    debug!(
        version = seen.version,
        cipher = seen.cipher,
        resumed = seen.resumed,
        "data connection is secure"
    );
    cx.live.data_was(Some(seen));
    let must_resume = resumption == Resumption::Required && !is_client(cx) && !is_ours;
    if must_resume && !secured.resumed {
        return Err(DataError::NotResumed);
    }
    Ok(secured.io)
}

/// One of ours has to show our certificate. Of anybody else there is nothing to know: the client named an address, or
/// somebody came to a port that the client was told of, and sites between which listings go have certificates of their
/// own making. Who it may be is said by address, in [`super::peers`].
async fn as_client(cx: &VerbCx, tls: &Tls, io: BoxIo, is_ours: bool) -> io::Result<Secured> {
    let peer = match is_ours {
        true => Peer::Same,
        false => Peer::Anybody,
    };
    let config = tls.client(peer).map_err(io::Error::other)?;
    let name = ServerName::from(
        io.peer_addr()
            .map_or(IpAddr::from([0, 0, 0, 0]), |at| at.ip()),
    );
    cx.services.net.dial_tls(io, config.into(), name).await
}
