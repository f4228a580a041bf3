//! The table of accounts in the store: what is read of it, and the commands that change it.

use drftpd_protocol::VfsPath;

use super::types::Account;
use crate::store::{Batch, Command, Sql, StoreError, params};

/// An account as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// What sessions see.
    pub account: Account,
    /// argon2id in PHC form; without it nobody can log in.
    pub password: Option<String>,
    /// Switched off by an operator.
    pub disabled: bool,
    /// Since when, Unix seconds.
    pub created: i64,
}

impl Stored {
    /// Whether there is a password that lets somebody in.
    pub fn can_log_in(&self) -> bool {
        !self.disabled && !self.account.deleted && self.password.is_some()
    }
}

/// An account by its name, which is compared byte for byte.
///
/// # Errors
/// When the database fails, or holds what cannot be.
pub fn find(sql: &Sql<'_>, name: &str) -> Result<Option<Stored>, StoreError> {
    let text = "SELECT grp, password, admin, home, disabled, created, deleted FROM account WHERE name = ?1";
    let found = sql.get(text, [name], |row| {
        let home: Vec<u8> = row.get(3)?;
        Ok((
            home,
            Stored {
                account: Account {
                    name: name.to_owned(),
                    group: row.get(0)?,
                    groups: Vec::new(),
                    deleted: row.get::<_, Option<i64>>(6)?.is_some(),
                    admin: row.get(2)?,
                    fxp: false,
                    overwrite: false,
                    home: VfsPath::root(),
                },
                password: row.get(1)?,
                disabled: row.get(4)?,
                created: row.get(5)?,
            },
        ))
    })?;
    let Some((home, mut stored)) = found else {
        return Ok(None);
    };
    let damaged = |_| StoreError::Damaged(format!("the home of account {name}"));
    let text = "SELECT grp FROM member WHERE account = ?1 ORDER BY grp";
    stored.account.groups = sql.all(text, [name], |row| row.get(0))?;
    stored.account.home = VfsPath::root().resolve(&home).map_err(damaged)?;
    Ok(Some(stored))
}

/// An operator of the site who can log in: `name` if that is one, else the oldest.
///
/// # Errors
/// When the database fails.
pub fn administrator(sql: &Sql<'_>, name: &str) -> Result<Option<String>, StoreError> {
    let text = "SELECT name FROM account
        WHERE admin <> 0 AND disabled = 0 AND password IS NOT NULL
        AND deleted IS NULL
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
        let Stored {
            account,
            password,
            disabled,
            created,
        } = self.0;
        let sql = "INSERT INTO grp SELECT ?1, ?2, 0, 0, 0, 0
            WHERE NOT EXISTS (SELECT 1 FROM account WHERE name = ?3) ON CONFLICT DO NOTHING";
        batch.run(sql, params![account.group, created, account.name])?;
        let sql = "INSERT INTO account (name, grp, password, admin, home, disabled, created)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING";
        let home = account.home.to_bytes();
        let added = batch.run(
            sql,
            params![
                account.name,
                account.group,
                password,
                account.admin,
                home,
                disabled,
                created
            ],
        )?;
        Ok(added > 0)
    }
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
