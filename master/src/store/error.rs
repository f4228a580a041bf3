//! Why the store failed.

/// Why the store failed. Nothing of the command was kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// SQLite says no.
    #[error("the database failed")]
    Sqlite(#[from] rusqlite::Error),
    /// The writer is gone, or its queue is full.
    #[error("the store does not take commands now")]
    Closed,
    /// The commit that held the command failed; none of its commands was kept.
    #[error("the commit failed: {0}")]
    Commit(String),
    /// The disk is full; none of the commands in that commit was kept.
    #[error("the disk of the store is full")]
    Full,
    /// Another master has it.
    #[error("another master uses this store")]
    Locked,
    /// Made by a newer version, or damaged.
    #[error("the store cannot be used: {0}")]
    Unusable(String),
    /// A file or folder of it.
    #[error("a file of the store failed")]
    Io(#[from] std::io::Error),
    /// All identities of this start of the master are used; a restart gives new ones.
    #[error("all identities of this start are used up")]
    NoMoreIds,
    /// A value in a table that cannot be there.
    #[error("a row of the store cannot be read: {0}")]
    Damaged(String),
}

impl StoreError {
    /// Whether there was no space on the disk.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Full => true,
            Self::Sqlite(why) => why.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull),
            _ => false,
        }
    }
}
