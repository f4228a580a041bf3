//! The tables, and how an older store becomes a newer one.
//!
//! A change of the tables is one more entry of [`MIGRATIONS`]; entries are never edited. A table or
//! column that is added must also stand in [`TABLES`], so that dumps hold it (a test compares); what is made from others
//! (`search…`, `owned`) is not dumped.

use rusqlite::Connection;

use super::error::StoreError;

mod audit;
mod brought;
mod credits;
mod disk;
mod messages;
mod tables;

use audit::V19;
pub(super) use brought::BROUGHT;
use credits::V17;
use disk::V18;
use messages::V20;
pub(super) use tables::{Holds, TABLES, Table};

/// What brings a store from the version that is its index to the next one.
pub(super) const MIGRATIONS: &[&str] = &[
    V1, V2, V3, V4, V5, V6, V7, V8, V9, V10, V11, V12, V13, V14, V15, V16, V17, V18, V19, V20,
];

const V1: &str = "
-- Facts about the store itself: its identity, epoch, which names are the same.
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- Every start of the master with the greatest counter that was stored: which identities are ours.
CREATE TABLE incarnation (n INTEGER PRIMARY KEY, issued INTEGER NOT NULL) STRICT;

-- The tree. `key` is the name, folded where case does not count; `name` only where it differs.
-- size and files of a directory: of all complete files below it.
CREATE TABLE node (
    parent INTEGER NOT NULL,
    key BLOB NOT NULL,
    id INTEGER NOT NULL,
    kind INTEGER NOT NULL,          -- 0 directory, 1 file, 2 link
    state INTEGER NOT NULL,         -- 0 uploading, 1 partial, 2 complete
    generation INTEGER NOT NULL,
    size INTEGER NOT NULL,
    files INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    mode INTEGER NOT NULL,
    crc32 INTEGER,
    owner TEXT NOT NULL,
    grp TEXT NOT NULL,
    name BLOB,
    target BLOB,
    blake3 BLOB,
    PRIMARY KEY (parent, key)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX node_id ON node (id);
INSERT INTO node (parent, key, id, kind, state, generation, size, files, modified, mode, owner, grp)
    VALUES (0, x'', 1, 0, 2, 0, 0, 0, 0, 493, 'drftpd', 'drftpd');

-- Uploads that run, or broke off: one per node.
CREATE TABLE upload (
    node INTEGER PRIMARY KEY,
    generation INTEGER NOT NULL,
    root INTEGER NOT NULL,
    state INTEGER NOT NULL,         -- 0 runs, 1 partial, 2 its master went away: bytes unknown
    size INTEGER NOT NULL,          -- bytes that are kept, of a partial one
    since INTEGER NOT NULL,
    owner TEXT,                     -- of an overwrite that changes them
    grp TEXT
) STRICT;
CREATE INDEX upload_since ON upload (since) WHERE state <> 0;

-- Storage folders. `newest` is the last position of the log, `done` what the disk has followed.
CREATE TABLE root (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    slave TEXT NOT NULL,
    state INTEGER NOT NULL,         -- 0 in use, 1 held, 2 retired
    newest INTEGER NOT NULL,
    done INTEGER NOT NULL,
    shown INTEGER NOT NULL
) STRICT;

-- Which root holds the current generation of which file.
CREATE TABLE copy (
    node INTEGER NOT NULL,
    root INTEGER NOT NULL,
    state INTEGER NOT NULL,         -- 0 good, 1 corrupt: set aside, not served
    PRIMARY KEY (node, root)
) STRICT, WITHOUT ROWID;

-- Directories that a root has, or had, something at or below of; a directory's own ancestors are
-- always here too. digest: sum modulo 2^128 (little-endian) over the copies in it; touched: the
-- position of the log that last changed it.
CREATE TABLE root_dir (
    dir INTEGER NOT NULL,
    root INTEGER NOT NULL,
    digest BLOB NOT NULL,
    touched INTEGER NOT NULL,
    PRIMARY KEY (dir, root)
) STRICT, WITHOUT ROWID;

-- What each root must still do, in order; op is MessagePack.
CREATE TABLE root_log (
    root INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    op BLOB NOT NULL,
    PRIMARY KEY (root, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE account (
    name TEXT PRIMARY KEY,
    grp TEXT NOT NULL,
    password TEXT,                  -- argon2id in PHC form; none: cannot log in
    admin INTEGER NOT NULL,
    home BLOB NOT NULL,
    disabled INTEGER NOT NULL,
    created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE slave (
    name TEXT PRIMARY KEY,
    certificate BLOB,               -- DER of the last one given out
    joined INTEGER NOT NULL,
    revoked INTEGER                 -- since when
) STRICT, WITHOUT ROWID;

CREATE TABLE slave_token (
    hash BLOB PRIMARY KEY,          -- SHA-256 of the secret half
    slave TEXT NOT NULL,
    expires INTEGER NOT NULL,
    used INTEGER
) STRICT, WITHOUT ROWID;
";

const V2: &str = "
-- Of a directory: how much deeper, in names, and longer, in bytes of path, directories below it are
-- at most. A store that was made without knows nothing, so: as much as can be.
ALTER TABLE node ADD COLUMN deep INTEGER NOT NULL DEFAULT 128;
ALTER TABLE node ADD COLUMN long INTEGER NOT NULL DEFAULT 4096;
";

const V3: &str = "
-- When an entry was made, as far as is known: of older entries not before they were last changed.
ALTER TABLE node ADD COLUMN created INTEGER NOT NULL DEFAULT 0;
UPDATE node SET created = modified;
";

const V4: &str = "
-- Copies that a walk did not find have state 2 (missing), since then.
ALTER TABLE copy ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
-- Of a root that is held: how many copies its walk missed. Once an operator has confirmed that: how many its
-- next walk may miss and be believed.
ALTER TABLE root ADD COLUMN missing INTEGER NOT NULL DEFAULT 0;
-- The position of the log that last moved the directory itself.
ALTER TABLE root_dir ADD COLUMN placed INTEGER NOT NULL DEFAULT 0;
";

const V5: &str = "
-- How many walks of a root were begun.
ALTER TABLE root ADD COLUMN walks INTEGER NOT NULL DEFAULT 0;

-- What lies on disks and is not in the tree, and stays as it is until an operator decides. The site is in recovery as
-- long as there is any of why 0.
CREATE TABLE difference (
    root INTEGER NOT NULL,
    path BLOB NOT NULL,             -- below the root, as it lies there
    why INTEGER NOT NULL,           -- 0 identity of another store, 1 in quarantine, 2 not in the tree any more
    node INTEGER NOT NULL,          -- its identity; 0 without
    generation INTEGER NOT NULL,
    size INTEGER NOT NULL,
    walk INTEGER NOT NULL,          -- the last one that saw it
    PRIMARY KEY (root, path)
) STRICT, WITHOUT ROWID;
CREATE INDEX difference_unknown ON difference (root) WHERE why = 0;
";

const V6: &str = "
-- Files whose copies are to be looked at. asked counts the reasons; tries, since the last success.
CREATE TABLE copy_job (
    node INTEGER PRIMARY KEY,
    asked INTEGER NOT NULL,
    since INTEGER NOT NULL,
    due INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    why TEXT
) STRICT;
CREATE INDEX copy_job_due ON copy_job (due, node);
";

const V7: &str = "
-- Since when a slave takes no new files, and since when it is worked on.
ALTER TABLE slave ADD COLUMN drained INTEGER;
ALTER TABLE slave ADD COLUMN maintenance INTEGER;
";

const V8: &str = "
-- Reading copies again (copies that were found to be damaged have state 3, since then): one row for each root, and one
-- for each directory or file of which it was asked for. state: 0 waits for its time, 1 runs; began: the last one, or
-- since when the root is known; ended: the last that came to its end; at: the last file that was read.
CREATE TABLE scrub_pass (
    root INTEGER NOT NULL,
    below INTEGER NOT NULL,         -- 1: everything
    state INTEGER NOT NULL,
    began INTEGER NOT NULL,
    ended INTEGER,
    at INTEGER NOT NULL,
    files INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    damaged INTEGER NOT NULL,
    PRIMARY KEY (root, below)
) STRICT, WITHOUT ROWID;

-- What reading again has found, in that order.
CREATE TABLE scrub_finding (
    id INTEGER PRIMARY KEY,
    root INTEGER NOT NULL,
    node INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    since INTEGER NOT NULL,
    path BLOB NOT NULL,             -- where it was then
    why TEXT NOT NULL
) STRICT;
";

const V9: &str = "
-- Since when what a slave holds is to be held by others.
ALTER TABLE slave ADD COLUMN evacuated INTEGER;
";

const V10: &str = "
-- People. Of an account: ratio in thousandths (0: downloads are free); credits and allotment (what credits are set to
-- each week; 0: nothing is set) in bytes; banned is until when; certificate: SHA-256 of the one that the client must show.
ALTER TABLE account ADD COLUMN deleted INTEGER;
ALTER TABLE account ADD COLUMN deleted_why TEXT;
ALTER TABLE account ADD COLUMN banned INTEGER;
ALTER TABLE account ADD COLUMN banned_why TEXT;
ALTER TABLE account ADD COLUMN expires INTEGER;
ALTER TABLE account ADD COLUMN must_change INTEGER NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN anonymous INTEGER NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN jail INTEGER NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN certificate BLOB;
ALTER TABLE account ADD COLUMN ratio INTEGER NOT NULL DEFAULT 3000;
ALTER TABLE account ADD COLUMN credits INTEGER NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN allotment INTEGER NOT NULL DEFAULT 0;
ALTER TABLE account ADD COLUMN tagline TEXT NOT NULL DEFAULT '';
ALTER TABLE account ADD COLUMN comment TEXT NOT NULL DEFAULT '';
ALTER TABLE account ADD COLUMN created_by TEXT NOT NULL DEFAULT '';
ALTER TABLE account ADD COLUMN seen INTEGER;
ALTER TABLE account ADD COLUMN logins INTEGER NOT NULL DEFAULT 0;
CREATE INDEX account_grp ON account (grp);

-- slots: users that its administrators may have in it, and how many of them with ratio 0; others between the two ratios.
CREATE TABLE grp (
    name TEXT PRIMARY KEY,
    created INTEGER NOT NULL,
    slots INTEGER NOT NULL,
    leech_slots INTEGER NOT NULL,
    least_ratio INTEGER NOT NULL,
    most_ratio INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO grp SELECT grp, min(created), 0, 0, 0, 0 FROM account GROUP BY grp;

-- Groups beside the one in the account.
CREATE TABLE member (
    account TEXT NOT NULL,
    grp TEXT NOT NULL,
    PRIMARY KEY (account, grp)
) STRICT, WITHOUT ROWID;
CREATE INDEX member_grp ON member (grp);

CREATE TABLE grp_admin (
    account TEXT NOT NULL,
    grp TEXT NOT NULL,
    PRIMARY KEY (account, grp)
) STRICT, WITHOUT ROWID;
CREATE INDEX grp_admin_grp ON grp_admin (grp);

-- From where somebody may log in: ident@address, in the form that is compared.
CREATE TABLE mask (
    account TEXT NOT NULL,
    mask TEXT NOT NULL,
    added INTEGER NOT NULL,
    PRIMARY KEY (account, mask)
) STRICT, WITHOUT ROWID;

-- Limits of accounts and of groups, by name; those that are not here do not hold.
CREATE TABLE account_limit (
    account TEXT NOT NULL,
    what TEXT NOT NULL,
    value INTEGER NOT NULL,
    PRIMARY KEY (account, what)
) STRICT, WITHOUT ROWID;
CREATE TABLE grp_limit (
    grp TEXT NOT NULL,
    what TEXT NOT NULL,
    value INTEGER NOT NULL,
    PRIMARY KEY (grp, what)
) STRICT, WITHOUT ROWID;

-- What operators wrote about somebody.
CREATE TABLE account_note (
    account TEXT NOT NULL,
    n INTEGER NOT NULL,
    written INTEGER NOT NULL,
    author TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (account, n)
) STRICT, WITHOUT ROWID;

-- Networks that may not connect; without until: for ever.
CREATE TABLE network_ban (
    network TEXT PRIMARY KEY,
    since INTEGER NOT NULL,
    until INTEGER,
    author TEXT NOT NULL,
    why TEXT NOT NULL
) STRICT, WITHOUT ROWID;
";

const V11: &str = "
-- Tokens of the HTTP API; of the secret only a hash (BLAKE3) is kept.
CREATE TABLE api_token (
    name TEXT PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    scopes TEXT NOT NULL,           -- words with commas between
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    used INTEGER,                   -- roughly when for the last time
    creator TEXT NOT NULL
) STRICT, WITHOUT ROWID;
";

const V12: &str = "
-- Bytes that somebody moved in a day (period 0), week (1), month (2), since its begin; only the last one of each.
CREATE TABLE account_moved (
    account TEXT NOT NULL,
    period INTEGER NOT NULL,
    since INTEGER NOT NULL,
    up INTEGER NOT NULL,
    down INTEGER NOT NULL,
    PRIMARY KEY (account, period)
) STRICT, WITHOUT ROWID;
";

const V13: &str = "
-- What has happened and is still to be told, in that order; body: JSON. After: the last one that a reader has.
CREATE TABLE outbox (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, body TEXT NOT NULL) STRICT;
CREATE TABLE outbox_reader (name TEXT PRIMARY KEY, after INTEGER NOT NULL) STRICT, WITHOUT ROWID;
";

const V14: &str = "
-- What plugins keep, each by keys of its own; value: JSON.
CREATE TABLE plugin_row (
    plugin TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (plugin, key)
) STRICT, WITHOUT ROWID;
";

const V15: &str = "
-- Every act that changes something; args: JSON. Rows are only added, and the result is set once: nothing while it runs.
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    door TEXT NOT NULL,             -- socket, store, site, api
    who TEXT NOT NULL,
    peer TEXT,
    command TEXT NOT NULL,
    args TEXT NOT NULL,
    result TEXT
) STRICT;
CREATE TRIGGER audit_stays BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
CREATE TRIGGER audit_once BEFORE UPDATE ON audit
    WHEN OLD.result IS NOT NULL OR (NEW.seq, NEW.at, NEW.door, NEW.who, NEW.peer, NEW.command, NEW.args)
        IS NOT (OLD.seq, OLD.at, OLD.door, OLD.who, OLD.peer, OLD.command, OLD.args)
    BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
";

const V16: &str = "
-- Entries whose names are to come into the index, in that order, and the index: words and numbers of entries alone.
CREATE TABLE search_queue (seq INTEGER PRIMARY KEY, node INTEGER NOT NULL) STRICT;
CREATE VIRTUAL TABLE search USING fts5 (
    words, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii'
);
-- The newest directories of one.
CREATE INDEX node_new ON node (parent, created) WHERE kind = 0;
";

/// Brings the tables to this version's.
///
/// # Errors
/// When the store is of a newer version, or the database fails.
pub(super) fn migrate(conn: &mut Connection) -> Result<(), StoreError> {
    let version: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if version > known {
        let why = format!("it is of version {version}, this program knows {known}");
        return Err(StoreError::Unusable(why));
    }
    let done = usize::try_from(version).unwrap_or(0);
    for (at, step) in MIGRATIONS.iter().enumerate().skip(done) {
        let tx = conn.transaction()?;
        tx.execute_batch(step)?;
        tx.execute_batch(&format!("PRAGMA user_version = {}", at + 1))?;
        tx.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
