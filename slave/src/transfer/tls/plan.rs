//! What an order says of TLS, with everything its handshake needs.

use std::sync::Arc;

use drftpd_actors::tls::{Peer, SessionTickets};
use drftpd_protocol::wire::{BeginTransfer, DataTls, Fault, FaultCode, Job, Resumption, TlsPeer};
use rustls::{ClientConfig, ServerConfig};

use super::certificate::Certificate;

/// TLS 1.3 tickets of a data connection that sends: one for the next transfer, one for a transfer beside it.
const TICKETS: usize = 2;

/// How the handshake of a data connection goes.
#[derive(Debug, Clone)]
pub enum Plan {
    /// It is answered.
    Server {
        /// The certificate and the tickets.
        config: Arc<ServerConfig>,
        /// Whether a full handshake ends the transfer.
        must_resume: bool,
    },
    /// It is begun.
    Client {
        /// Whom to believe.
        config: Arc<ClientConfig>,
    },
}

impl Plan {
    /// The plan of an order; `None` where it wants no TLS. A connection that receives gets no TLS 1.3 tickets:
    /// clients that never read there close over them, and the end of what they sent is lost.
    ///
    /// # Errors
    /// `NO_CERTIFICATE` where one is needed and the master gave none.
    pub fn of(order: &BeginTransfer, certificate: &Certificate) -> Result<Option<Self>, Fault> {
        let tickets13 = match order.job {
            Job::Send(_) => TICKETS,
            Job::Receive(_) => 0,
        };
        let plan = match &order.tls {
            None => return Ok(None),
            Some(DataTls::Server {
                tickets,
                resumption,
            }) => {
                let wanted = *resumption != Resumption::Off;
                let tickets = wanted.then(|| SessionTickets::under(&tickets.0));
                Plan::Server {
                    config: certificate.now()?.config(tickets, tickets13),
                    must_resume: *resumption == Resumption::Required,
                }
            }
            Some(DataTls::ServerOfCluster) => Plan::Server {
                config: certificate.now()?.between(),
                must_resume: false,
            },
            Some(DataTls::Client { peer }) => Plan::Client {
                config: Arc::new(client(*peer, certificate)?),
            },
        };
        Ok(Some(plan))
    }
}

fn client(peer: TlsPeer, certificate: &Certificate) -> Result<ClientConfig, Fault> {
    let peer = match peer {
        TlsPeer::Any => Peer::Anybody,
        TlsPeer::Cluster => Peer::Same,
    };
    let client = certificate.now()?.client(peer);
    client.map_err(|error| Fault::new(FaultCode::FAILED, error.to_string()))
}
