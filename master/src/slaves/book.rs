//! The slaves that belong to the cluster, and the tokens with which more may join: rows of the
//! store, each change one command.

use drftpd_protocol::SlaveId;

use super::enroll::EnrollError;
use super::standing::Standing;
use crate::store::{Batch, Command, Row, Sql, StoreError, params};

/// A slave as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlaveRow {
    /// Its name.
    pub name: SlaveId,
    /// The certificate that it must show (DER); none until it joined.
    pub certificate: Option<Vec<u8>>,
    /// When it joined, Unix seconds; 0 before.
    pub joined: i64,
    /// When it was removed, Unix seconds.
    pub revoked: Option<i64>,
    /// Since when it takes no new files, Unix seconds.
    pub drained: Option<i64>,
    /// Since when it is worked on, Unix seconds.
    pub maintenance: Option<i64>,
    /// Since when what it holds is to be held by others, Unix seconds.
    pub evacuated: Option<i64>,
}

impl SlaveRow {
    /// What counts for it.
    pub fn standing(&self) -> Standing {
        Standing {
            drained: self.drained.is_some(),
            maintenance: self.maintenance.is_some(),
            evacuated: self.evacuated.is_some(),
        }
    }
}

const COLUMNS: &str =
    "SELECT name, certificate, joined, revoked, drained, maintenance, evacuated FROM slave";

fn row(row: &Row<'_>) -> rusqlite::Result<SlaveRow> {
    let name: String = row.get(0)?;
    let name = SlaveId::new(name).map_err(|why| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(why))
    })?;
    Ok(SlaveRow {
        name,
        certificate: row.get(1)?,
        joined: row.get(2)?,
        revoked: row.get(3)?,
        drained: row.get(4)?,
        maintenance: row.get(5)?,
        evacuated: row.get(6)?,
    })
}

/// All slaves, those that were removed too.
///
/// # Errors
/// When the store fails.
pub fn all(sql: &Sql<'_>) -> Result<Vec<SlaveRow>, StoreError> {
    sql.all(&format!("{COLUMNS} ORDER BY name"), [], row)
}

/// One slave.
///
/// # Errors
/// When the store fails.
pub fn find(sql: &Sql<'_>, name: &SlaveId) -> Result<Option<SlaveRow>, StoreError> {
    sql.get(&format!("{COLUMNS} WHERE name = ?1"), [name.as_str()], row)
}

/// The name that a token was made for, if it can still be used.
///
/// # Errors
/// When the store fails.
pub fn name_of_token(
    sql: &Sql<'_>,
    hash: &[u8; 32],
    now: i64,
) -> Result<Option<SlaveId>, StoreError> {
    let text = "SELECT slave FROM slave_token WHERE hash = ?1 AND used IS NULL AND expires > ?2";
    let name = sql.get(text, params![hash, now], |row| row.get::<_, String>(0))?;
    Ok(name.and_then(|name| SlaveId::new(name).ok()))
}

/// Makes room for a slave and a token for it; older tokens of that name are good for nothing.
#[derive(Debug)]
pub struct AddSlave {
    /// Its name.
    pub name: SlaveId,
    /// SHA-256 of the token's secret.
    pub hash: [u8; 32],
    /// Until when the token can be used, Unix seconds.
    pub expires: i64,
    /// Whether a slave that is there already may join again.
    pub again: bool,
    /// Unix seconds.
    pub now: i64,
}

impl Command for AddSlave {
    type Answer = ();
    type Error = EnrollError;

    fn apply(self, batch: &Batch<'_>) -> Result<(), EnrollError> {
        let known = find(batch, &self.name)?;
        if known.as_ref().is_some_and(|row| row.revoked.is_none()) && !self.again {
            return Err(EnrollError::Exists(self.name));
        }
        let name = self.name.as_str();
        if known.is_none_or(|row| row.revoked.is_some()) {
            let sql = "INSERT OR REPLACE INTO slave (name, certificate, joined, revoked) \
                       VALUES (?1, NULL, 0, NULL)";
            batch.run(sql, [name])?;
        }
        let sql = "DELETE FROM slave_token WHERE slave = ?1 OR expires <= ?2";
        batch.run(sql, params![name, self.now])?;
        let sql = "INSERT INTO slave_token (hash, slave, expires, used) VALUES (?1, ?2, ?3, NULL)";
        batch.run(sql, params![&self.hash[..], name, self.expires])?;
        Ok(())
    }
}

/// A machine joins with a token: it is spent, and the certificate is the one to show from now on.
#[derive(Debug)]
pub struct JoinSlave {
    /// SHA-256 of the token's secret.
    pub hash: [u8; 32],
    /// The certificate's name, which must be the token's.
    pub name: SlaveId,
    /// The certificate that was made for it (DER).
    pub certificate: Vec<u8>,
    /// Unix seconds.
    pub now: i64,
}

impl Command for JoinSlave {
    type Answer = ();
    type Error = EnrollError;

    fn apply(self, batch: &Batch<'_>) -> Result<(), EnrollError> {
        let name = name_of_token(batch, &self.hash, self.now)?;
        if name.as_ref() != Some(&self.name) {
            return Err(EnrollError::BadToken);
        }
        let known = find(batch, &self.name)?;
        if known.is_none_or(|row| row.revoked.is_some()) {
            return Err(EnrollError::BadToken);
        }
        let sql = "UPDATE slave_token SET used = ?2 WHERE hash = ?1";
        batch.run(sql, params![&self.hash[..], self.now])?;
        let sql = "UPDATE slave SET certificate = ?2, joined = ?3 WHERE name = ?1";
        let name = self.name.as_str();
        batch.run(sql, params![name, self.certificate, self.now])?;
        Ok(())
    }
}

/// Takes a slave out of the cluster: its certificate and its tokens are good for nothing.
#[derive(Debug)]
pub struct RemoveSlave {
    /// Its name.
    pub name: SlaveId,
    /// Unix seconds.
    pub now: i64,
}

impl Command for RemoveSlave {
    type Answer = ();
    type Error = EnrollError;

    fn apply(self, batch: &Batch<'_>) -> Result<(), EnrollError> {
        let known = find(batch, &self.name)?;
        if known.is_none_or(|row| row.revoked.is_some()) {
            return Err(EnrollError::Unknown(self.name));
        }
        let name = self.name.as_str();
        let sql = "UPDATE slave SET revoked = ?2 WHERE name = ?1";
        batch.run(sql, params![name, self.now])?;
        batch.run("DELETE FROM slave_token WHERE slave = ?1", [name])?;
        Ok(())
    }
}
