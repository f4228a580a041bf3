//! `GET /api/v1/events?kinds=…`: what happens, as server-sent events, to whoever has a token that may read.
//!
//! A follower that is too slow hears `missed` with how many lines it has lost. One that hears nothing for a while hears a
//! comment. Its token is looked at again as often. The stream ends with `end` and why: the master drains, or the token is good
//! for nothing any more.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, RawQuery, State};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::json;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::Shared;
use super::events::{About, Line};
use super::reply::Refused;
use super::tokens::{self, Hash};
use crate::admin::{AdminError, Code, Token};

/// How long a follower hears nothing at most.
const BEAT: Duration = Duration::from_secs(15);

/// Begins to follow.
pub(super) async fn follow(
    State(shared): State<Arc<Shared>>,
    Extension(token): Extension<Token>,
    Extension(hash): Extension<Hash>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refused> {
    if !token.scopes.may_watch() {
        let why = "events need the scope read, operate or *";
        return Err(AdminError::new(Code::Denied, why).into());
    }
    let kinds = kinds(query.as_deref().unwrap_or_default())?;
    let most = shared.limits(|limits| limits.max_followers);
    if shared.told.followers() >= most {
        let why = format!("{most} follow already");
        return Err(AdminError::new(Code::Busy, why).into());
    }
    let (lines, running) = shared.told.follow();
    let follower = Follower {
        kinds,
        lines,
        running,
        hash,
        beat: Instant::now() + BEAT,
        check: Instant::now() + BEAT,
        shared,
        begun: false,
        over: false,
    };
    let events = stream::unfold(follower, async |mut follower| {
        let event = follower.next().await?;
        Some((Ok::<_, Infallible>(event), follower))
    });
    Ok(Sse::new(events).into_response())
}

/// The kinds that a query names; all where it names none.
fn kinds(query: &str) -> Result<Vec<About>, AdminError> {
    let mut kinds = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if name != "kinds" {
            return Err(AdminError::argument(name, "is no argument here"));
        }
        // The only sign that a client may write otherwise.
        let value = value.replace("%2C", ",").replace("%2c", ",");
        for word in value.split(',') {
            let known = About::ALL.iter().find(|(name, _)| *name == word);
            let why = "must be sessions, transfers, slaves or events, with commas between";
            let (_, kind) = known.ok_or_else(|| AdminError::argument("kinds", why))?;
            kinds.push(*kind);
        }
    }
    if kinds.is_empty() {
        kinds.extend(About::ALL.iter().map(|(_, kind)| *kind));
    }
    Ok(kinds)
}

/// One who follows.
struct Follower {
    kinds: Vec<About>,
    lines: broadcast::Receiver<Line>,
    running: watch::Receiver<Arc<str>>,
    hash: Hash,
    /// When it hears something at the latest.
    beat: Instant,
    /// When its token is looked at again, whatever it hears meanwhile.
    check: Instant,
    shared: Arc<Shared>,
    begun: bool,
    over: bool,
}

impl Follower {
    /// The next event; nothing after the last one.
    async fn next(&mut self) -> Option<Event> {
        if self.over {
            return None;
        }
        if !std::mem::replace(&mut self.begun, true) {
            return Some(Event::default().comment("what happens from now on"));
        }
        let mut event = self.wait().await;
        if !self.over && Instant::now() >= self.check {
            self.check = Instant::now() + BEAT;
            if !self.is_good() {
                event = self.end("the token is good for nothing any more");
            }
        }
        self.beat = Instant::now() + BEAT;
        Some(event)
    }

    async fn wait(&mut self) -> Event {
        let draining = self.shared.drain.draining();
        tokio::pin!(draining);
        loop {
            tokio::select! {
                biased;
                () = &mut draining => return self.end("the master drains"),
                got = self.lines.recv() => match got {
                    Ok(line) if self.kinds.contains(&line.about) => {
                        return Event::default().event(line.name).data(line.data);
                    }
                    Ok(_) => {}
                    Err(RecvError::Lagged(missed)) => {
                        let missed = json!({ "missed": missed }).to_string();
                        return Event::default().event("missed").data(missed);
                    }
                    Err(RecvError::Closed) => return self.end("the master ends"),
                },
                Ok(()) = self.running.changed() => {
                    if self.kinds.contains(&About::Transfers) {
                        let running = self.running.borrow_and_update().clone();
                        return Event::default().event("transfers.running").data(running);
                    }
                }
                () = sleep_until(self.beat) => return Event::default().comment("still here"),
            }
        }
    }

    fn is_good(&self) -> bool {
        let unix = self.shared.of.clock.unix();
        let store = &self.shared.of.store;
        let row = store.read(|sql| tokens::good(sql, &self.hash, unix));
        matches!(row, Ok(Some(_)))
    }

    fn end(&mut self, why: &str) -> Event {
        self.over = true;
        let why = json!({ "why": why }).to_string();
        Event::default().event("end").data(why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_names_kinds_and_nothing_else() {
        let all: Vec<About> = About::ALL.iter().map(|(_, kind)| *kind).collect();
        assert_eq!(kinds("").unwrap(), all);
        let two = [About::Slaves, About::Events];
        assert_eq!(kinds("kinds=slaves,events").unwrap(), two);
        assert_eq!(kinds("kinds=slaves%2Cevents").unwrap(), two);
        for (query, field) in [
            ("kind=slaves", "kind"),
            ("kinds=slave", "kinds"),
            ("kinds=", "kinds"),
        ] {
            let error = kinds(query).unwrap_err();
            assert_eq!(error.field.as_deref(), Some(field), "{query}");
        }
    }
}
