//! What the health page is told to look at.

use std::time::Duration;

use actix::Recipient;
use drftpd_actors::{Health, Ping, Place};

use crate::deps::Deps;

/// How often core actors are asked whether they live.
const PING_EVERY: Duration = Duration::from_secs(1);

/// Pings actors and measures arbiters.
pub(super) struct Watch<'a> {
    pub health: &'a Health,
    pub within: Duration,
}

impl Watch<'_> {
    pub fn places(&self, deps: &Deps) {
        if !deps.on_a_machine {
            return;
        }
        self.health.watch("main", &Place::here());
        for (name, place) in deps.places.named() {
            self.health.watch(name, place);
        }
    }

    pub fn actor(&self, name: &str, ping: &Recipient<Ping>) {
        self.health.watch_actor(name, ping, PING_EVERY, self.within);
    }
}
