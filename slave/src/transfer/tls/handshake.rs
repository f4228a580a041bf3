//! From connections to the one that carries the transfer: the first one, or under TLS the first whose handshake
//! succeeds.
//!
//! Handshakes of several connections go on side by side, and the oldest gives way to the next, so that strangers who
//! connect first and say nothing, or little, take nobody's place, however many they are.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use drftpd_actors::tls::{cipher_name, is_verdict, version_name};
use drftpd_actors::{BoxIo, Crowd, Net, Secured};
use drftpd_protocol::wire::{FaultCode, TlsSeen};
use rustls_pki_types::ServerName;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::debug;

use super::super::copy::{has_ended, reset};
use super::super::error::TransferError;
use super::super::stop::{Stop, Stopped};
use super::plan::Plan;

/// Handshakes of one channel at a time. Who wants to keep a client out has to come so often within the time of its
/// handshake; each may have a few ten kilobytes waiting.
const MOST: usize = 32;
/// How long after a handshake that failed, or a connection that was none, another one may come: it may have been a
/// stranger's.
const GRACE: Duration = Duration::from_secs(3);

/// How a transfer comes to its connection.
pub struct Entrance {
    /// The network, which does handshakes.
    pub net: Arc<dyn Net>,
    /// Connections, as they come.
    pub connections: mpsc::Receiver<BoxIo>,
    /// TLS; `None`: plain.
    pub plan: Option<Plan>,
    /// How the first connection of an upload in clear had ended, without a byte, before the upload was ordered.
    pub doubtful: Option<io::Result<()>>,
    /// Only one peer may come, so that its own refusal ends the transfer at once.
    pub peer_is_known: bool,
    /// When a handshake must be over.
    pub until: Instant,
}

/// The connection that carries the transfer.
pub struct Entered {
    /// The connection.
    pub io: BoxIo,
    /// What the handshake told, where there was one.
    pub seen: Option<TlsSeen>,
}

impl Entrance {
    /// Waits for the connection, and for its handshake.
    ///
    /// # Errors
    /// The word to stop, which also says that nobody came; or why the handshake failed.
    pub async fn wait(mut self, stop: &Stop) -> Result<Entered, TransferError> {
        let first = tokio::select! {
            biased;
            stopped = stop.said() => return Err(stopped.into()),
            first = self.connections.recv() => first,
        };
        let first = first.ok_or(Stopped(FaultCode::NO_CONNECTION))?;
        let entered = async {
            match self.plan.take() {
                Some(plan) => self.secure(first, &plan).await,
                None => self.in_clear(first).await,
            }
        };
        tokio::select! {
            biased;
            stopped = stop.said() => Err(stopped.into()),
            entered = entered => entered,
        }
    }

    /// In clear the first connection is the client's, but for one thing. One that had ended without a byte before its
    /// upload was ordered is rather somebody's who looks for open ports, behind the same address: a client knows that
    /// it may send when it hears 150, which is later. Taken for the client's it would be an empty file in the place of
    /// the client's own. So another one is waited for; only for a moment, since a client, or a server that is sent
    /// here, may also not have waited for 150, and its file may be empty.
    async fn in_clear(&mut self, first: BoxIo) -> Result<Entered, TransferError> {
        let (mut io, mut ended) = (first, self.doubtful.take());
        let until = self.until.min(Instant::now() + GRACE);
        while ended.is_some()
            && let Ok(Some(another)) = timeout_at(until, self.connections.recv()).await
        {
            debug!("the connection before it was no client's");
            (ended, io) = (has_ended(&another), another);
        }
        match ended {
            Some(Err(reset)) => Err(TransferError::Connection(reset)),
            _ => Ok(Entered { io, seen: None }),
        }
    }

    async fn secure(&mut self, first: BoxIo, plan: &Plan) -> Result<Entered, TransferError> {
        let net = Arc::clone(&self.net);
        let handshake = |io| handshake(net.as_ref(), io, plan);
        let mut running = Crowd::new(MOST);
        running.push(handshake(first));
        let mut until = self.until;
        let mut failed = TransferError::Handshake(io::ErrorKind::TimedOut.into());
        let mut verdict = false;
        let mut more_come = true;
        loop {
            if running.is_empty() && (verdict || !more_come) {
                return Err(failed);
            }
            tokio::select! {
                biased;
                done = running.next() => match done {
                    Ok(entered) => return Ok(entered),
                    Err(error) => {
                        debug!(%error, "a handshake failed");
                        verdict |= self.peer_is_known && is_final(&error);
                        failed = error;
                        until = self.until.min(Instant::now() + GRACE);
                    }
                },
                another = self.connections.recv(), if more_come => match another {
                    Some(io) => {
                        running.push(handshake(io));
                        until = self.until;
                    }
                    None => more_come = false,
                },
                () = sleep_until(until), if running.is_empty() => return Err(failed),
                () = sleep_until(self.until) => return Err(failed),
            }
        }
    }
}

/// Whether it was no stranger that stumbled in, but a TLS peer with a reason.
fn is_final(error: &TransferError) -> bool {
    match error {
        TransferError::NotResumed => true,
        TransferError::Handshake(error) => is_verdict(error),
        _ => false,
    }
}

async fn handshake(net: &dyn Net, io: BoxIo, plan: &Plan) -> Result<Entered, TransferError> {
    let secured = match plan {
        Plan::Server { config, .. } => net.serve_tls(io, Arc::clone(config)).await,
        Plan::Client { config } => {
            let name = name_of(&io);
            net.dial_tls(io, Arc::clone(config), name).await
        }
    };
    let secured = secured.map_err(TransferError::Handshake)?;
    if let Plan::Server {
        must_resume: true, ..
    } = plan
        && !secured.resumed
        && net.proves_peers()
    {
        reset(&secured.io);
        return Err(TransferError::NotResumed);
    }
    Ok(Entered {
        seen: seen(&secured),
        io: secured.io,
    })
}

/// An address, so that no server is named; the certificate is not compared with it.
fn name_of(io: &BoxIo) -> ServerName<'static> {
    let peer = io.peer_addr().map(|peer| peer.ip());
    ServerName::from(peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))
}

fn seen(secured: &Secured) -> Option<TlsSeen> {
    Some(TlsSeen {
        version: version_name(secured.protocol?),
        cipher: cipher_name(secured.cipher?),
        resumed: secured.resumed,
    })
}
