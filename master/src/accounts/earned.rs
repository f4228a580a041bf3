//! Whose bytes a file has, and what they earned: a row for each upload to it, in the order of the bytes.
//!
//! While the file is not complete its rows are of uploads that broke off, and earn nothing. The commit pays all of them at
//! once, in its batch. Bytes that go again (the file is deleted, or sent anew from some byte on) are taken back from whoever
//! they were paid to, with the ratio of then. So the bytes of a file are paid for once, however it came about, and what was
//! paid is what the bytes that are there have earned.

use super::period::Period;
use super::ratio::Ratio;
use super::tally::Figures;
use super::{credits, tally};
use crate::store::{Batch, Sql, StoreError, params};
use crate::transfer::Direction;

/// What an upload earns, and to whom. Judged when it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earns {
    /// Whose account.
    pub account: String,
    /// Credits for each byte; 0: none.
    pub ratio: Ratio,
    /// Whether it is counted in statistics.
    pub counts: bool,
}

/// The same, as the row of the upload has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Earner {
    /// Who.
    pub id: i64,
    /// Credits for each byte, in thousandths.
    pub ratio: u32,
    /// Whether it is counted.
    pub counts: bool,
}

/// What an upload has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Came {
    /// Bytes that were there before it.
    pub start: i64,
    /// Bytes of its own.
    pub bytes: i64,
    /// 1 where it makes the file complete.
    pub files: i64,
}

struct Part {
    seq: i64,
    earner: Earner,
    /// Its first byte.
    start: i64,
    /// Bytes, and how many uploads of them made the file complete.
    there: (i64, i64),
    /// What of that was paid for, and when for the last time.
    paid: (i64, i64),
    at: i64,
}

/// Credits for bytes: what is less than a byte is not given.
pub fn credits_for(bytes: i64, ratio: u32) -> i64 {
    let credits = i128::from(bytes) * i128::from(ratio) / 1000;
    i64::try_from(credits).unwrap_or(i64::MAX)
}

/// The number of an account in the rows of files.
///
/// # Errors
/// When the database fails.
pub fn earner(batch: &Batch<'_>, earns: &Earns) -> Result<Earner, StoreError> {
    let text = "SELECT id FROM earner WHERE account = ?1";
    let id = || batch.get(text, [&earns.account], |row| row.get(0));
    let id = match id()? {
        Some(id) => id,
        None => {
            batch.run("INSERT INTO earner (account) VALUES (?1)", [&earns.account])?;
            id()?.unwrap_or(0)
        }
    };
    Ok(Earner {
        id,
        ratio: earns.ratio.0,
        counts: earns.counts,
    })
}

/// What the bytes of a file have earned, by account; those that are gone for ever have none.
///
/// # Errors
/// When the database fails.
pub fn paid(sql: &Sql<'_>, node: i64) -> Result<Vec<(String, i64)>, StoreError> {
    let mut paid = Vec::new();
    for part in parts(sql, node)? {
        if let Some(name) = name_of(sql, part.earner)? {
            paid.push((name, credits_for(part.paid.0, part.earner.ratio)));
        }
    }
    Ok(paid)
}

/// Says of a file's bytes whether they are paid for, where somebody else gives or takes what they earned: those that are
/// not cost nobody anything when the file is deleted.
///
/// # Errors
/// When the database fails.
pub fn count_as(batch: &Batch<'_>, node: i64, are_paid: bool) -> Result<(), StoreError> {
    let sql = match are_paid {
        true => "UPDATE earned SET paid = bytes, paid_files = files WHERE node = ?1",
        false => "UPDATE earned SET paid = 0, paid_files = 0 WHERE node = ?1",
    };
    batch.run(sql, [node])?;
    Ok(())
}

/// Gives the bytes of a file that earned nothing the ratio of their account; answers what that is worth to whom.
///
/// # Errors
/// When the database fails.
pub fn make_worth(batch: &Batch<'_>, node: i64) -> Result<Vec<(String, i64)>, StoreError> {
    let mut worth = Vec::new();
    for part in parts(batch, node)? {
        let Some(name) = name_of(batch, part.earner)?.filter(|_| part.earner.ratio == 0) else {
            continue;
        };
        let text = "SELECT ratio FROM account WHERE name = ?1";
        let ratio = batch.get(text, [&name], |row| row.get(0))?;
        let ratio = Ratio::from_column(ratio.unwrap_or(0));
        let sql = "UPDATE earned SET ratio = ?3 WHERE node = ?1 AND seq = ?2";
        batch.run(sql, params![node, part.seq, ratio.0])?;
        worth.push((name, credits_for(part.paid.0, ratio.0)));
    }
    Ok(worth)
}

/// An account has another name, or is gone for ever: then nobody is paid or pays for its bytes.
///
/// # Errors
/// When the database fails.
pub fn renamed(batch: &Batch<'_>, old: &str, new: Option<&str>) -> Result<(), StoreError> {
    // The new name may have been somebody's who was purged; nobody who is there has it.
    if let Some(new) = new {
        batch.run("UPDATE earner SET account = NULL WHERE account = ?1", [new])?;
    }
    let sql = "UPDATE earner SET account = ?2 WHERE account = ?1";
    batch.run(sql, params![old, new])?;
    Ok(())
}

fn parts(sql: &Sql<'_>, node: i64) -> Result<Vec<Part>, StoreError> {
    let text =
        "SELECT seq, earner, ratio, counts, bytes, files, paid, paid_files, at, start FROM earned
        WHERE node = ?1 ORDER BY seq";
    sql.all(text, [node], |row| {
        Ok(Part {
            seq: row.get(0)?,
            earner: Earner {
                id: row.get(1)?,
                ratio: row.get(2)?,
                counts: row.get(3)?,
            },
            there: (row.get(4)?, row.get(5)?),
            paid: (row.get(6)?, row.get(7)?),
            at: row.get(8)?,
            start: row.get(9)?,
        })
    })
}

fn name_of(sql: &Sql<'_>, earner: Earner) -> Result<Option<String>, StoreError> {
    let text = "SELECT account FROM earner WHERE id = ?1";
    Ok(sql.get(text, [earner.id], |row| row.get(0))?.flatten())
}

/// Takes back what of a file lies behind its first bytes, and all of it where none stay.
///
/// # Errors
/// When the database fails.
pub fn keep(batch: &Batch<'_>, node: i64, keep: i64, now: i64) -> Result<(), StoreError> {
    for part in parts(batch, node)? {
        let bytes = keep.saturating_sub(part.start).clamp(0, part.there.0);
        if bytes == part.there.0 && keep > 0 && part.start <= keep {
            continue;
        }
        // What made the file complete is not whole any more.
        let stays = (part.paid.0.min(bytes), 0);
        settle(batch, &part, stays, now)?;
        match bytes {
            0 => batch.run(
                "DELETE FROM earned WHERE node = ?1 AND seq = ?2",
                [node, part.seq],
            )?,
            _ => batch.run(
                "UPDATE earned SET bytes = ?3, files = 0, paid = ?4, paid_files = 0 WHERE node = ?1 AND seq = ?2",
                [node, part.seq, bytes, stays.0],
            )?,
        };
    }
    Ok(())
}

/// Takes back what was paid beyond this.
fn settle(
    batch: &Batch<'_>,
    part: &Part,
    (bytes, files): (i64, i64),
    now: i64,
) -> Result<(), StoreError> {
    let (paid, paid_files) = part.paid;
    if (paid, paid_files) == (bytes, files) {
        return Ok(());
    }
    let Some(name) = name_of(batch, part.earner)? else {
        return Ok(());
    };
    let ratio = part.earner.ratio;
    let credits = credits_for(paid, ratio) - credits_for(bytes, ratio);
    if credits != 0 {
        credits::add(batch, &name, -credits, now)?;
    }
    if part.earner.counts {
        let gone = (paid_files - files, paid - bytes);
        tally::take_back(batch, &name, gone, part.at)?;
    }
    Ok(())
}

/// An upload has ended with this behind the bytes that were there. It is paid for when the file is complete.
///
/// # Errors
/// When the database fails.
pub fn came(
    batch: &Batch<'_>,
    node: i64,
    earner: Earner,
    Came {
        start,
        bytes,
        files,
    }: Came,
    now: i64,
) -> Result<(), StoreError> {
    if bytes <= 0 && files == 0 {
        return Ok(());
    }
    let bytes = bytes.max(0);
    let last = parts(batch, node)?.pop();
    let day = |at| Period::Day.begin(at);
    let same = |part: &Part| {
        let goes_on = part.start + part.there.0 == start && part.earner == earner;
        goes_on && (part.paid == (0, 0) || day(part.at) == day(now))
    };
    if let Some(part) = last.as_ref().filter(|part| same(part)) {
        let sql =
            "UPDATE earned SET bytes = bytes + ?3, files = files + ?4 WHERE node = ?1 AND seq = ?2";
        batch.run(sql, [node, part.seq, bytes, files])?;
        return Ok(());
    }
    let seq = last.map_or(1, |part| part.seq + 1);
    let sql = "INSERT INTO earned VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, 0, 0)";
    let (ratio, counts) = (earner.ratio, earner.counts);
    batch.run(
        sql,
        params![node, seq, earner.id, ratio, counts, start, bytes, files],
    )?;
    Ok(())
}

/// The file is complete: whatever was not paid for is. The last upload took so long.
///
/// # Errors
/// When the database fails.
pub fn pay(batch: &Batch<'_>, node: i64, ms: u64, now: i64) -> Result<(), StoreError> {
    for part in parts(batch, node)? {
        if part.paid == part.there {
            continue;
        }
        let sql = "UPDATE earned SET paid = bytes, paid_files = files, at = ?3 WHERE node = ?1 AND seq = ?2";
        batch.run(sql, [node, part.seq, now])?;
        pay_out(batch, part.earner, (part.paid, part.there), ms, now)?;
    }
    Ok(())
}

/// The same for a file of which nothing was told before, and that one upload made complete.
///
/// # Errors
/// When the database fails.
pub fn pay_first(
    batch: &Batch<'_>,
    node: i64,
    earner: Earner,
    (came, ms): (Came, u64),
    now: i64,
) -> Result<(), StoreError> {
    let Came { bytes, files, .. } = came;
    let sql = "INSERT INTO earned VALUES (?1, 1, ?2, ?3, ?4, 0, ?5, ?6, ?5, ?6, ?7)";
    let (ratio, counts) = (earner.ratio, earner.counts);
    let row = params![node, earner.id, ratio, counts, bytes, files, now];
    batch.run(sql, row)?;
    pay_out(batch, earner, ((0, 0), (bytes, files)), ms, now)
}

/// Gives for what is there what was not given for what was.
fn pay_out(
    batch: &Batch<'_>,
    earner: Earner,
    (was, there): ((i64, i64), (i64, i64)),
    ms: u64,
    now: i64,
) -> Result<(), StoreError> {
    let Some(name) = name_of(batch, earner)? else {
        return Ok(());
    };
    let credits = credits_for(there.0, earner.ratio) - credits_for(was.0, earner.ratio);
    if credits != 0 {
        credits::add(batch, &name, credits, now)?;
    }
    if !earner.counts {
        return Ok(());
    }
    let files = (there.1 - was.1).unsigned_abs();
    let moved = Figures {
        files,
        bytes: (there.0 - was.0).unsigned_abs(),
        ms: if files == 0 { 0 } else { ms },
    };
    tally::add(batch, &name, Direction::Upload, moved, now)
}

/// What was told of a file is not needed any more; nobody pays anything back.
///
/// # Errors
/// When the database fails.
pub fn forget(batch: &Batch<'_>, node: i64) -> Result<(), StoreError> {
    batch.run("DELETE FROM earned WHERE node = ?1", [node])?;
    Ok(())
}
