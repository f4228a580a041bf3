//! What commands about users and groups have in common: who acts, how a change is made, and what is said of it.

use std::fmt;

use serde::Serialize;

use super::super::{AdminError, Caller, Code, Cx};
use crate::accounts::edit::{By, Edit, EditError};
use crate::accounts::masks::Mask;
use crate::accounts::{Account, table};
use crate::api::Scopes;
use crate::outbox::Event;
use crate::store::{Batch, StoreError};

/// Who acts.
pub(super) fn by(cx: &Cx) -> By {
    match &cx.caller {
        Caller::Owner => By::Owner,
        Caller::User(user) => By::User(user.account.name.clone()),
        Caller::Token(token) => By::Token {
            name: format!("token {}", token.name),
            whole: token.scopes.cover(&Scopes::stored(&["*"])),
        },
    }
}

/// Who acts, for what keeps their name.
pub(super) fn author(cx: &Cx) -> String {
    cx.caller.name()
}

/// Somebody who is logged in.
pub(super) fn oneself(cx: &Cx) -> Result<&Account, AdminError> {
    match &cx.caller {
        Caller::User(user) => Ok(&user.account),
        Caller::Owner | Caller::Token(_) => Err(AdminError::new(
            Code::Denied,
            "this is for users who are logged in",
        )),
    }
}

/// What is told of a change.
fn changed(cx: &Cx) -> Event {
    let (command, args) = cx.said.clone();
    Event::AccountChanged {
        command: command.to_owned(),
        args,
        by: cx.caller.name(),
    }
}

/// Makes a change, judged by what is stored when it is made.
pub(super) async fn edit<T: Send + 'static>(
    cx: &Cx,
    work: impl FnOnce(&Batch<'_>) -> Result<T, EditError> + Send + 'static,
) -> Result<T, AdminError> {
    let changes = cx.of.people.changes.clone();
    let (outbox, now, event) = (cx.of.outbox(), cx.of.clock.unix(), changed(cx));
    let work = move |batch: &Batch<'_>| {
        let done = work(batch)?;
        outbox.note(batch, now, || Ok::<_, EditError>(event))?;
        Ok(done)
    };
    let edited = cx.of.store.change(Edit { changes, work }).await;
    edited.map_err(AdminError::from)
}

/// Ends the sessions of users, if a master runs; answers how many.
pub(super) async fn end_sessions(cx: &Cx, users: &[String], why: &str) -> usize {
    let Some(online) = cx.of.online.get() else {
        return 0;
    };
    match online.sessions.kick_users(users, why).await {
        Ok(ended) => ended,
        Err(why) => {
            // They end by themselves with their next command.
            tracing::warn!(%why, "sessions not ended");
            0
        }
    }
}

/// The hash of a new password, if it will do for that account.
pub(super) async fn hash(cx: &Cx, who: &Account, password: &str) -> Result<String, AdminError> {
    let judged = cx.of.people.config().may_have_password(who, password);
    judged.map_err(|why| AdminError::argument("password", why))?;
    let hash = cx.of.people.hash(password, &cx.of.blocking).await;
    hash.map_err(|why| AdminError::failed(&why))
}

/// An account as it is now; an empty one of that name where there is none, so that rules can be looked at.
pub(super) fn account(cx: &Cx, name: &str) -> Result<Account, AdminError> {
    let found = cx.of.store.read(|sql| table::find(sql, name));
    let found = found.map_err(|why: StoreError| AdminError::failed(&why))?;
    Ok(found.map_or_else(|| Account::new(name, ""), |stored| stored.account))
}

/// Masks as they were said, blanks between.
pub(super) fn masks(text: Option<&str>) -> Result<Vec<Mask>, AdminError> {
    let words = text.unwrap_or_default().split_ascii_whitespace();
    let read = words.map(|word| {
        let mask = word.parse::<Mask>();
        mask.map_err(|why| AdminError::argument("masks", format!("{word}: {why}")))
    });
    read.collect()
}

/// Words as they were said, blanks between.
pub(super) fn words(text: Option<&str>) -> Vec<String> {
    let words = text.unwrap_or_default().split_ascii_whitespace();
    words.map(str::to_owned).collect()
}

/// Something was done to somebody, or to a group.
#[derive(Serialize)]
pub(super) struct Done {
    pub name: String,
    /// What, in words.
    #[serde(skip)]
    pub said: String,
    /// Sessions that ended with it.
    #[serde(skip_serializing_if = "is_none")]
    pub ended: usize,
}

fn is_none(count: &usize) -> bool {
    *count == 0
}

impl Done {
    /// It was done.
    pub fn to(name: &str, said: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            said: said.into(),
            ended: 0,
        }
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said)?;
        match self.ended {
            0 => Ok(()),
            1 => f.write_str("; 1 session ended"),
            more => write!(f, "; {more} sessions ended"),
        }
    }
}

impl From<EditError> for AdminError {
    fn from(why: EditError) -> Self {
        let message = why.to_string();
        let (code, field) = match why {
            EditError::NoUser(_) => (Code::NotFound, Some("user")),
            EditError::NoGroup(_) => (Code::NotFound, Some("group")),
            EditError::Taken(_) => (Code::Exists, None),
            EditError::Denied(_) => (Code::Denied, None),
            EditError::Wrong { field, .. } => (Code::BadArgument, Some(field)),
            EditError::Store(why) => return Self::failed(&why),
        };
        Self {
            code,
            field: field.map(str::to_owned),
            message,
        }
    }
}
