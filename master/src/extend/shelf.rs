//! Rows of a plugin in the store: by key, as JSON, under the plugin's name. In dumps and backups like everything.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::store::{Batch, Command, Sql, Store, StoreError, params};

/// Rows that are read at a time.
const PAGE: usize = 500;

/// The rows of one plugin; cheap to clone.
#[derive(Clone)]
pub struct Shelf {
    plugin: &'static str,
    store: Store,
}

impl Shelf {
    /// Those of a plugin.
    pub fn new(plugin: &'static str, store: Store) -> Self {
        Self { plugin, store }
    }

    /// What was committed under a key.
    ///
    /// # Errors
    /// When the store fails, or what is there is something else.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, StoreError> {
        self.store.read(|sql| self.get_in(sql, key))
    }

    /// What is under a key as a batch sees it.
    ///
    /// # Errors
    /// As [`Shelf::get`].
    pub fn get_in<T: DeserializeOwned>(
        &self,
        sql: &Sql<'_>,
        key: &str,
    ) -> Result<Option<T>, StoreError> {
        let query = "SELECT value FROM plugin_row WHERE plugin = ?1 AND key = ?2";
        let text = sql.get(query, [self.plugin, key], |row| row.get::<_, String>(0))?;
        text.map(|text| self.value(key, &text)).transpose()
    }

    /// Some of what was committed under keys that begin so, by key, behind `after`: at most 500 rows.
    ///
    /// # Errors
    /// As [`Shelf::get`].
    pub fn page<T: DeserializeOwned>(
        &self,
        prefix: &str,
        after: &str,
    ) -> Result<Vec<(String, T)>, StoreError> {
        let query = "SELECT key, value FROM plugin_row
            WHERE plugin = ?1 AND key > ?2 AND key >= ?3 AND substr(key, 1, length(?3)) = ?3
            ORDER BY key LIMIT ?4";
        let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
        let rows = self.store.read(|sql| {
            sql.all(query, params![self.plugin, after, prefix, limit], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
            })
        });
        let read = |(key, text): (String, String)| Ok((key.clone(), self.value(&key, &text)?));
        rows?.into_iter().map(read).collect()
    }

    /// Writes a row in a batch of somebody's.
    ///
    /// # Errors
    /// When the store fails.
    pub fn put_in(
        &self,
        batch: &Batch<'_>,
        key: &str,
        value: &impl Serialize,
    ) -> Result<(), StoreError> {
        let text = serde_json::to_string(value);
        let text = text.map_err(|why| StoreError::Damaged(format!("{key}: {why}")))?;
        let sql = "INSERT INTO plugin_row (plugin, key, value) VALUES (?1, ?2, ?3)
            ON CONFLICT (plugin, key) DO UPDATE SET value = excluded.value";
        batch.run(sql, params![self.plugin, key, text])?;
        Ok(())
    }

    /// Takes a row away in a batch of somebody's.
    ///
    /// # Errors
    /// When the store fails.
    pub fn remove_in(&self, batch: &Batch<'_>, key: &str) -> Result<(), StoreError> {
        let sql = "DELETE FROM plugin_row WHERE plugin = ?1 AND key = ?2";
        batch.run(sql, [self.plugin, key])?;
        Ok(())
    }

    /// Changes rows, and answers after the commit. `work` judges first and writes then.
    ///
    /// # Errors
    /// What `work` says, or the store.
    pub async fn change<T, E, W>(&self, work: W) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        W: FnOnce(&Self, &Batch<'_>) -> Result<T, E> + Send + 'static,
    {
        let shelf = self.clone();
        let work = move |batch: &Batch<'_>| work(&shelf, batch);
        self.store.change(Work(work)).await
    }

    /// Writes one row.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn put<V>(&self, key: &str, value: V) -> Result<(), StoreError>
    where
        V: Serialize + Send + 'static,
    {
        let key = key.to_owned();
        self.change(move |shelf, batch| shelf.put_in(batch, &key, &value))
            .await
    }

    fn value<T: DeserializeOwned>(&self, key: &str, text: &str) -> Result<T, StoreError> {
        let value = serde_json::from_str(text);
        value.map_err(|why| StoreError::Damaged(format!("{} {key}: {why}", self.plugin)))
    }
}

struct Work<W>(W);

impl<T, E, W> Command for Work<W>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
    W: FnOnce(&Batch<'_>) -> Result<T, E> + Send + 'static,
{
    type Answer = T;
    type Error = E;

    fn apply(self, batch: &Batch<'_>) -> Result<T, E> {
        (self.0)(batch)
    }
}
