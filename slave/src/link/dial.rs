//! From nothing to a link: dial, prove, greet. Every step has a limit on its time, and every way it
//! can fail has its words.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use drftpd_actors::{BoxIo, Net};
use drftpd_protocol::wire::{
    Envelope, FrameCodec, FrameError, Hello, Refused, Revision, Welcome, kinds,
};
use futures_util::{SinkExt, StreamExt};
use socket2::{SockRef, TcpKeepalive};
use tokio::time::timeout;
use tokio_util::codec::Framed;
use tracing::debug;

use super::address::MasterAddress;
use super::seen::{self, EpochError, Seen};
use super::tls::{self, LinkTls};

/// The system asks a silent peer for a sign of life after this long, …
const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);
/// … and this often.
const KEEPALIVE_EVERY: Duration = Duration::from_secs(10);

/// A connection that carries frames.
pub type Frames = Framed<BoxIo, FrameCodec>;

/// How the master is reached and proved.
#[derive(Clone)]
pub struct Way {
    /// The network.
    pub net: Arc<dyn Net>,
    /// Where the master listens.
    pub address: MasterAddress,
    /// The proofs; not needed where the network proves nobody (simulation).
    pub tls: Option<LinkTls>,
    /// Limit of each step.
    pub limit: Duration,
}

/// A link whose master has welcomed this slave.
pub struct Greeted {
    /// The frames.
    pub frames: Frames,
    /// What the master said.
    pub welcome: Welcome,
    /// The master's end.
    pub peer: SocketAddr,
    /// This end.
    pub local: SocketAddr,
}

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The host has no address, nobody listens, no route, …
    #[error("the master at {address} was not reached: {source}")]
    NotReached {
        /// What was dialled.
        address: MasterAddress,
        /// Why.
        source: io::Error,
    },
    /// One of the two did not believe the other.
    #[error("the master and this slave do not know each other's certificates: {0}")]
    NotProved(io::Error),
    /// The configuration has no certificates although the network asks for them.
    #[error("there is no certificate to show")]
    NoProof,
    /// It does not speak our language, or hung up.
    #[error("the greeting failed: {0}")]
    Greeting(#[from] FrameError),
    /// It said something else than welcome.
    #[error("the master answered the greeting with kind {0:#06x}")]
    Strange(u16),
    /// It hung up.
    #[error("the master hung up during the greeting")]
    HungUp,
    /// It took too long.
    #[error("{0} took longer than {limit}", limit = humantime::format_duration(*.1))]
    TooSlow(&'static str, Duration),
    /// It does not take this slave.
    #[error("the master refuses this slave: {}", .0.why)]
    Refused(Refused),
    /// It must not be obeyed.
    #[error(transparent)]
    Epoch(#[from] EpochError),
    /// It chose a revision that this build does not speak.
    #[error("the master chose revision {0}, which this build does not speak")]
    Revision(u16),
}

impl DialError {
    /// Whether trying again soon is of no use.
    pub fn is_final(&self) -> bool {
        match self {
            DialError::Refused(refused) => !refused.retry,
            DialError::Epoch(_) | DialError::Revision(_) | DialError::NoProof => true,
            _ => false,
        }
    }
}

/// Dials, proves and greets. Every address of the master is tried.
///
/// # Errors
/// [`DialError`]; of several addresses the last one's.
pub async fn dial(way: &Way, hello: Hello) -> Result<Greeted, DialError> {
    let io = connect(way).await?;
    let (peer, local) = ends(way, &io)?;
    let mut frames = Framed::new(prove(way, io).await?, FrameCodec);
    let seen = hello.seen;
    let welcome = within("the greeting", way.limit, greet(&mut frames, &hello)).await?;
    seen::judge(seen, (welcome.epoch, welcome.store))?;
    Revision::try_from(welcome.revision).map_err(|_| DialError::Revision(welcome.revision))?;
    Ok(Greeted {
        frames,
        welcome,
        peer,
        local,
    })
}

/// Connects to the first of the master's addresses that answers.
///
/// # Errors
/// The last one's error.
pub async fn connect(way: &Way) -> Result<BoxIo, DialError> {
    let address = &way.address;
    let not_reached = |source| DialError::NotReached {
        address: address.clone(),
        source,
    };
    let resolve = way.net.resolve(address.host(), address.port());
    let resolved = within("resolving the master's name", way.limit, async {
        resolve.await.map_err(not_reached)
    });
    let mut failed = not_reached(io::Error::other("the name has no address"));
    for to in resolved.await? {
        let connected = within("connecting to the master", way.limit, async {
            way.net.connect(None, to).await.map_err(not_reached)
        });
        match connected.await {
            Ok(io) => return Ok(kept_alive(io)),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

async fn prove(way: &Way, io: BoxIo) -> Result<BoxIo, DialError> {
    if !way.net.proves_peers() {
        return Ok(io);
    }
    let config = way.tls.as_ref().ok_or(DialError::NoProof)?.config.clone();
    let proved = way.net.dial_tls(io, config, tls::master_name());
    let proved = within("the TLS handshake", way.limit, async {
        proved.await.map_err(DialError::NotProved)
    });
    Ok(proved.await?.io)
}

async fn greet(frames: &mut Frames, hello: &Hello) -> Result<Welcome, DialError> {
    frames.send(Envelope::new(0, kinds::HELLO, hello)?).await?;
    let answer = frames.next().await.ok_or(DialError::HungUp)??;
    match answer.kind {
        kinds::WELCOME => Ok(answer.open()?),
        kinds::REFUSED => Err(DialError::Refused(answer.open()?)),
        kind => Err(DialError::Strange(kind)),
    }
}

fn ends(way: &Way, io: &BoxIo) -> Result<(SocketAddr, SocketAddr), DialError> {
    let ends = io.peer_addr().and_then(|peer| Ok((peer, io.local_addr()?)));
    ends.map_err(|source| DialError::NotReached {
        address: way.address.clone(),
        source,
    })
}

fn kept_alive(io: BoxIo) -> BoxIo {
    if let Some(tcp) = io.as_tcp() {
        let alive = TcpKeepalive::new().with_time(KEEPALIVE_AFTER);
        let alive = alive.with_interval(KEEPALIVE_EVERY);
        if let Err(error) = SockRef::from(tcp).set_tcp_keepalive(&alive) {
            debug!(%error, "the link has no keepalive");
        }
    }
    io
}

async fn within<T>(
    what: &'static str,
    limit: Duration,
    step: impl Future<Output = Result<T, DialError>>,
) -> Result<T, DialError> {
    timeout(limit, step)
        .await
        .unwrap_or(Err(DialError::TooSlow(what, limit)))
}

/// What a slave says of itself, but for what changes from link to link.
pub fn hello(name: drftpd_protocol::SlaveId, seen: Option<Seen>) -> Hello {
    Hello {
        oldest: Revision::OLDEST.into(),
        newest: Revision::NEWEST.into(),
        features: Vec::new(),
        name,
        build: env!("CARGO_PKG_VERSION").to_owned(),
        seen,
        roots: Vec::new(),
        transfers: Vec::new(),
    }
}
