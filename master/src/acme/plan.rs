//! When a certificate is ordered: pure. What is held, what failed and what the authority suggests come in; the next step
//! comes out.

use std::collections::BTreeSet;
use std::time::Duration;

use drftpd_actors::{Backoff, Dice};
use serde::{Deserialize, Serialize};

use super::config::{AcmeConfig, RenewBefore};

/// However long an authority wants to be left alone: once a day it is asked again.
const LONGEST_WISH: Duration = Duration::from_secs(24 * 3600);
/// Renewals are spread over this share of the time that is left for them.
const SPREAD: i64 = 10;

/// A certificate that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Valid from, Unix seconds.
    pub from: i64,
    /// Valid until, Unix seconds.
    pub until: i64,
    /// What it is for.
    pub names: BTreeSet<String>,
    /// The certificate itself, DER.
    pub der: Vec<u8>,
}

/// What outlives a restart beside the certificate itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// The directory of the authority that gave the certificate.
    pub directory: String,
    /// Orders that failed since the last that did not.
    pub failures: u32,
    /// When the first of them failed, Unix seconds.
    pub failing_since: i64,
    /// Why the last one failed.
    pub why: String,
    /// When the next one is tried, Unix seconds; 0 where nothing failed.
    pub next_try: i64,
}

/// Why a certificate is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// None is held that could be shown.
    First,
    /// It is not for all the names that are wanted.
    Names,
    /// Another authority gave it.
    Authority,
    /// Its time comes to an end.
    Renewal,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Order now.
    Order(Need),
    /// Ask the authority when it would renew.
    Ask,
    /// Nothing until then, Unix seconds.
    Wait(i64),
}

/// A time in which the authority would renew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// From, Unix seconds.
    pub start: i64,
    /// Until, Unix seconds.
    pub end: i64,
    /// When to ask again.
    pub again: Duration,
}

/// When the next order is due.
pub struct Plan {
    names: BTreeSet<String>,
    directory: String,
    before: RenewBefore,
    retry: (Duration, Duration),
    dice: Dice,
    held: Option<Held>,
    /// When that one is renewed.
    due: i64,
    /// When the authority is asked what it suggests.
    ask: i64,
    suggests: bool,
    /// How often the authority wanted a certificate renewed at once that it had only given.
    hurried: u32,
    record: Record,
}

impl Plan {
    /// With what was stored before. A failure of then delays the first try no longer than a first failure of now: who
    /// mends the configuration and starts again wants to see whether that helps.
    pub fn new(
        config: &AcmeConfig,
        (held, mut record): (Option<Held>, Record),
        now: i64,
        dice: Dice,
    ) -> Self {
        record.next_try = record.next_try.min(now + seconds(config.retry_from));
        let mut plan = Self {
            names: config.names(),
            directory: config.directory.clone(),
            before: config.renew_before,
            retry: (config.retry_from, config.retry_to),
            dice,
            held: None,
            due: 0,
            ask: 0,
            suggests: false,
            hurried: 0,
            record,
        };
        if let Some(held) = held {
            plan.hold(held, now);
        }
        if plan.need(now).is_none() {
            // What failed is not wanted any more.
            let directory = std::mem::take(&mut plan.record.directory);
            plan.record = Record {
                directory,
                ..Record::default()
            };
        }
        plan
    }

    fn hold(&mut self, held: Held, now: i64) {
        let left = left(&held, self.before);
        let spread = u64::try_from(left / SPREAD).unwrap_or(0);
        let early = i64::try_from(self.dice.below(spread.saturating_add(1))).unwrap_or(0);
        self.due = held.until - left - early;
        self.ask = now;
        self.suggests = false;
        self.held = Some(held);
    }

    /// What to do now.
    pub fn next(&self, now: i64) -> Next {
        let need = self.need(now);
        let after = self.record.next_try;
        match need {
            Some(need) if now >= after => Next::Order(need),
            Some(_) => Next::Wait(after),
            None if now >= self.ask => Next::Ask,
            None => Next::Wait(self.due.min(self.ask)),
        }
    }

    fn need(&self, now: i64) -> Option<Need> {
        let Some(held) = &self.held else {
            return Some(Need::First);
        };
        if !held.names.is_superset(&self.names) {
            return Some(Need::Names);
        }
        if self.record.directory != self.directory {
            return Some(Need::Authority);
        }
        (now >= self.due).then_some(Need::Renewal)
    }

    /// An order failed. `wish`: how long the authority wants to be left alone.
    pub fn failed(&mut self, why: String, wish: Option<Duration>, now: i64) {
        if self.record.failures == 0 {
            self.record.failing_since = now;
        }
        self.record.failures = self.record.failures.saturating_add(1);
        self.record.why = why;
        self.pause(wish, now);
    }

    fn pause(&mut self, wish: Option<Duration>, now: i64) {
        let wish = wish.unwrap_or_default().min(LONGEST_WISH);
        let wait = self.wait(self.record.failures).max(wish);
        self.record.next_try = now.saturating_add(seconds(wait).max(1));
    }

    /// The pause after so many failures, one or more; a restart forgets none.
    fn wait(&self, failures: u32) -> Duration {
        let mut backoff = Backoff::new(self.retry.0, self.retry.1, self.dice.clone());
        for _ in 1..failures.min(32) {
            backoff.next_wait();
        }
        backoff.next_wait()
    }

    /// There is a new certificate.
    pub fn issued(&mut self, held: Held, now: i64) {
        let fresh = Record {
            directory: self.directory.clone(),
            ..Record::default()
        };
        let before = std::mem::replace(&mut self.record, fresh);
        self.hold(held, now);
        // Orders must not follow each other without a pause, further and further apart.
        if self.need(now).is_some() {
            self.record.failures = before.failures;
            self.record.failing_since = before.failing_since;
            let why = "the certificate that the authority gave is due for renewal already: look at the clocks";
            self.failed(why.to_owned(), None, now);
        }
    }

    /// What the authority suggests, or nothing; what the configuration says is the latest.
    pub fn suggested(&mut self, window: Option<Window>, otherwise: Duration, now: i64) {
        let again = window.map_or(otherwise, |window| window.again.max(otherwise / 24));
        self.ask = now.saturating_add(seconds(again.min(LONGEST_WISH)).max(60));
        let Some(window) = window.filter(|window| window.end >= window.start) else {
            return;
        };
        self.suggests = true;
        // Within the window already, or before it as the operator wants: the time that was chosen still counts.
        if self.due <= window.end {
            self.hurried = 0;
            return;
        }
        let width = u64::try_from(window.end - window.start).unwrap_or(0);
        let into = i64::try_from(self.dice.below(width.saturating_add(1))).unwrap_or(0);
        self.due = window.start.saturating_add(into);
        if self.due > now {
            self.hurried = 0;
            return;
        }
        if self.hurried > 0 {
            self.due = now.saturating_add(seconds(self.wait(self.hurried)).max(1));
        }
        self.hurried = self.hurried.saturating_add(1);
    }

    /// The operator wants a try now.
    pub fn now(&mut self) {
        self.record.next_try = 0;
    }

    /// The certificate that is held.
    pub fn held(&self) -> Option<&Held> {
        self.held.as_ref()
    }

    /// The certificate that an order would replace, where the authority wants to be told.
    pub fn replaces(&self) -> Option<Vec<u8>> {
        let told = self.suggests && self.record.failures == 0;
        let held = self.held.as_ref().filter(|_| told)?;
        Some(held.der.clone())
    }

    /// When the one that is held is renewed, Unix seconds.
    pub fn due(&self) -> i64 {
        self.due
    }

    /// What outlives a restart.
    pub fn record(&self) -> &Record {
        &self.record
    }
}

/// How many seconds before its end a certificate is renewed: never before half of its life is over.
fn left(held: &Held, before: RenewBefore) -> i64 {
    let life = held.until.saturating_sub(held.from).max(0);
    let before = match before {
        RenewBefore::Share(share) => life.saturating_mul(i64::from(share)) / 100,
        RenewBefore::Time(time) => seconds(time),
    };
    before.min(life / 2)
}

/// When a certificate has to be renewed at the latest, Unix seconds.
pub fn latest(held: &Held, before: RenewBefore) -> i64 {
    held.until - left(held, before)
}

fn seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
