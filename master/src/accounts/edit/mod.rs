//! Changes of accounts and groups: each is judged and carried out in one command of the store, by what is stored then.
//! Operators of the site may everything; administrators of a group what [`Authority::over`] lets them, within its slots.

pub mod change;
pub mod gifts;
pub mod groups;
pub mod users;

#[cfg(test)]
mod tests;

use super::people::Changes;
use super::table::{self, Stored};
use crate::store::{Batch, Command, StoreError};

pub use change::{Change, Whom};

/// Why accounts were not changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EditError {
    /// No such user, or none that this caller may touch.
    #[error("there is no user {0:?} that you may change")]
    NoUser(String),
    /// No such group, or none that this caller may touch.
    #[error("there is no group {0:?} that you may use")]
    NoGroup(String),
    /// The name is taken.
    #[error("{0:?} is there already")]
    Taken(String),
    /// Not for this caller.
    #[error("{0}")]
    Denied(&'static str),
    /// It would not do.
    #[error("{why}")]
    Wrong {
        /// Which argument.
        field: &'static str,
        /// Why.
        why: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl EditError {
    pub(super) fn wrong(field: &'static str, why: impl std::fmt::Display) -> Self {
        let why = why.to_string();
        Self::Wrong { field, why }
    }
}

/// A change as a command of the store; sessions hear of it with the commit.
pub struct Edit<F> {
    /// What is told that something was changed.
    pub changes: Changes,
    /// Judges first, writes then.
    pub work: F,
}

impl<F, T> Command for Edit<F>
where
    F: FnOnce(&Batch<'_>) -> Result<T, EditError> + Send + 'static,
    T: Send + 'static,
{
    type Answer = T;
    type Error = EditError;

    fn apply(self, batch: &Batch<'_>) -> Result<T, EditError> {
        let done = (self.work)(batch)?;
        let changes = self.changes;
        batch.on_commit(move || changes.add());
        Ok(done)
    }
}

/// Who wants a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// The owner of the store.
    Owner,
    /// Somebody who is logged in.
    User(String),
    /// A token of the API.
    Token {
        /// What is kept of it.
        name: String,
        /// Whether it may everything: else it must not make itself, or anybody, an operator.
        whole: bool,
    },
}

/// What somebody may, as it is stored at this moment.
#[derive(Debug, Clone)]
pub struct Authority {
    /// Who; empty for the owner of the store.
    pub name: String,
    /// Operator of the site, or owner of the store.
    pub all: bool,
    /// Whether operators of the site may be touched, or made.
    pub operators: bool,
    /// Groups that they administer.
    pub groups: Vec<String>,
}

impl By {
    /// What they may now.
    ///
    /// # Errors
    /// When they may nothing.
    pub fn authority(&self, batch: &Batch<'_>) -> Result<Authority, EditError> {
        let of_all = |name: &str, operators| Authority {
            name: name.to_owned(),
            all: true,
            operators,
            groups: Vec::new(),
        };
        let name = match self {
            Self::Owner => return Ok(of_all("", true)),
            Self::Token { name, whole } => return Ok(of_all(name, *whole)),
            Self::User(name) => name,
        };
        let stored = table::find(batch, name)?.filter(Stored::can_log_in);
        let stored = stored.ok_or(EditError::Denied("your account cannot be used any more"))?;
        Ok(Authority {
            name: stored.account.name,
            all: stored.account.admin,
            operators: stored.account.admin,
            groups: stored.account.administers,
        })
    }

    /// The same, where only operators will do.
    ///
    /// # Errors
    /// For all others.
    pub fn operator(&self, batch: &Batch<'_>) -> Result<Authority, EditError> {
        let authority = self.authority(batch)?;
        match authority.all {
            true => Ok(authority),
            false => Err(EditError::Denied("this is for operators of the site")),
        }
    }
}

impl Authority {
    /// Whether they may change an account. Administrators of groups may where it is only in groups of theirs, is no
    /// operator's and no group administrator's, themselves included: whoever sets the password of an account has all that
    /// the account has.
    pub fn is_over(&self, target: &Stored) -> bool {
        let account = &target.account;
        let mine = |group: &String| self.groups.contains(group);
        let is_plain = !account.admin && account.administers.is_empty();
        let is_mine = mine(&account.group) && account.groups.iter().all(mine);
        let whole = self.all && (self.operators || !account.admin);
        whole || (is_plain && is_mine && account.name != self.name)
    }

    /// An account that they may change.
    ///
    /// # Errors
    /// [`EditError::NoUser`], be it missing or another's.
    pub fn over(&self, batch: &Batch<'_>, name: &str) -> Result<Stored, EditError> {
        let found = table::find(batch, name)?.filter(|found| self.is_over(found));
        found.ok_or_else(|| EditError::NoUser(name.to_owned()))
    }
}
