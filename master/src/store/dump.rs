//! The whole store as JSON lines: backup, migration and test fixture in one.
//!
//! The first line says what it is, the last one how many lines there are; between them one row a
//! line, of one snapshot. A loaded store is another instance of a higher epoch: slaves will not
//! obey the old one beside it.

use std::io::{BufRead, Write};
use std::path::Path;

use drftpd_actors::{Clock, Dice};
use drftpd_protocol::Epoch;
use rusqlite::Connection;
use serde_json::{Value, json};

use super::config::{Case, StoreConfig};
use super::engine::Store;
use super::error::StoreError;
use super::jsonl;
use super::open::{FORMAT, Identity, connect, fact, lock, write_facts};
use super::schema::{BROUGHT, MIGRATIONS, TABLES, Table};

/// What a dump was loaded into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loaded {
    /// The new store.
    pub identity: Identity,
    /// Rows in it.
    pub rows: u64,
}

/// Writes the store out; answers how many rows.
///
/// # Errors
/// When the store or the writer fails.
pub fn dump(store: &Store, out: &mut dyn Write) -> Result<u64, StoreError> {
    store.read(|sql| {
        let sql_last = "SELECT coalesce(max(n), 0) FROM incarnation";
        let last = sql.get(sql_last, [], |row| row.get::<_, i64>(0))?;
        let identity = store.identity();
        let header = json!({ "drftpd": {
            "format": FORMAT,
            "version": MIGRATIONS.len(),
            "case": store.case().as_str(),
            "store": identity.store.to_string(),
            "epoch": identity.epoch.0,
            "incarnation": last.unwrap_or(0),
        }});
        line(out, &header)?;
        let mut rows = 0;
        for table in TABLES {
            sql.each(&select(table), [], |row| {
                rows += 1;
                line(out, &jsonl::write(table, row)?)
            })?;
        }
        line(out, &json!({ "end": { "rows": rows } }))?;
        out.flush()?;
        Ok(rows)
    })
}

fn line(out: &mut dyn Write, value: &Value) -> Result<(), StoreError> {
    Ok(writeln!(out, "{value}")?)
}

fn select(table: &Table) -> String {
    let columns: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
    // Starts that gave nothing out are no facts; the header has the last one.
    let only = match table.name {
        "incarnation" => "WHERE issued > 0",
        _ => "",
    };
    let (columns, name, key) = (columns.join(", "), table.name, table.key);
    format!("SELECT {columns} FROM {name} {only} ORDER BY {key}")
}

/// Makes a store from a dump of this version or an older one, in a folder without one, or with one that has nothing in it.
///
/// # Errors
/// [`StoreError::Unusable`] names the line that cannot be taken; nothing was loaded then.
pub fn load(
    folder: &Path,
    config: &StoreConfig,
    input: &mut dyn BufRead,
    clock: &Clock,
    dice: &Dice,
) -> Result<Loaded, StoreError> {
    let _lock = lock(folder)?;
    let mut conn = connect(folder, config)?;
    if !is_empty(&conn)? {
        return Err(StoreError::Unusable("it is not empty".into()));
    }
    let known = fact(&conn, "epoch")?.and_then(|epoch| epoch.parse::<u64>().ok());
    let tx = conn.transaction()?;
    tx.execute("DELETE FROM node", [])?;
    let mut lines = Lines { input, number: 0 };
    let header = Header::read(&mut lines)?;
    let rows = load_rows(&tx, &mut lines, header.version)?;
    for brought in BROUGHT.iter().filter(|it| it.version > header.version) {
        tx.execute_batch(brought.fill)?;
    }
    tx.execute(
        "INSERT INTO incarnation (n, issued) VALUES (?1, 0) ON CONFLICT (n) DO NOTHING",
        [header.incarnation],
    )?;
    tx.execute(
        "INSERT INTO meta (key, value) VALUES ('loaded', ?1)",
        [header.incarnation.to_string()],
    )?;
    let now = u64::try_from(clock.unix()).unwrap_or(0);
    let epoch = header.epoch.max(known.unwrap_or(0)).max(now) + 1;
    let store = write_facts(&tx, header.case, epoch, dice)?;
    let roots = "SELECT count(*) FROM node WHERE id = 1 AND parent = 0 AND kind = 0";
    if tx.query_row(roots, [], |row| row.get::<_, i64>(0))? != 1 {
        return Err(StoreError::Unusable("it has no root directory".into()));
    }
    tx.commit()?;
    Ok(Loaded {
        identity: Identity {
            store,
            epoch: Epoch(epoch),
        },
        rows,
    })
}

/// Whether nothing was ever kept here.
fn is_empty(conn: &Connection) -> Result<bool, StoreError> {
    for table in TABLES {
        let only = match table.name {
            "incarnation" => "WHERE issued > 0",
            "node" => "WHERE id <> 1",
            _ => "",
        };
        let sql = format!("SELECT count(*) FROM {} {only}", table.name);
        if conn.query_row(&sql, [], |row| row.get::<_, i64>(0))? > 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

struct Lines<'a> {
    input: &'a mut dyn BufRead,
    number: u64,
}

impl Lines<'_> {
    /// The one thing a line says: its name and its value.
    fn next(&mut self) -> Result<(String, Value), StoreError> {
        let mut text = String::new();
        self.number += 1;
        if self.input.read_line(&mut text)? == 0 {
            return Err(self.wrong("the dump ends before its end"));
        }
        let value: Value = serde_json::from_str(&text).map_err(|why| self.wrong(why))?;
        let Value::Object(object) = value else {
            return Err(self.wrong("is no object"));
        };
        let mut all = object.into_iter();
        match (all.next(), all.next()) {
            (Some(only), None) => Ok(only),
            _ => Err(self.wrong("must hold one thing")),
        }
    }

    fn wrong(&self, why: impl std::fmt::Display) -> StoreError {
        StoreError::Unusable(format!("line {}: {why}", self.number))
    }
}

struct Header {
    version: u64,
    case: Case,
    epoch: u64,
    incarnation: i64,
}

impl Header {
    fn read(lines: &mut Lines<'_>) -> Result<Self, StoreError> {
        let (name, value) = lines.next()?;
        let number = |key: &str| value.get(key).and_then(Value::as_u64);
        let newest = u64::try_from(MIGRATIONS.len()).unwrap_or(u64::MAX);
        let version = number("version").filter(|version| (1..=newest).contains(version));
        let known = name == "drftpd" && number("format") == Some(FORMAT);
        let Some(version) = version.filter(|_| known) else {
            return Err(lines.wrong("is not the header of a dump of this version or an older one"));
        };
        let case = value.get("case").and_then(Value::as_str);
        let case = case.and_then(Case::from_text);
        let incarnation = number("incarnation").and_then(|n| i64::try_from(n).ok());
        match (case, number("epoch"), incarnation) {
            (Some(case), Some(epoch), Some(incarnation)) => Ok(Self {
                version,
                case,
                epoch,
                incarnation,
            }),
            _ => Err(lines.wrong("lacks case, epoch or incarnation")),
        }
    }
}

/// Takes rows up to the end that says how many there should be.
fn load_rows(conn: &Connection, lines: &mut Lines<'_>, version: u64) -> Result<u64, StoreError> {
    let tables: Vec<Table> = TABLES.iter().map(|it| it.of_version(version)).collect();
    let mut rows = 0;
    loop {
        let (name, value) = lines.next()?;
        if name == "end" {
            let all = value.get("rows").and_then(Value::as_u64) == Some(rows);
            return match all {
                true => Ok(rows),
                false => Err(lines.wrong("the number of rows is another")),
            };
        }
        let table = tables.iter().find(|table| table.name == name);
        let table = table.ok_or_else(|| lines.wrong("is of no table"))?;
        let cells = value
            .as_object()
            .ok_or_else(|| lines.wrong("holds no row"))?;
        let cells = jsonl::read(table, cells).map_err(|why| lines.wrong(why))?;
        let mut insert = conn.prepare_cached(&insert(table))?;
        let done = insert.execute(rusqlite::params_from_iter(cells));
        done.map_err(|why| lines.wrong(why))?;
        rows += 1;
    }
}

fn insert(table: &Table) -> String {
    let columns: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
    let marks = vec!["?"; columns.len()].join(", ");
    let (verb, columns) = (
        match table.name {
            // A start of the empty store may have the same number.
            "incarnation" => "INSERT OR REPLACE",
            _ => "INSERT",
        },
        columns.join(", "),
    );
    format!("{verb} INTO {} ({columns}) VALUES ({marks})", table.name)
}

#[cfg(test)]
mod tests;
