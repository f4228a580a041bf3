//! What is handed in from outside, for the registry and for every channel.

use std::net::SocketAddr;
use std::sync::Arc;

use actix::Recipient;
use bytesize::ByteSize;
use drftpd_actors::{Blocking, ChildDown, Dice, Net, Place};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::config::TransferConfig;
use super::messages::TransferNotice;
use super::meter::Totals;
use super::pace::SharedPace;
use super::shelf::Shelf;
use super::tls::Certificate;
use crate::ops::applied::Applied;
use crate::storage::Roots;

/// Everything that transfers need.
#[derive(Clone)]
pub struct Deps {
    /// Where files are.
    pub roots: Roots,
    /// Threads for the disk.
    pub blocking: Blocking,
    /// The network.
    pub net: Arc<dyn Net>,
    /// Where the actors of channels run.
    pub place: Place,
    /// Where the link's master is now, for relays; `None` without a link.
    pub master: watch::Receiver<Option<SocketAddr>>,
    /// How far the logs of the roots are applied.
    pub applied: Applied,
    /// Where notices for the master go.
    pub notices: mpsc::Sender<TransferNotice>,
    /// Chance, for ports.
    pub dice: Dice,
    /// `[transfer]`.
    pub config: TransferConfig,
    /// Hears when the registry is down for good.
    pub parent: Recipient<ChildDown>,
}

/// What a channel needs of it.
pub struct Env {
    /// Where files are.
    pub roots: Roots,
    /// Threads for the disk.
    pub blocking: Blocking,
    /// The network.
    pub net: Arc<dyn Net>,
    /// Where the link's master is now.
    pub master: watch::Receiver<Option<SocketAddr>>,
    /// How far the logs of the roots are applied.
    pub applied: Applied,
    /// Chance, for ports.
    pub dice: Dice,
    /// `[transfer]`.
    pub config: TransferConfig,
    /// Bytes of the whole slave.
    pub totals: Arc<Totals>,
    /// Listeners that wait for the next channel.
    pub shelf: Shelf,
    /// What FTP clients see.
    pub certificate: Certificate,
    /// The limit of all that send.
    pub sending: Option<SharedPace>,
    /// The limit of all that receive.
    pub receiving: Option<SharedPace>,
}

impl Env {
    /// The part of `deps` that channels need.
    pub fn of(deps: &Deps, totals: Arc<Totals>, certificate: Certificate) -> Self {
        let shared = |rate: Option<ByteSize>| {
            rate.map(|rate| SharedPace::new(rate.as_u64(), Instant::now()))
        };
        Env {
            sending: shared(deps.config.send_rate),
            receiving: shared(deps.config.receive_rate),
            roots: deps.roots.clone(),
            blocking: deps.blocking.clone(),
            net: Arc::clone(&deps.net),
            master: deps.master.clone(),
            applied: deps.applied.clone(),
            dice: deps.dice.clone(),
            config: deps.config.clone(),
            totals,
            certificate,
            shelf: Shelf::new(deps.config.passive_ports),
        }
    }
}
