//! Tokens: who may use the API. The store has a hash of each; the secret itself is shown once, to whoever makes it.
//!
//! A token has 256 bits of chance, so a fast hash (BLAKE3) is enough, and it is looked up by that hash: how long that
//! takes says nothing about any token.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use drftpd_actors::Dice;

use super::scopes::Scopes;
use crate::store::{Batch, Command, Row, Sql, StoreError, params};

/// What every token begins with, so that people and scanners know one when they see it.
const PREFIX: &str = "drftpd_";
/// Tokens that may be there.
const MOST: i64 = 10_000;
/// Seconds between two notes of the same token's use: a token in steady use costs a write a minute.
pub const NOTED_EVERY: i64 = 60;

/// The secret of a new token. Only [`Secret::show`] gives it away.
pub struct Secret(String);

/// What the store knows of a secret.
pub type Hash = [u8; 32];

impl Secret {
    /// Throws one.
    pub fn new(dice: &Dice) -> Self {
        Self(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(dice.token())))
    }

    /// As its owner has to send it.
    pub fn show(&self) -> &str {
        &self.0
    }

    /// Its hash.
    pub fn hash(&self) -> Hash {
        *blake3::hash(self.0.as_bytes()).as_bytes()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The hash of what somebody sends as a token; nothing where it cannot be one.
pub fn hash_of(said: &str) -> Option<Hash> {
    let long = PREFIX.len() + 43;
    let may_be = said.len() == long && said.starts_with(PREFIX);
    may_be.then(|| *blake3::hash(said.as_bytes()).as_bytes())
}

/// A token as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// What it is called.
    pub name: String,
    /// What it may be used for.
    pub scopes: Scopes,
    /// Since when, Unix seconds.
    pub created: i64,
    /// Until when, Unix seconds.
    pub expires: i64,
    /// When it was used last, to a minute, Unix seconds.
    pub used: Option<i64>,
    /// Who made it.
    pub creator: String,
}

const COLUMNS: &str = "SELECT name, scopes, created, expires, used, creator FROM api_token";

fn row(row: &Row<'_>) -> rusqlite::Result<TokenRow> {
    let scopes: String = row.get(1)?;
    let words: Vec<&str> = scopes.split(',').collect();
    Ok(TokenRow {
        name: row.get(0)?,
        scopes: Scopes::stored(&words),
        created: row.get(2)?,
        expires: row.get(3)?,
        used: row.get(4)?,
        creator: row.get(5)?,
    })
}

/// All tokens, by name; those too whose time is over.
///
/// # Errors
/// When the store fails.
pub fn all(sql: &Sql<'_>) -> Result<Vec<TokenRow>, StoreError> {
    sql.all(&format!("{COLUMNS} ORDER BY name"), [], row)
}

/// The token of a secret, if it is good now.
///
/// # Errors
/// When the store fails.
pub fn good(sql: &Sql<'_>, hash: &Hash, now: i64) -> Result<Option<TokenRow>, StoreError> {
    let text = format!("{COLUMNS} WHERE hash = ?1 AND expires > ?2");
    sql.get(&text, params![hash, now], row)
}

/// Why a token was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The name is in use.
    #[error("there is a token {0}; revoke it first")]
    Exists(String),
    /// There are too many.
    #[error("there are {MOST} tokens; revoke some first")]
    TooMany,
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// Makes a token. One of that name whose time is over makes room.
#[derive(Debug)]
pub struct CreateToken {
    /// What is stored.
    pub row: TokenRow,
    /// Of its secret.
    pub hash: Hash,
}

impl Command for CreateToken {
    type Answer = ();
    type Error = TokenError;

    fn apply(self, batch: &Batch<'_>) -> Result<(), TokenError> {
        let Self { row, hash } = self;
        let text = "SELECT count(*), coalesce(max(name = ?1 AND expires > ?2), 0) FROM api_token";
        let found = batch.get(text, params![row.name, row.created], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?))
        })?;
        match found {
            Some((_, true)) => return Err(TokenError::Exists(row.name)),
            Some((there, _)) if there >= MOST => return Err(TokenError::TooMany),
            _ => {}
        }
        let text = "INSERT OR REPLACE INTO api_token
            (name, hash, scopes, created, expires, used, creator) VALUES (?1, ?2, ?3, ?4, ?5, NULL, ?6)";
        let scopes = row.scopes.to_string();
        let TokenRow {
            name,
            created,
            expires,
            creator,
            ..
        } = row;
        batch.run(
            text,
            params![name, &hash[..], scopes, created, expires, creator],
        )?;
        Ok(())
    }
}

/// Takes a token away; answers whether there was one.
#[derive(Debug)]
pub struct RevokeToken(pub String);

impl Command for RevokeToken {
    type Answer = bool;
    type Error = StoreError;

    fn apply(self, batch: &Batch<'_>) -> Result<bool, StoreError> {
        let gone = batch.run("DELETE FROM api_token WHERE name = ?1", [self.0])?;
        Ok(gone > 0)
    }
}

/// Notes that a token was used.
#[derive(Debug)]
pub struct NoteUsed {
    /// Which.
    pub hash: Hash,
    /// Unix seconds.
    pub now: i64,
}

impl Command for NoteUsed {
    type Answer = ();
    type Error = StoreError;

    fn apply(self, batch: &Batch<'_>) -> Result<(), StoreError> {
        let text = "UPDATE api_token SET used = ?2 WHERE hash = ?1";
        batch.run(text, params![&self.hash[..], self.now])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Case, Store, StoreConfig};
    use drftpd_actors::Clock;

    fn token(name: &str, created: i64, expires: i64, dice: &Dice) -> (Secret, CreateToken) {
        let secret = Secret::new(dice);
        let row = TokenRow {
            name: name.to_owned(),
            scopes: Scopes::stored(&["read", "slave:*"]),
            created,
            expires,
            used: None,
            creator: "owner".to_owned(),
        };
        let hash = secret.hash();
        (secret, CreateToken { row, hash })
    }

    #[tokio::test]
    async fn a_token_is_good_until_it_expires_or_is_revoked_and_its_secret_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (clock, dice) = (Clock::manual(1_800_000_000), Dice::seeded(1));
        let config = StoreConfig::DEFAULT;
        let store = Store::inline(folder.path(), &config, Case::Sensitive, &clock, &dice).unwrap();
        let (secret, create) = token("ci", 100, 200, &dice);
        let row = create.row.clone();
        store.change(create).await.unwrap();
        let hash = hash_of(secret.show()).unwrap();
        let at = |now| store.read(|sql| good(sql, &hash, now)).unwrap();
        assert_eq!(at(199), Some(row));
        assert_eq!(at(200), None);
        let (_, again) = token("ci", 150, 250, &dice);
        let refused = store.change(again).await;
        assert!(matches!(refused, Err(TokenError::Exists(_))));
        store.change(NoteUsed { hash, now: 160 }).await.unwrap();
        assert_eq!(at(170).unwrap().used, Some(160));

        let mut dump = Vec::new();
        crate::store::dump::dump(&store, &mut dump).unwrap();
        let dump = String::from_utf8(dump).unwrap();
        assert!(dump.contains("read,slave:*") && !dump.contains(secret.show()));

        // One whose time is over makes room, and is good for nothing.
        let (_, again) = token("ci", 200, 300, &dice);
        store.change(again).await.unwrap();
        assert_eq!(at(210), None);
        assert!(store.change(RevokeToken("ci".to_owned())).await.unwrap());
        assert!(!store.change(RevokeToken("ci".to_owned())).await.unwrap());
        assert!(store.read(all).unwrap().is_empty());
    }

    #[test]
    fn what_cannot_be_a_token_is_not_looked_up() {
        let secret = Secret::new(&Dice::system());
        assert_eq!(hash_of(secret.show()), Some(secret.hash()));
        let short = &secret.show()[1..];
        for said in ["", "drftpd_", short, &"x".repeat(50), &"drftpd_x".repeat(9)] {
            assert_eq!(hash_of(said), None, "{said}");
        }
        assert_eq!(format!("{secret:?}"), "Secret(..)");
    }
}
