//! The tables of accounts in the store: what is read of them. What changes them is in [`super::edit`].

use std::net::IpAddr;

use drftpd_protocol::VfsPath;

use super::limits::{Limit, Limits};
use super::ratio::Ratio;
use super::types::Account;
use crate::outbox::{Event, Outbox};
use crate::store::{Batch, Command, Row, Sql, StoreError, params};

/// An account as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// What sessions see.
    pub account: Account,
    /// argon2id in PHC form, or one of [`super::legacy`]; without it nobody can log in, but as somebody anonymous.
    pub password: Option<String>,
    /// Switched off by an operator.
    pub disabled: bool,
    /// Since when, Unix seconds.
    pub created: i64,
    /// By whom; empty: nobody knows.
    pub created_by: String,
    /// Why it was deleted.
    pub deleted_why: Option<String>,
    /// Until when it is banned, and why.
    pub banned: Option<(i64, String)>,
    /// Until when it can be used.
    pub expires: Option<i64>,
    /// SHA-256 of the certificate that its client must show.
    pub certificate: Option<Vec<u8>>,
    /// From where it may be used; empty: no mask.
    pub masks: Vec<String>,
    /// Bytes that may be taken.
    pub credits: i64,
    /// What credits are set to each week; 0: nothing.
    pub allotment: i64,
    /// What its user says of themselves.
    pub tagline: String,
    /// What operators say.
    pub comment: String,
    /// When somebody last logged in.
    pub seen: Option<i64>,
    /// How often.
    pub logins: i64,
}

impl Stored {
    /// A new one.
    pub fn new(account: Account, password: Option<String>, created: i64) -> Self {
        Self {
            account,
            password,
            disabled: false,
            created,
            created_by: String::new(),
            deleted_why: None,
            banned: None,
            expires: None,
            certificate: None,
            masks: Vec::new(),
            credits: 0,
            allotment: 0,
            tagline: String::new(),
            comment: String::new(),
            seen: None,
            logins: 0,
        }
    }

    /// Whether there is a password that lets somebody in.
    pub fn can_log_in(&self) -> bool {
        let has_way = self.password.is_some() || self.account.anonymous;
        !self.disabled && !self.account.deleted && has_way
    }

    /// Why somebody who has proved to be that does not get in, or does not stay.
    pub fn shut_out(&self, now: i64) -> Option<String> {
        if let Some((_, why)) = self.banned.as_ref().filter(|(until, _)| now < *until) {
            return Some(match why.as_str() {
                "" => "You are banned for a while".to_owned(),
                why => format!("You are banned for a while: {why}"),
            });
        }
        let expired = self.expires.is_some_and(|until| until <= now);
        expired.then(|| "Your account has expired".to_owned())
    }
}

/// How many accounts need a certificate of their own beside the password.
///
/// # Errors
/// When the store failed.
pub fn need_certificate(sql: &Sql<'_>) -> Result<usize, StoreError> {
    let text = "SELECT count(*) FROM account WHERE certificate IS NOT NULL AND deleted IS NULL";
    let count: Option<i64> = sql.get(text, [], |row| row.get(0))?;
    Ok(count.unwrap_or(0).unsigned_abs() as usize)
}

const COLUMNS: &str = "name, grp, password, admin, home, disabled, created, deleted, deleted_why, banned, banned_why,
    expires, must_change, anonymous, jail, certificate, ratio, credits, allotment, tagline, comment, created_by, seen, logins";

/// What stands in the row of an account itself.
fn row(row: &Row<'_>) -> rusqlite::Result<(Vec<u8>, Stored)> {
    let account = Account {
        name: row.get(0)?,
        group: row.get(1)?,
        groups: Vec::new(),
        administers: Vec::new(),
        deleted: row.get::<_, Option<i64>>(7)?.is_some(),
        admin: row.get(3)?,
        fxp: false,
        overwrite: false,
        home: VfsPath::root(),
        jail: row.get(14)?,
        must_change: row.get(12)?,
        anonymous: row.get(13)?,
        ratio: Ratio::from_column(row.get(16)?),
        limits: Limits::default(),
        group_limits: Vec::new(),
    };
    let banned: Option<i64> = row.get(9)?;
    let banned_why: Option<String> = row.get(10)?;
    let stored = Stored {
        account,
        password: row.get(2)?,
        disabled: row.get(5)?,
        created: row.get(6)?,
        created_by: row.get(21)?,
        deleted_why: row.get(8)?,
        banned: banned.map(|until| (until, banned_why.unwrap_or_default())),
        expires: row.get(11)?,
        certificate: row.get(15)?,
        masks: Vec::new(),
        credits: row.get(17)?,
        allotment: row.get(18)?,
        tagline: row.get(19)?,
        comment: row.get(20)?,
        seen: row.get(22)?,
        logins: row.get(23)?,
    };
    Ok((row.get(4)?, stored))
}

fn with_home((home, mut stored): (Vec<u8>, Stored)) -> Result<Stored, StoreError> {
    let damaged = |_| StoreError::Damaged(format!("the home of account {}", stored.account.name));
    stored.account.home = VfsPath::root().resolve(&home).map_err(damaged)?;
    Ok(stored)
}

/// An account by its name, which is compared byte for byte.
///
/// # Errors
/// When the database fails, or holds what cannot be.
pub fn find(sql: &Sql<'_>, name: &str) -> Result<Option<Stored>, StoreError> {
    let text = format!("SELECT {COLUMNS} FROM account WHERE name = ?1");
    let Some(found) = sql.get(&text, [name], row)? else {
        return Ok(None);
    };
    let mut stored = with_home(found)?;
    let texts = |text: &str| sql.all(text, [name], |row| row.get(0));
    let account = &mut stored.account;
    account.groups = texts("SELECT grp FROM member WHERE account = ?1 ORDER BY grp")?;
    account.administers = texts("SELECT grp FROM grp_admin WHERE account = ?1 ORDER BY grp")?;
    let text = "SELECT what, value FROM account_limit WHERE account = ?1";
    account.limits = limits(sql, text, name)?;
    let of_groups = std::iter::once(&account.group).chain(&account.groups);
    let mut group_limits = Vec::new();
    for group in of_groups {
        let limits = self::group_limits(sql, group)?;
        if !limits.is_empty() {
            group_limits.push((group.clone(), limits));
        }
    }
    account.group_limits = group_limits;
    stored.masks = texts("SELECT mask FROM mask WHERE account = ?1 ORDER BY added, mask")?;
    Ok(Some(stored))
}

/// The limits of a group.
///
/// # Errors
/// When the database fails.
pub fn group_limits(sql: &Sql<'_>, group: &str) -> Result<Limits, StoreError> {
    limits(
        sql,
        "SELECT what, value FROM grp_limit WHERE grp = ?1",
        group,
    )
}

/// What a newer version calls otherwise is passed over.
fn limits(sql: &Sql<'_>, text: &str, of: &str) -> Result<Limits, StoreError> {
    let mut limits = Limits::default();
    sql.each(text, [of], |row| {
        let what: String = row.get(0)?;
        let value: i64 = row.get(1)?;
        if let (Some(limit), Ok(value)) = (Limit::of_name(&what), u64::try_from(value)) {
            limits.set(limit, value);
        }
        Ok::<_, StoreError>(())
    })?;
    Ok(limits)
}

/// Every account as its row says, by name: without masks and limits, but with its groups.
///
/// # Errors
/// When the database fails, or holds what cannot be.
pub fn all(sql: &Sql<'_>) -> Result<Vec<Stored>, StoreError> {
    let text = format!("SELECT {COLUMNS} FROM account ORDER BY name");
    let rows = sql.all(&text, [], row)?;
    let mut all: Vec<Stored> = rows.into_iter().map(with_home).collect::<Result<_, _>>()?;
    let text = "SELECT account, grp FROM member ORDER BY account, grp";
    sql.each(text, [], |row| {
        let (name, group): (String, String) = (row.get(0)?, row.get(1)?);
        if let Ok(at) = all.binary_search_by(|it| it.account.name.cmp(&name)) {
            all[at].account.groups.push(group);
        }
        Ok::<_, StoreError>(())
    })?;
    Ok(all)
}

/// An operator of the site who can log in: `name` if that is one, else the oldest.
///
/// # Errors
/// When the database fails.
pub fn administrator(sql: &Sql<'_>, name: &str) -> Result<Option<String>, StoreError> {
    let text = "SELECT name FROM account
        WHERE admin <> 0 AND disabled = 0 AND password IS NOT NULL AND deleted IS NULL
        ORDER BY name <> ?1, created, name LIMIT 1";
    sql.get(text, [name], |row| row.get(0))
}

/// Makes an account, if there is none of that name yet; answers whether it did.
#[derive(Debug)]
pub struct AddAccount(pub Stored);

impl Command for AddAccount {
    type Answer = bool;
    type Error = StoreError;

    fn apply(self, batch: &Batch<'_>) -> Result<bool, StoreError> {
        let name = &self.0.account.name;
        let text = "SELECT 1 FROM account WHERE name = ?1";
        if batch.get(text, [name], |_| Ok(()))?.is_some() {
            return Ok(false);
        }
        insert(batch, &self.0)?;
        Ok(true)
    }
}

/// Writes a new account with all that belongs to it; its primary group is made where it is not there.
///
/// # Errors
/// When the database fails.
pub fn insert(batch: &Batch<'_>, stored: &Stored) -> Result<(), StoreError> {
    let account = &stored.account;
    let sql = "INSERT INTO grp VALUES (?1, ?2, 0, 0, 0, 0) ON CONFLICT DO NOTHING";
    batch.run(sql, params![account.group, stored.created])?;
    let sql = "INSERT INTO account (name, grp, password, admin, home, disabled, created, must_change, anonymous, jail,
        ratio, credits, created_by) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
    batch.run(
        sql,
        params![
            account.name,
            account.group,
            stored.password,
            account.admin,
            account.home.to_bytes(),
            stored.disabled,
            stored.created,
            account.must_change,
            account.anonymous,
            account.jail,
            account.ratio.0,
            stored.credits,
            stored.created_by,
        ],
    )?;
    for group in &account.groups {
        let sql = "INSERT INTO member (account, grp) VALUES (?1, ?2)";
        batch.run(sql, params![account.name, group])?;
    }
    for mask in &stored.masks {
        let sql =
            "INSERT INTO mask (account, mask, added) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
        batch.run(sql, params![account.name, mask, stored.created])?;
    }
    Ok(())
}

/// Stores another hash of the same password, unless the password was changed meanwhile.
#[derive(Debug)]
pub struct RenewHash {
    /// Whose.
    pub name: String,
    /// The hash that was there.
    pub old: String,
    /// The hash that follows it.
    pub new: String,
}

impl Command for RenewHash {
    type Answer = ();
    type Error = StoreError;

    fn apply(self, batch: &Batch<'_>) -> Result<(), StoreError> {
        let sql = "UPDATE account SET password = ?3 WHERE name = ?1 AND password = ?2";
        batch.run(sql, params![self.name, self.old, self.new])?;
        Ok(())
    }
}

/// Notes a login.
pub struct Seen {
    /// Whose.
    pub name: String,
    /// When, Unix seconds.
    pub at: i64,
    /// From where.
    pub from: IpAddr,
    /// Is told.
    pub outbox: Outbox,
}

impl Command for Seen {
    type Answer = ();
    type Error = StoreError;

    fn is_unheard(&self) -> bool {
        true
    }

    fn apply(self, batch: &Batch<'_>) -> Result<(), StoreError> {
        let sql = "UPDATE account SET seen = ?2, logins = logins + 1 WHERE name = ?1";
        batch.run(sql, params![self.name, self.at])?;
        let (user, client) = (self.name, self.from);
        let event = || Ok::<_, StoreError>(Event::LoggedIn { user, client });
        self.outbox.note(batch, self.at, event)
    }
}
