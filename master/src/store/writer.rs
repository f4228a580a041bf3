//! The one writer: commands in order, many in one commit, answered after it.
//!
//! A batch closes when the queue is empty, when it is full, or after [`WINDOW`]: a lone client
//! never waits for others. A batch of nothing but unheard commands is not synced; the sync of the
//! next one covers it, since both are in one log. A command that panics ends the store as a whole, because nobody knows
//! what it had done to the rest of the program; the master's root then ends the process.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tracing::{debug, error, warn};

use super::command::{Done, Job};
use super::config::{Case, Durability};
use super::error::StoreError;
use super::ids::Ids;
use super::space::Full;
use super::sql::{Batch, number};

/// How long a batch may take more commands in.
const WINDOW: Duration = Duration::from_millis(2);

pub(super) type Failed = watch::Sender<Option<String>>;

pub(super) struct Writer {
    pub conn: Connection,
    pub case: Case,
    pub ids: Arc<Ids>,
    /// Commands of one batch at most.
    pub limit: usize,
    /// What a commit survives.
    pub durability: Durability,
    /// Whether the next commit is synced.
    pub synced: bool,
    /// Came while a batch was filled in which it could not go.
    pub held: Option<Box<dyn Job>>,
    /// The counter up to which identities are noted as given out.
    pub marked: u64,
    /// Says why, when the store has failed as a whole.
    pub failed: Failed,
    /// Says whether its disk is full.
    pub full: Full,
}

/// What became of a batch that was not committed.
enum Lost {
    /// The store goes on as soon as there is space.
    Full(String),
    /// The store goes on.
    Batch(String),
    /// It does not.
    Store(String),
}

impl Writer {
    /// Takes commands until all askers are gone.
    pub(super) fn work(mut self, mut queue: mpsc::Receiver<Box<dyn Job>>) {
        while let Some(first) = self.held.take().or_else(|| queue.blocking_recv()) {
            if !self.carry_out(first, || queue.try_recv().ok()) {
                return;
            }
        }
        debug!("store closed");
    }

    /// Carries out a command, and those that `more` has meanwhile, in one commit. Tells whether
    /// the store goes on.
    pub(super) fn carry_out(
        &mut self,
        first: Box<dyn Job>,
        more: impl FnMut() -> Option<Box<dyn Job>>,
    ) -> bool {
        if self.failed.borrow().is_some() {
            return false;
        }
        let run = AssertUnwindSafe(|| self.batch(first, more));
        let why = match catch_unwind(run) {
            Ok(None) => return true,
            Ok(Some(why)) => why,
            Err(panic) => format!("a command panicked: {}", text_of(&*panic)),
        };
        error!(why, "the store has failed and takes nothing more");
        self.failed.send_replace(Some(why));
        false
    }

    /// One batch; answers why the store cannot go on, if so.
    fn batch(
        &mut self,
        first: Box<dyn Job>,
        more: impl FnMut() -> Option<Box<dyn Job>>,
    ) -> Option<String> {
        let mut done = Vec::new();
        let before = self.conn.total_changes();
        let lost = match self.fill(first, more, &mut done) {
            Ok(hooks) => {
                if self.conn.total_changes() != before {
                    self.full.over();
                }
                hooks.into_iter().for_each(|hook| hook());
                None
            }
            Err(lost) => Some(lost),
        };
        let is_full = matches!(lost, Some(Lost::Full(_)));
        let (why, fatal) = match lost {
            None => (None, None),
            Some(Lost::Full(why)) => {
                self.full.met(&why);
                (Some(why), None)
            }
            Some(Lost::Batch(why)) => (Some(why), None),
            Some(Lost::Store(why)) => (Some(why.clone()), Some(why)),
        };
        if let Some(why) = &why {
            if !is_full {
                warn!(why, commands = done.len(), "commit failed");
            }
            self.roll_back();
        }
        for ran in done {
            ran.answer(why.clone().map(|why| match is_full {
                true => StoreError::Full,
                false => StoreError::Commit(why),
            }));
        }
        fatal
    }

    #[allow(clippy::type_complexity)]
    fn fill(
        &mut self,
        first: Box<dyn Job>,
        mut more: impl FnMut() -> Option<Box<dyn Job>>,
        done: &mut Vec<Box<dyn Done>>,
    ) -> Result<Vec<Box<dyn FnOnce() + Send>>, Lost> {
        let unheard = first.is_unheard();
        self.sync_next(!unheard).map_err(lost)?;
        let begun = self.execute("BEGIN IMMEDIATE");
        let batch = Batch::new(&self.conn, self.case, &self.ids);
        let begin = Instant::now();
        let (mut next, mut held) = (Some(first), None);
        while let Some(job) = next {
            let before = batch.changes();
            let ran = job.apply(&batch);
            let spoiled = ran.refused() && batch.changes() != before;
            done.push(ran);
            if batch.met_full() {
                return Err(Lost::Full("a command found no space".into()));
            }
            if spoiled {
                return Err(Lost::Batch("a command failed in its middle".into()));
            }
            if self.conn.is_autocommit() {
                // SQLite rolled back by itself, or never began.
                return Err(match begun.err().map(lost) {
                    Some(Lost::Full(why)) => Lost::Full(why),
                    Some(Lost::Batch(why) | Lost::Store(why)) => Lost::Batch(why),
                    None => Lost::Batch("rolled back".into()),
                });
            }
            let full = done.len() >= self.limit || begin.elapsed() >= WINDOW;
            next = if full { None } else { more() };
            // Whoever waits for a sync begins a batch of its own.
            held = next.take_if(|job| unheard && !job.is_unheard());
        }
        let marked = batch.greatest_used().max(self.marked);
        let hooks = batch.into_hooks();
        self.held = held;
        self.mark(marked).map_err(lost)?;
        self.execute("COMMIT").map_err(lost)?;
        self.marked = marked;
        Ok(hooks)
    }

    /// Says whether the next commit is to be synced, where that makes a difference.
    fn sync_next(&mut self, synced: bool) -> rusqlite::Result<()> {
        if self.durability == Durability::Full && self.synced != synced {
            let level = if synced { "FULL" } else { "NORMAL" };
            self.conn.pragma_update(None, "synchronous", level)?;
            self.synced = synced;
        }
        Ok(())
    }

    fn mark(&self, marked: u64) -> rusqlite::Result<()> {
        if marked > self.marked {
            let sql = "UPDATE incarnation SET issued = ?2 WHERE n = ?1";
            let incarnation = number(self.ids.incarnation());
            let mut statement = self.conn.prepare_cached(sql)?;
            statement.execute([incarnation, number(marked)])?;
        }
        Ok(())
    }

    fn execute(&self, sql: &str) -> rusqlite::Result<()> {
        self.conn.prepare_cached(sql)?.execute([]).map(drop)
    }

    fn roll_back(&self) {
        if !self.conn.is_autocommit()
            && let Err(why) = self.execute("ROLLBACK")
        {
            warn!(%why, "roll-back failed");
        }
    }
}

/// A full disk may have room again; a failed write or sync means nothing that is tried again.
fn lost(why: rusqlite::Error) -> Lost {
    match why.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Lost::Full(why.to_string()),
        Some(ErrorCode::DatabaseBusy | ErrorCode::ConstraintViolation) => {
            Lost::Batch(why.to_string())
        }
        _ => Lost::Store(why.to_string()),
    }
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without words".to_owned())
}
