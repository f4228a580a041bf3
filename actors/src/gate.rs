//! Gates: before something happens, registered judges may say no.
//!
//! A handle, not an actor. All judges are asked at once; the first refusal in order of registration counts. A judge
//! that is late, dead or panicking is answered for by what was configured for it.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use actix::{Message, MessageResponse, Recipient};
use futures_util::future::join_all;
use tracing::warn;

use crate::ask::{AskError, ask_recipient};

/// What a judge says.
#[derive(Debug, Clone, PartialEq, Eq, MessageResponse)]
pub enum Verdict {
    /// Nothing speaks against it.
    Allow,
    /// It must not happen; the text may be shown to the user.
    Refuse(String),
    /// The judge of this name gave no answer, and without one it must not happen.
    Silent(&'static str),
}

impl Verdict {
    /// Whether nothing speaks against it.
    pub fn allows(&self) -> bool {
        matches!(self, Self::Allow)
    }
}

/// What counts when a judge gives no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Otherwise {
    /// As if it had allowed.
    Allow,
    /// As if it had refused.
    Refuse,
}

/// A gate for questions of type `Q`. Cloning gives another handle to the same gate.
pub struct Gate<Q>
where
    Q: Message<Result = Verdict> + Clone + Send + 'static,
{
    judges: Arc<RwLock<Vec<Judge<Q>>>>,
}

struct Judge<Q: Message<Result = Verdict> + Clone + Send + 'static> {
    name: &'static str,
    to: Recipient<Q>,
    limit: Duration,
    otherwise: Otherwise,
}

impl<Q> Gate<Q>
where
    Q: Message<Result = Verdict> + Clone + Send + 'static,
{
    /// A gate without judges: it allows everything.
    pub fn new() -> Self {
        Self {
            judges: Arc::default(),
        }
    }

    /// Adds a judge, asked after those before it had their say, with a time limit of its own and what counts if it
    /// does not answer.
    pub fn register(
        &self,
        name: &'static str,
        to: Recipient<Q>,
        limit: Duration,
        otherwise: Otherwise,
    ) {
        let judge = Judge {
            name,
            to,
            limit,
            otherwise,
        };
        self.judges
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(judge);
    }

    /// Asks every judge; waits no longer than the longest of their limits.
    pub async fn ask(&self, question: &Q) -> Verdict {
        let judges: Vec<_> = self
            .judges
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let verdicts = join_all(judges.iter().map(|judge| judge.say(question.clone()))).await;
        verdicts
            .into_iter()
            .find(|verdict| !verdict.allows())
            .unwrap_or(Verdict::Allow)
    }

    /// Whether nobody is asked.
    pub fn is_open(&self) -> bool {
        let judges = self.judges.read().unwrap_or_else(PoisonError::into_inner);
        judges.is_empty()
    }

    /// The judges' names in order.
    pub fn judges(&self) -> Vec<&'static str> {
        self.judges
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .map(|judge| judge.name)
            .collect()
    }
}

impl<Q: Message<Result = Verdict> + Clone + Send + 'static> Judge<Q> {
    async fn say(&self, question: Q) -> Verdict {
        match ask_recipient(&self.to, question, self.limit).await {
            Ok(verdict) => verdict,
            Err(why) => self.silent(why),
        }
    }

    fn silent(&self, why: AskError) -> Verdict {
        warn!(judge = self.name, %why, otherwise = ?self.otherwise, "judge gave no answer");
        match self.otherwise {
            Otherwise::Allow => Verdict::Allow,
            Otherwise::Refuse => Verdict::Silent(self.name),
        }
    }
}

impl<Q: Message<Result = Verdict> + Clone + Send + 'static> Clone for Judge<Q> {
    fn clone(&self) -> Self {
        Self {
            name: self.name,
            to: self.to.clone(),
            limit: self.limit,
            otherwise: self.otherwise,
        }
    }
}

impl<Q: Message<Result = Verdict> + Clone + Send + 'static> Clone for Gate<Q> {
    fn clone(&self) -> Self {
        Self {
            judges: Arc::clone(&self.judges),
        }
    }
}

impl<Q: Message<Result = Verdict> + Clone + Send + 'static> Default for Gate<Q> {
    fn default() -> Self {
        Self::new()
    }
}
