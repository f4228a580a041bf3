//! Calls before and after commands: FTP verbs by their name (`STOR`), commands of the table by theirs (`user add`).
//!
//! One after the other, in the order of their priorities (the least first; of the same one in the order in which they were
//! asked for). Before: the first that refuses ends it, and one that does not answer in time refuses. After: whatever
//! happened; one that does not answer is left out.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix::{Message, Recipient};
use bytes::Bytes;
use drftpd_actors::ask_recipient;
use drftpd_protocol::VfsPath;
use tracing::{info, warn};

use crate::accounts::Account;

/// A command that somebody gave.
#[derive(Debug, Clone)]
pub struct Called {
    /// The verb in upper case, or the name of the command.
    pub name: &'static str,
    /// What stands behind it, as it came; of a command of the table its arguments by name. No secrets: nothing of PASS and
    /// ACCT, only the first word of SITE, whose commands have hooks of their own.
    pub arg: Bytes,
    /// Who is logged in, or has given the command.
    pub who: Option<Arc<Account>>,
    /// From where.
    pub client: Option<IpAddr>,
    /// Where they stand.
    pub cwd: VfsPath,
}

/// Before a command: an error is a refusal, and what is said of it.
#[derive(Message, Debug, Clone)]
#[rtype(result = "Result<(), String>")]
pub struct Before(pub Arc<Called>);

/// After a command: lines for whoever gave it, in front of the last one.
#[derive(Message, Debug, Clone)]
#[rtype(result = "Result<Vec<String>, String>")]
pub struct After {
    /// The command.
    pub of: Arc<Called>,
    /// Whether it was done.
    pub done: bool,
    /// The code of its reply; 0 for commands of the table.
    pub code: u16,
}

struct Hook<M: Message + Send>
where
    M::Result: Send,
{
    name: &'static str,
    priority: i32,
    to: Recipient<M>,
    limit: Duration,
}

/// The hooks of one command.
#[derive(Default)]
pub struct Around {
    before: Vec<Hook<Before>>,
    after: Vec<Hook<After>>,
}

/// All hooks, by the command.
#[derive(Default)]
pub struct Hooks(BTreeMap<&'static str, Around>);

/// By what a hook is asked for: whose it is, its priority, how long it may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub name: &'static str,
    pub priority: i32,
    pub limit: Duration,
}

impl Hooks {
    pub(super) fn before(&mut self, on: &'static str, terms: Terms, to: Recipient<Before>) {
        insert(&mut self.0.entry(on).or_default().before, terms, to);
    }

    pub(super) fn after(&mut self, on: &'static str, terms: Terms, to: Recipient<After>) {
        insert(&mut self.0.entry(on).or_default().after, terms, to);
    }

    /// Those of a command; mostly there are none.
    pub fn around(&self, name: &str) -> Option<&Around> {
        self.0.get(name)
    }
}

fn insert<M: Message + Send>(hooks: &mut Vec<Hook<M>>, terms: Terms, to: Recipient<M>)
where
    M::Result: Send,
{
    let at = hooks.partition_point(|other| other.priority <= terms.priority);
    let Terms {
        name,
        priority,
        limit,
    } = terms;
    let hook = Hook {
        name,
        priority,
        to,
        limit,
    };
    hooks.insert(at, hook);
}

impl Around {
    /// Calls those that come before.
    ///
    /// # Errors
    /// What the first that refuses says; [`NO_ANSWER`] for one that says nothing.
    pub async fn begin(&self, called: &Arc<Called>) -> Result<(), String> {
        for hook in &self.before {
            let (plugin, command) = (hook.name, called.name);
            match ask_recipient(&hook.to, Before(Arc::clone(called)), hook.limit).await {
                Ok(Ok(())) => {}
                Ok(Err(why)) => {
                    info!(plugin, command, why, "refused by a plugin");
                    return Err(why);
                }
                Err(why) => {
                    warn!(plugin, command, %why, "a plugin gave no answer before a command");
                    return Err(NO_ANSWER.to_owned());
                }
            }
        }
        Ok(())
    }

    /// Calls those that come after; answers their lines.
    pub async fn end(&self, called: &Arc<Called>, done: bool, code: u16) -> Vec<String> {
        let mut lines = Vec::new();
        for hook in &self.after {
            let of = Arc::clone(called);
            let after = After { of, done, code };
            let (plugin, command) = (hook.name, called.name);
            match ask_recipient(&hook.to, after, hook.limit).await {
                Ok(Ok(more)) => lines.extend(more),
                Ok(Err(why)) => warn!(plugin, command, why, "a plugin failed after a command"),
                Err(why) => warn!(plugin, command, %why, "a plugin gave no answer after a command"),
            }
        }
        lines
    }
}

/// What is said where a plugin that has a say does not answer.
pub const NO_ANSWER: &str = "Not now, try again later";
