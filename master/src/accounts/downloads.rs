//! What downloads cost: held when one begins, settled when it is known what it has moved.
//!
//! What is held is a row, so that the end is settled whatever is killed meanwhile: by the session; else by the report that
//! the slave repeats until somebody has stored it; else, when the slave has none, nothing was moved as far as anybody knows,
//! and nothing is paid. The end of one that costs nothing is only counted. Neither is synced by itself: power loss may lose
//! the last moments, killing any process loses nothing that was held.

use drftpd_protocol::{SlaveId, TransferId};

use super::tally::Figures;
use super::{credits, tally};
use crate::outbox::{Event, Outbox};
use crate::store::{Batch, Command, Sql, StoreError, number, params};
use crate::transfer::Direction;

/// So long a slave may stay away and still tell how a download ended, in seconds.
const LONGEST: i64 = 7 * 86_400;

/// What a download costs whom. Judged when it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Costs {
    /// Whose account.
    pub account: String,
    /// Credits for each byte, in thousandths; 0: nothing.
    pub loss: u32,
    /// What must be left of the credits.
    pub least: i64,
    /// Whether it is counted in statistics.
    pub counts: bool,
}

/// Credits do not suffice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{needed} bytes of credits are needed, {free} are there")]
pub struct TooFew {
    /// Bytes that it may take.
    pub needed: i64,
    /// Bytes that may be taken.
    pub free: i64,
}

/// Why credits are not held.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    /// There are not enough.
    #[error(transparent)]
    TooFew(#[from] TooFew),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Costs {
    /// What so many bytes cost: what is less than a byte counts as one.
    pub fn of(&self, bytes: u64) -> i64 {
        cost(bytes, self.loss)
    }

    /// Whether what is there suffices.
    ///
    /// # Errors
    /// [`HoldError`].
    pub fn suffice(&self, sql: &Sql<'_>, bytes: u64, now: i64) -> Result<i64, HoldError> {
        let needed = self.of(bytes);
        let there = credits::balance(sql, &self.account, now)?.unwrap_or_default();
        let free = there.free().saturating_sub(self.least);
        match needed <= free || needed == 0 {
            true => Ok(needed),
            false => Err(TooFew { needed, free }.into()),
        }
    }
}

fn cost(bytes: u64, loss: u32) -> i64 {
    let cost = (u128::from(bytes) * u128::from(loss)).div_ceil(1000);
    i64::try_from(cost).unwrap_or(i64::MAX)
}

/// Holds what a download may cost.
#[derive(Debug)]
pub struct Hold {
    /// Which transfer.
    pub transfer: TransferId,
    /// The slave that will tell its end.
    pub slave: SlaveId,
    /// Whose, and how much for a byte.
    pub costs: Costs,
    /// Bytes that will come, as far as is known.
    pub bytes: u64,
    /// When, Unix seconds.
    pub now: i64,
}

impl Command for Hold {
    type Answer = ();
    type Error = HoldError;

    fn is_unheard(&self) -> bool {
        true
    }

    fn apply(self, batch: &Batch<'_>) -> Result<(), HoldError> {
        let held = self.costs.suffice(batch, self.bytes, self.now)?;
        let sql = "INSERT OR REPLACE INTO credit_hold VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let (of, slave) = (&self.costs, self.slave.as_str());
        let transfer = number(self.transfer.0);
        batch.run(
            sql,
            params![
                transfer, of.account, slave, held, of.loss, of.counts, self.now
            ],
        )?;
        Ok(())
    }
}

/// A download whose end is known.
#[derive(Debug)]
pub struct Over {
    /// Which transfer.
    pub transfer: TransferId,
    /// What it moved; a file that did not come to its end is none.
    pub moved: Figures,
    /// When, Unix seconds.
    pub now: i64,
}

impl Over {
    /// Takes what it cost from who held it; nothing where nobody did, or it was settled before.
    ///
    /// # Errors
    /// When the database fails.
    pub fn settle(&self, batch: &Batch<'_>) -> Result<(), StoreError> {
        let text = "SELECT account, loss, counts FROM credit_hold WHERE transfer = ?1";
        let transfer = number(self.transfer.0);
        let held = batch.get(text, [transfer], |row| {
            let account: String = row.get(0)?;
            Ok((account, row.get(1)?, row.get(2)?))
        })?;
        let Some((account, loss, counts)) = held else {
            return Ok(());
        };
        batch.run("DELETE FROM credit_hold WHERE transfer = ?1", [transfer])?;
        let cost = cost(self.moved.bytes, loss);
        if cost != 0 {
            credits::add(batch, &account, -cost, self.now)?;
        }
        if counts {
            self.count(batch, &account)?;
        }
        Ok(())
    }

    fn count(&self, batch: &Batch<'_>, account: &str) -> Result<(), StoreError> {
        if self.moved == Figures::default() {
            return Ok(());
        }
        tally::add(batch, account, Direction::Download, self.moved, self.now)
    }
}

/// Settles a download that its session has seen to its end, and tells whoever wants to know.
pub struct Downloaded {
    /// What it was.
    pub over: Over,
    /// Who is counted, where nothing was held.
    pub account: Option<String>,
    /// What is told of one that is complete.
    pub event: Option<Event>,
    /// To whom.
    pub outbox: Outbox,
}

impl Command for Downloaded {
    type Answer = ();
    type Error = StoreError;

    fn is_unheard(&self) -> bool {
        true
    }

    fn apply(self, batch: &Batch<'_>) -> Result<(), StoreError> {
        self.over.settle(batch)?;
        if let Some(account) = &self.account {
            self.over.count(batch, account)?;
        }
        match self.event {
            Some(event) => self.outbox.note(batch, self.over.now, || Ok(event)),
            None => Ok(()),
        }
    }
}

/// Whether anything is held for masters before this one.
///
/// # Errors
/// When the database fails.
pub fn are_held(sql: &Sql<'_>, first: TransferId) -> Result<bool, StoreError> {
    let text = "SELECT 1 FROM credit_hold WHERE transfer < ?1 LIMIT 1";
    let row = sql.get(text, [number(first.0)], |_| Ok(()))?;
    Ok(row.is_some())
}

/// Gives back what masters before `first` held for downloads of a slave, but for those that it still knows: it will tell no
/// end of the others. What is as old as a slave can hardly stay away is given back too. Answers how many.
///
/// # Errors
/// When the database fails.
pub fn give_back(
    batch: &Batch<'_>,
    slave: &SlaveId,
    knows: &[TransferId],
    first: TransferId,
    now: i64,
) -> Result<usize, StoreError> {
    let text =
        "SELECT transfer FROM credit_hold WHERE transfer < ?2 AND (slave = ?1 OR since < ?3)";
    let key = params![slave.as_str(), number(first.0), now.saturating_sub(LONGEST)];
    let mut held: Vec<i64> = batch.all(text, key, |row| row.get(0))?;
    held.retain(|held| !knows.iter().any(|known| number(known.0) == *held));
    for transfer in &held {
        batch.run("DELETE FROM credit_hold WHERE transfer = ?1", [transfer])?;
    }
    Ok(held.len())
}
