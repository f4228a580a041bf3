//! The audit log: every act that changes something, by whichever door it came, as a row of the store.
//!
//! A row is written before the act begins and its result when it has ended, so what the end of the process cut off is
//! there too, without a result. Rows are only added: the database itself refuses to change them, and to delete them before
//! their time is over (`log.audit_keep`); each new one takes some of those away that are older. Secrets are not in them
//! ([`Args::shown`]).

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tracing::{error, info};

use crate::admin::{Args, Caller, Command, Cx, Outcome};
use crate::store::{self, Batch, Sql, StoreError, id, number, params};

/// The longest result that is kept, in bytes.
const LONGEST_RESULT: usize = 300;
/// Rows that a new one takes away at most.
const GO_AT_ONCE: i64 = 100;

/// An act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Act {
    /// Its number; later ones are greater.
    pub seq: u64,
    /// When it began, Unix seconds.
    pub at: i64,
    /// By which door: `socket`, `store` (no master ran), `site` or `api`.
    pub door: String,
    /// Who: a user, the name of a token, or `owner`.
    pub who: String,
    /// From where.
    pub peer: Option<String>,
    /// The command.
    pub command: String,
    /// Its arguments, as one JSON object.
    pub args: Value,
    /// `ok`, or why not; nothing while it runs, and where it was cut off.
    pub result: Option<String>,
}

/// An act that has begun.
pub(crate) struct Record {
    cx: Cx,
    command: &'static str,
    who: String,
    args: String,
    /// Nothing where it could not be written down.
    seq: Option<u64>,
}

impl Record {
    /// Writes down that an act begins. Where the store does not take it the act goes on, and the log says so: an operator
    /// must be able to end a master whose disk is full.
    pub async fn begin(cx: &Cx, command: &Command, args: &Args) -> Self {
        let (door, who, peer) = from(cx);
        let args = Value::Object(args.shown()).to_string();
        let begun = Begun {
            at: cx.of.clock.unix(),
            keep: cx.config().log.audit_keep,
            door,
            who,
            peer,
            command: command.name,
            args: args.clone(),
        };
        let seq = cx.of.store.change(begun).await;
        if let Err(why) = &seq {
            error!(%why, command = command.name, "not in the audit log");
        }
        Self {
            cx: cx.clone(),
            command: command.name,
            who: cx.caller.to_string(),
            args,
            seq: seq.ok(),
        }
    }

    /// Writes down how it ended.
    pub async fn end(self, outcome: &Outcome) {
        let failed = outcome.as_ref().err().map(|error| error.code);
        info!(
            command = self.command,
            args = self.args,
            who = self.who,
            ?failed,
            "command"
        );
        let Some(seq) = self.seq else { return };
        let result = match outcome {
            Ok(_) => "ok".to_owned(),
            Err(why) => cut(format!("{}: {why}", code(why.code)), LONGEST_RESULT),
        };
        let (of, ended) = (&self.cx.of, Ended { seq, result });
        let online = of.online.get();
        let stored = match online.is_some_and(|online| online.drain.is_draining()) {
            // Whoever asked for the end is answered before it comes.
            true => of.store.submit(ended).map(drop),
            false => of.store.change(ended).await,
        };
        if let Err(why) = stored {
            error!(%why, command = self.command, "result not in the audit log");
        }
    }
}

/// By which door somebody came, who it is, and from where.
fn from(cx: &Cx) -> (&'static str, String, Option<String>) {
    match &cx.caller {
        Caller::Owner if cx.of.online.get().is_some() => ("socket", "owner".to_owned(), None),
        Caller::Owner => ("store", "owner".to_owned(), None),
        Caller::User(user) => (
            "site",
            user.account.name.clone(),
            Some(user.peer.to_string()),
        ),
        Caller::Token(token) => ("api", token.name.clone(), Some(token.peer.to_string())),
    }
}

/// A code as programs read it.
fn code(code: crate::admin::Code) -> String {
    let text = serde_json::to_value(code).ok();
    let text = text.and_then(|text| text.as_str().map(str::to_owned));
    text.unwrap_or_else(|| "failed".to_owned())
}

/// At most so many bytes of a text.
pub(crate) fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        let end = (0..=most).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or(0));
        text.push('…');
    }
    text
}

#[derive(Debug)]
struct Begun {
    at: i64,
    /// How long rows are kept; zero: for ever.
    keep: Duration,
    door: &'static str,
    who: String,
    peer: Option<String>,
    command: &'static str,
    args: String,
}

impl store::Command for Begun {
    type Answer = u64;
    type Error = StoreError;

    fn apply(self, batch: &Batch<'_>) -> Result<u64, StoreError> {
        self.end_old(batch)?;
        let last = batch.get("SELECT max(seq) FROM audit", [], |row| {
            row.get::<_, Option<i64>>(0)
        })?;
        let seq = last.flatten().unwrap_or(0).cast_unsigned() + 1;
        let sql = "INSERT INTO audit (seq, at, door, who, peer, command, args)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        batch.run(
            sql,
            params![
                number(seq),
                self.at,
                self.door,
                self.who,
                self.peer,
                self.command,
                self.args
            ],
        )?;
        Ok(seq)
    }
}

impl Begun {
    /// Takes some rows away whose time is over; never the newest, whose number the next one follows.
    fn end_old(&self, batch: &Batch<'_>) -> Result<(), StoreError> {
        let oldest = batch.get("SELECT at FROM audit ORDER BY seq LIMIT 1", [], |row| {
            row.get::<_, i64>(0)
        })?;
        let keep = i64::try_from(self.keep.as_secs()).unwrap_or(i64::MAX);
        let end = self.at.saturating_sub(keep);
        if self.keep.is_zero() || oldest.is_none_or(|oldest| oldest >= end) {
            return Ok(());
        }
        let sql = "INSERT OR REPLACE INTO meta (key, value) VALUES ('audit_end', ?1)";
        batch.run(sql, [end.to_string()])?;
        let sql = "DELETE FROM audit WHERE at < ?1 AND seq IN (SELECT seq FROM audit ORDER BY seq LIMIT ?2)
            AND seq < (SELECT max(seq) FROM audit)";
        batch.run(sql, params![end, GO_AT_ONCE])?;
        Ok(())
    }
}

#[derive(Debug)]
struct Ended {
    seq: u64,
    result: String,
}

impl store::Command for Ended {
    type Answer = ();
    type Error = StoreError;

    fn apply(self, batch: &Batch<'_>) -> Result<(), StoreError> {
        let sql = "UPDATE audit SET result = ?2 WHERE seq = ?1 AND result IS NULL";
        batch.run(sql, params![number(self.seq), self.result])?;
        Ok(())
    }
}

/// Which acts are looked for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Of whom.
    pub who: Option<String>,
    /// Commands of this name, or of this area.
    pub command: Option<String>,
    /// By which door.
    pub door: Option<String>,
    /// From this moment on, Unix seconds.
    pub since: Option<i64>,
    /// Before this moment.
    pub until: Option<i64>,
    /// Those alone that did not end well.
    pub failed: bool,
    /// Those alone that came before this one.
    pub before: Option<u64>,
}

/// The newest of them, the newest first, at most so many.
///
/// # Errors
/// When the database fails, or holds what cannot be.
pub fn newest(sql: &Sql<'_>, wanted: &Wanted, most: usize) -> Result<Vec<Act>, StoreError> {
    let query = "SELECT seq, at, door, who, peer, command, args, result FROM audit
        WHERE (?1 IS NULL OR seq < ?1) AND (?2 IS NULL OR who = ?2)
        AND (?3 IS NULL OR command = ?3 OR substr(command, 1, length(?3) + 1) = ?3 || ' ')
        AND (?4 IS NULL OR door = ?4) AND (?5 IS NULL OR at >= ?5) AND (?6 IS NULL OR at < ?6)
        AND (NOT ?7 OR coalesce(result, '') <> 'ok')
        ORDER BY seq DESC LIMIT ?8";
    let before = wanted.before.map(number);
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let rows = sql.all(
        query,
        params![
            before,
            wanted.who,
            wanted.command,
            wanted.door,
            wanted.since,
            wanted.until,
            wanted.failed,
            most
        ],
        |row| {
            let act = Act {
                seq: id(row, 0)?,
                at: row.get(1)?,
                door: row.get(2)?,
                who: row.get(3)?,
                peer: row.get(4)?,
                command: row.get(5)?,
                args: Value::Null,
                result: row.get(7)?,
            };
            Ok((act, row.get::<_, String>(6)?))
        },
    )?;
    let whole = |(act, args): (Act, String)| {
        let damaged = |why| StoreError::Damaged(format!("act {} of the audit log: {why}", act.seq));
        let args = serde_json::from_str(&args).map_err(damaged)?;
        Ok(Act { args, ..act })
    };
    rows.into_iter().map(whole).collect()
}

#[cfg(test)]
mod tests {
    use drftpd_actors::{Clock, Dice};

    use super::*;
    use crate::store::{Case, Store, StoreConfig};

    #[test]
    fn each_new_row_takes_some_away_whose_time_is_over() {
        let dir = tempfile::TempDir::new().unwrap();
        let (clock, dice) = (Clock::manual(0), Dice::seeded(1));
        let config = StoreConfig::DEFAULT;
        let store = Store::inline(dir.path(), &config, Case::Sensitive, &clock, &dice).unwrap();
        let act = |at: i64, keep: u64| {
            let begun = Begun {
                at,
                keep: Duration::from_secs(keep),
                door: "socket",
                who: "owner".to_owned(),
                peer: None,
                command: "kick",
                args: "{}".to_owned(),
            };
            let seq = drftpd_actors::block_on(store.change(begun))
                .unwrap()
                .unwrap();
            let all = store.read(|sql| newest(sql, &Wanted::default(), 1_000));
            (seq, all.unwrap().len())
        };
        for at in 0..150 {
            assert_eq!(
                act(at, 0),
                (at.unsigned_abs() + 1, at.unsigned_abs() as usize + 1)
            );
        }
        assert_eq!(act(200, 100), (151, 51));
        assert_eq!(act(245, 100), (152, 7));
        assert_eq!(act(9_999, 100), (153, 2), "the newest of before stays");
        assert_eq!(act(9_999, 100), (154, 2));
    }

    #[test]
    fn long_texts_are_cut_between_letters() {
        assert_eq!(cut("short".to_owned(), 5), "short");
        assert_eq!(cut("aä".to_owned(), 2), "a…");
        assert_eq!(cut("ää".to_owned(), 2), "ä…");
    }
}
