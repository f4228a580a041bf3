//! From connections to the one that carries the transfer: the first one, or under TLS the first whose handshake
//! succeeds.
//!
//! Handshakes of several connections go on side by side, so that a stranger who connects first and says nothing
//! takes nobody's place.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use drftpd_actors::tls::{cipher_name, version_name};
use drftpd_actors::{BoxIo, Net, Secured};
use drftpd_protocol::wire::{FaultCode, TlsSeen};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rustls_pki_types::ServerName;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use super::super::copy::reset;
use super::super::error::TransferError;
use super::super::stop::{Stop, Stopped};
use super::plan::Plan;

/// Handshakes of one channel at a time.
const MOST: usize = 8;
/// How long after a handshake that failed another connection may come: the one that failed may have been a stranger's.
const GRACE: Duration = Duration::from_secs(3);

/// How a transfer comes to its connection.
pub struct Entrance {
    /// The network, which does handshakes.
    pub net: Arc<dyn Net>,
    /// Connections, as they come.
    pub connections: mpsc::Receiver<BoxIo>,
    /// TLS; `None`: plain.
    pub plan: Option<Plan>,
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
        let Some(plan) = self.plan.take() else {
            return Ok(Entered {
                io: first,
                seen: None,
            });
        };
        tokio::select! {
            biased;
            stopped = stop.said() => Err(stopped.into()),
            entered = self.secure(first, &plan) => entered,
        }
    }

    async fn secure(&mut self, first: BoxIo, plan: &Plan) -> Result<Entered, TransferError> {
        let net = Arc::clone(&self.net);
        let handshake = |io| handshake(net.as_ref(), io, plan);
        let mut running = FuturesUnordered::from_iter([handshake(first)]);
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
                Some(done) = running.next() => match done {
                    Ok(entered) => return Ok(entered),
                    Err(error) => {
                        debug!(%error, "a handshake failed");
                        verdict |= self.peer_is_known && is_verdict(&error);
                        failed = error;
                        until = self.until.min(Instant::now() + GRACE);
                    }
                },
                another = self.connections.recv(), if more_come && running.len() < MOST => match another {
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

/// Whether it was no stranger that stumbled in, but a TLS peer with a reason: its alert, a certificate that is not
/// believed or not there, a session that is not resumed.
fn is_verdict(error: &TransferError) -> bool {
    use rustls::Error::{AlertReceived, InvalidCertificate, NoCertificatesPresented};
    let reason = match error {
        TransferError::NotResumed => return true,
        TransferError::Handshake(error) => error.get_ref(),
        _ => None,
    };
    let reason = reason.and_then(|reason| reason.downcast_ref());
    matches!(
        reason,
        Some(AlertReceived(_) | InvalidCertificate(_) | NoCertificatesPresented)
    )
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
