//! The chart: every root that comes into question for one transfer, with what the filters say.

use std::time::Duration;

use drftpd_protocol::wire::{RootState, RootStatus};
use drftpd_protocol::{RootId, SlaveId, VfsPath};

use super::ledger::{Ledger, Tally};
use super::types::{Direction, Want};
use crate::slaves::{SlaveView, SlaveViews};
use tokio::time::Instant;

/// Which chain of filters decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Chain {
    /// A client uploads.
    Upload,
    /// A client downloads.
    Download,
    /// Another slave's copy comes in.
    CopyTo,
    /// A copy goes out to another slave.
    CopyFrom,
}

impl Chain {
    /// All of them.
    pub const ALL: [Chain; 4] = [
        Chain::Upload,
        Chain::Download,
        Chain::CopyTo,
        Chain::CopyFrom,
    ];

    /// The chain for a client's transfer.
    pub fn of_client(direction: Direction) -> Self {
        match direction {
            Direction::Upload => Chain::Upload,
            Direction::Download => Chain::Download,
        }
    }

    /// The chain for a copy job.
    pub fn of_copy(direction: Direction) -> Self {
        match direction {
            Direction::Upload => Chain::CopyTo,
            Direction::Download => Chain::CopyFrom,
        }
    }

    /// Whether it is for a copy between slaves.
    pub fn is_of_copy(self) -> bool {
        matches!(self, Chain::CopyTo | Chain::CopyFrom)
    }

    /// Whether bytes come to the slave.
    pub fn receives(self) -> bool {
        matches!(self, Chain::Upload | Chain::CopyTo)
    }
}

/// What a filter may know of the transfer.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The resolved path.
    pub path: &'a VfsPath,
    /// Which chain asks.
    pub chain: Chain,
    /// Bytes to come; 0 when unknown.
    pub bytes: u64,
}

/// One root of one slave, and what was said of it so far.
#[derive(Debug, Clone)]
pub struct Row {
    /// The slave.
    pub slave: SlaveId,
    /// The root.
    pub root: RootId,
    /// The root's folder, for people.
    pub folder: String,
    /// Its filesystem, as the slave numbers it.
    pub filesystem: u64,
    /// Bytes free, less what is reserved and not yet seen by the slave.
    pub free: u64,
    /// Bytes per second that the slave moves in this direction, as last told.
    pub throughput: u64,
    /// Transfers of this direction on the slave.
    pub transfers: usize,
    /// Those among them that its throughput cannot show yet.
    pub young: usize,
    /// When the slave was chosen last by this chain; greater is later, 0 is never.
    pub last_used: u64,
    /// How long the slave has been online.
    pub online: Duration,
    /// Files of the path's directory that lie on this root; 0 unless a filter wants to know.
    pub siblings: u32,
    /// Points so far.
    pub score: i64,
    /// Why it is out.
    pub rejected: Option<String>,
    /// What each filter said.
    pub steps: Vec<(&'static str, String)>,
}

/// What a filter says of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Points, with the reason.
    Score(i64, String),
    /// Out, with the reason.
    Reject(String),
    /// Nothing.
    Pass,
}

impl Row {
    /// Whether it can still be chosen.
    pub fn is_in(&self) -> bool {
        self.rejected.is_none()
    }

    /// Notes what a filter says.
    pub fn judge(&mut self, filter: &'static str, verdict: Verdict) {
        match verdict {
            Verdict::Pass => {}
            Verdict::Score(points, why) => {
                self.score = self.score.saturating_add(points);
                self.steps.push((filter, format!("{points:+} {why}")));
            }
            Verdict::Reject(why) => {
                self.steps.push((filter, format!("rejected: {why}")));
                self.rejected.get_or_insert(why);
            }
        }
    }
}

/// Why an operator does not want a slave for this, whatever filters say. What was begun on a drained slave may be
/// gone on with there: nobody else has its bytes.
fn barred(view: &SlaveView, want: &Want, chain: Chain) -> Option<&'static str> {
    let goes_on = chain == Chain::Upload && want.roots.is_some();
    if view.standing.maintenance {
        Some("in maintenance")
    } else if view.standing.drained && chain.receives() && !goes_on {
        Some("drained: it takes no new files")
    } else {
        None
    }
}

/// This moment, by both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// For what lasts.
    pub instant: Instant,
    /// Unix seconds.
    pub unix: i64,
}

impl Now {
    fn since(self, unix: i64) -> Duration {
        Duration::from_secs(u64::try_from(self.unix.saturating_sub(unix)).unwrap_or(0))
    }
}

/// All rows for a transfer, before any filter.
pub fn chart(views: &SlaveViews, ledger: &Ledger, want: &Want, chain: Chain, now: Now) -> Vec<Row> {
    let tally = ledger.tally(chain.receives(), now.instant);
    let mut rows = Vec::new();
    for view in views.values() {
        // What a root that is held takes would be told by it alone.
        let held = |root: &RootId| chain.receives() && view.held.contains(root);
        let usable = view
            .roots
            .iter()
            .filter(|root| usable(root, want, chain) && !held(&root.root));
        let barred = barred(view, want, chain);
        for root in usable {
            let mut row = row(view, root, &tally, ledger, chain);
            row.online = now.since(view.since);
            row.siblings = want.siblings.get(&root.root).copied().unwrap_or(0);
            if let Some(why) = barred {
                row.judge("slave", Verdict::Reject(why.to_owned()));
            }
            rows.push(row);
        }
    }
    rows
}

fn usable(root: &RootStatus, want: &Want, chain: Chain) -> bool {
    let wanted = want
        .roots
        .as_ref()
        .is_none_or(|roots| roots.contains(&root.root));
    let ready = match root.state {
        RootState::Present => true,
        RootState::ReadOnly => !chain.receives(),
        RootState::Absent => false,
    };
    wanted && ready
}

fn row(view: &SlaveView, root: &RootStatus, tally: &Tally, ledger: &Ledger, chain: Chain) -> Row {
    let load = tally.load(&view.slave);
    let reserved = tally.reserved(&view.slave, root.filesystem);
    let throughput = if chain.receives() {
        view.receiving
    } else {
        view.sending
    };
    Row {
        slave: view.slave.clone(),
        root: root.root,
        folder: root.path.clone(),
        filesystem: root.filesystem,
        free: ledger.free_on(root).saturating_sub(reserved),
        throughput,
        transfers: load.transfers,
        young: load.young,
        last_used: ledger.last_used(chain, &view.slave),
        online: Duration::ZERO,
        siblings: 0,
        score: 0,
        rejected: None,
        steps: Vec::new(),
    }
}

#[cfg(test)]
impl<'a> Ask<'a> {
    /// An upload of nobody knows how much.
    pub fn sample(path: &'a VfsPath) -> Self {
        Ask {
            path,
            chain: Chain::Upload,
            bytes: 0,
        }
    }
}

#[cfg(test)]
impl Row {
    /// A root with plenty of everything.
    pub fn sample(slave: &str, root: u8) -> Self {
        Row {
            slave: SlaveId::new(slave).unwrap(),
            root: RootId([root; 16]),
            folder: format!("/disk{root}"),
            filesystem: u64::from(root),
            free: 1 << 40,
            throughput: 0,
            transfers: 0,
            young: 0,
            last_used: 0,
            online: Duration::from_secs(3600),
            siblings: 0,
            score: 0,
            rejected: None,
            steps: Vec::new(),
        }
    }
}
