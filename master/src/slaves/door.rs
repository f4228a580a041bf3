//! The slave port: tells relayed data connections from links, and takes a link from its first
//! byte to a running manager.
//!
//! Nobody is believed before TLS and hello: so many connections at a time may be unproven, so
//! many of one address, each for a short time. A link is handled from its first byte on the
//! arbiter on which its manager will run.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use drftpd_actors::{
    AskError, BoxIo, Budget, ChildSpec, Drain, Incoming, Listener, Net, Place, ask, supervise, tell,
};
use drftpd_protocol::wire::{
    Envelope, FrameCodec, FrameError, Hello, Join, Ping, RELAY_MAGIC, Refused, RelayToken,
    Revision, Welcome, kinds,
};
use drftpd_protocol::{Epoch, SlaveId};
use futures_util::{SinkExt, StreamExt};
use rustls::ServerConfig;
use rustls_pki_types::CertificateDer;
use serde::Serialize;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, timeout};
use tokio_util::codec::Framed;
use tracing::{debug, info, warn};

use super::config::SlavesConfig;
use super::enroll::{Enroll, EnrollError};
use super::link::LinkHandle;
use super::manager::{self, SlaveManager};
use super::messages::*;
use super::registry::SlaveRegistry;
use super::relay::NotExpected;
use super::rewound::Rewound;
use super::roots::RootDeps;
use super::roster::LinkId;
use super::unproven::{Counted, Unproven};
use crate::tls::Certificates;

/// Messages that may wait for a manager before askers do.
const MAILBOX: usize = 256;
/// The registry answers from memory.
pub(super) const REGISTRY_ANSWERS: Duration = Duration::from_secs(10);
/// After accepting failed (mostly: no more file descriptors).
const AFTER_ERROR: Duration = Duration::from_millis(200);

/// Everything that connections need on their way in.
pub(super) struct Door {
    pub net: Arc<dyn Net>,
    pub config: Arc<SlavesConfig>,
    pub registry: Addr<SlaveRegistry>,
    pub registry_lives: watch::Receiver<watch::Receiver<()>>,
    pub enroll: Enroll,
    pub certificates: Option<Certificates>,
    pub tls: Arc<ServerConfig>,
    pub epoch: Epoch,
    pub place: Place,
    pub roots: Arc<RootDeps>,
    pub unproven: Unproven,
    pub drain: Drain,
}

/// Why a connection was not taken.
#[derive(Debug, thiserror::Error)]
enum DoorError {
    #[error("the connection failed")]
    Io(#[from] io::Error),
    #[error("a frame failed")]
    Frame(#[from] FrameError),
    #[error("it did not say who it is in time")]
    TooSlow,
    #[error("it closed the connection before it said who it is")]
    Closed,
    #[error("its first message is of kind {0:#06x}")]
    Kind(u16),
    #[error(transparent)]
    Enroll(#[from] EnrollError),
    #[error("it was refused: {0}")]
    Refused(String),
    #[error(transparent)]
    Relay(#[from] NotExpected),
    #[error("whoever expected it is gone")]
    NobodyWaits,
    #[error("the registry did not answer")]
    Registry(#[from] AskError),
}

/// Accepts until the master drains.
pub(super) async fn accept(listener: Box<dyn Listener>, door: Arc<Door>) {
    let mut draining = std::pin::pin!(door.drain.draining());
    loop {
        let incoming = tokio::select! {
            biased;
            () = &mut draining => return,
            incoming = listener.accept() => incoming,
        };
        match incoming {
            Ok(incoming) => take(incoming, &door),
            Err(why) => {
                warn!(%why, "accepting on the slave port failed");
                sleep(AFTER_ERROR).await;
            }
        }
    }
}

fn take(incoming: Incoming, door: &Arc<Door>) {
    let peer = incoming.peer;
    let Some(counted) = door.unproven.count(peer.ip()) else {
        return debug!(%peer, "too many connections have not said who they are");
    };
    let to = Arc::clone(door);
    let begun = door.place.run(move || {
        tokio::task::spawn_local(async move {
            if let Err(why) = to.enter(incoming, counted).await {
                let cause = std::error::Error::source(&why).map(ToString::to_string);
                info!(%peer, %why, cause, "a connection to the slave port was not taken");
            }
        });
    });
    if !begun {
        debug!(%peer, "no place for links any more");
    }
}

/// How a connection begins.
enum First {
    Relay(RelayToken, BoxIo),
    Link {
        io: Framed<BoxIo, FrameCodec>,
        frame: Envelope,
        certificate: Option<CertificateDer<'static>>,
    },
}

impl Door {
    async fn enter(&self, incoming: Incoming, counted: Counted) -> Result<(), DoorError> {
        let (peer, local) = (incoming.peer, incoming.local);
        let first = timeout(self.config.hello_timeout, self.first(incoming)).await;
        match first.map_err(|_| DoorError::TooSlow)?? {
            First::Relay(token, io) => {
                let from = peer.ip();
                let to = ask(
                    &self.registry,
                    RelayArrived { token, from },
                    REGISTRY_ANSWERS,
                );
                let to: oneshot::Sender<Incoming> = to.await??;
                let incoming = set_free(io, peer, local)?;
                to.send(incoming).map_err(|_| DoorError::NobodyWaits)
            }
            First::Link {
                mut io,
                frame,
                certificate,
            } => match frame.kind {
                kinds::JOIN => self.join(&mut io, &frame).await,
                kinds::HELLO => {
                    let hello = frame.open()?;
                    self.hello(io, hello, certificate, peer.ip(), counted).await
                }
                kind => Err(DoorError::Kind(kind)),
            },
        }
    }

    async fn first(&self, incoming: Incoming) -> Result<First, DoorError> {
        let mut io = incoming.adopt()?;
        let mut head = [0; RELAY_MAGIC.len()];
        io.read_exact(&mut head).await?;
        if head == *RELAY_MAGIC {
            let mut token = [0; 32];
            io.read_exact(&mut token).await?;
            return Ok(First::Relay(RelayToken(token), io));
        }
        let io: BoxIo = Box::new(Rewound::new(head, io));
        let secured = self.net.serve_tls(io, Arc::clone(&self.tls)).await?;
        let certificate = secured.peer_certificates.into_iter().next();
        let mut io = Framed::new(secured.io, FrameCodec);
        let frame = io.next().await.ok_or(DoorError::Closed)??;
        Ok(First::Link {
            io,
            frame,
            certificate,
        })
    }

    async fn join(
        &self,
        io: &mut Framed<BoxIo, FrameCodec>,
        frame: &Envelope,
    ) -> Result<(), DoorError> {
        let join: Join = frame.open()?;
        match self.enroll.join(&join).await {
            Ok(joined) => {
                self.say(io, kinds::JOINED, &joined).await?;
                // A machine of that name that is still there has an old certificate now.
                let (slave, why) = (joined.name, "another machine joined under its name");
                tell(&self.registry, CutSlave { slave, why });
                Ok(())
            }
            Err(why) => {
                let retry = matches!(why, EnrollError::Store(_));
                self.refuse(io, why.to_string(), retry).await;
                Err(why.into())
            }
        }
    }

    async fn hello(
        &self,
        mut io: Framed<BoxIo, FrameCodec>,
        hello: Hello,
        certificate: Option<CertificateDer<'static>>,
        address: IpAddr,
        counted: Counted,
    ) -> Result<(), DoorError> {
        let slave = hello.name.clone();
        let proven = self.net.proves_peers();
        let check = || self.enroll.check(&slave, certificate.as_ref(), proven);
        let standing = match check() {
            Ok(standing) => standing,
            Err(why) => {
                let retry = matches!(why, EnrollError::Store(_));
                self.refuse(&mut io, why.to_string(), retry).await;
                return Err(why.into());
            }
        };
        let Admitted { link, welcome } = match self.admit(&hello).await {
            Ok(admitted) => admitted,
            Err(NotLetIn::Refused(why, retry)) => {
                self.refuse(&mut io, why.clone(), retry).await;
                return Err(DoorError::Refused(why));
            }
            Err(NotLetIn::Registry(why)) => return Err(why.into()),
        };
        let mut admission = Admission {
            registry: &self.registry,
            of: Some((slave.clone(), link)),
        };
        self.say(&mut io, kinds::WELCOME, &welcome).await?;
        drop(counted);
        let handle = self.manage(io, link, &slave, &welcome);
        admission.of = None;
        let up = LinkUp {
            link,
            handle,
            address,
            hello,
            standing,
        };
        tell(&self.registry, up);
        // It may have been removed while it came in.
        if let Err(why) = check() {
            let cut = "it does not belong to the cluster any more";
            tell(&self.registry, CutSlave { slave, why: cut });
            return Err(why.into());
        }
        Ok(())
    }

    /// Asks the registry; a link of the same name that is up is tried first, and replaced if it
    /// is dead.
    async fn admit(&self, hello: &Hello) -> Result<Admitted, NotLetIn> {
        for _ in 0..2 {
            let hello = hello.clone();
            let (link, handle) = match ask(&self.registry, Admit { hello }, REGISTRY_ANSWERS).await
            {
                Ok(Ok(admitted)) => return Ok(admitted),
                Ok(Err(NotAdmitted::Refused(why, retry))) => {
                    return Err(NotLetIn::Refused(why, retry));
                }
                Ok(Err(NotAdmitted::Taken(link, handle))) => (link, handle),
                Err(why) => return Err(NotLetIn::Registry(why)),
            };
            if handle
                .call(&Ping {}, self.config.ping_timeout)
                .await
                .is_ok()
            {
                break;
            }
            let why = "it dialled again and did not answer on this link";
            tell(&handle.manager, Cut { why });
            tell(&self.registry, LinkDead { link });
        }
        let why = "a slave of that name is online".to_owned();
        Err(NotLetIn::Refused(why, true))
    }

    /// Starts the link's manager, here.
    fn manage(
        &self,
        io: Framed<BoxIo, FrameCodec>,
        link: LinkId,
        slave: &SlaveId,
        welcome: &Welcome,
    ) -> LinkHandle {
        let deps = manager::Deps {
            slave: slave.clone(),
            revision: Revision::try_from(welcome.revision).unwrap_or(Revision::OLDEST),
            link,
            epoch: self.epoch,
            registry: self.registry.clone(),
            registry_lives: self.registry_lives.borrow().clone(),
            roots: Arc::clone(&self.roots),
            certificates: self.certificates.clone(),
            drain: self.drain.clone(),
        };
        let parent = self.registry.clone().recipient();
        let spec = ChildSpec::new("slave_manager", MAILBOX, Budget::TEMPORARY, parent);
        let (slave, revision) = (slave.clone(), deps.revision);
        let make = move || SlaveManager::new(deps, io);
        let manager = supervise(&Place::here(), spec.with_id(link.0), make);
        LinkHandle {
            slave,
            revision,
            manager,
        }
    }

    async fn say<M: Serialize>(
        &self,
        io: &mut Framed<BoxIo, FrameCodec>,
        kind: u16,
        message: &M,
    ) -> Result<(), DoorError> {
        let frame = Envelope::new(0, kind, message)?.of(self.epoch);
        let sent = timeout(self.config.hello_timeout, io.send(frame)).await;
        Ok(sent.map_err(|_| DoorError::TooSlow)??)
    }

    async fn refuse(&self, io: &mut Framed<BoxIo, FrameCodec>, why: String, retry: bool) {
        let refused = self.say(io, kinds::REFUSED, &Refused { why, retry }).await;
        let closed = timeout(self.config.hello_timeout, io.close()).await;
        if refused.is_err() || !matches!(closed, Ok(Ok(()))) {
            debug!("a refusal did not arrive");
        }
    }
}

/// Takes a connection off this arbiter, so that whoever waits for it adopts it on theirs.
fn set_free(io: BoxIo, peer: SocketAddr, local: SocketAddr) -> io::Result<Incoming> {
    match io.into_tcp() {
        Ok(socket) => {
            let socket = socket.into_std()?;
            let adopt = move || Ok(Box::new(TcpStream::from_std(socket)?) as BoxIo);
            Ok(Incoming::new(peer, local, adopt))
        }
        Err(io) => Ok(Incoming::new(peer, local, move || Ok(io))),
    }
}

enum NotLetIn {
    Refused(String, bool),
    Registry(AskError),
}

/// Gives the name free again unless the link came up.
struct Admission<'a> {
    registry: &'a Addr<SlaveRegistry>,
    of: Option<(SlaveId, LinkId)>,
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        if let Some((slave, link)) = self.of.take() {
            tell(self.registry, AdmissionFailed { slave, link });
        }
    }
}
