//! Sessions, slaves and running transfers, looked at once a second while somebody follows: what is different from the
//! look before is told. The comparison is pure.

use std::collections::BTreeMap;
use std::time::Duration;

use drftpd_protocol::SlaveId;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::sleep;

use super::events::{About, Told};
use crate::admin::commands::sessions::way;
use crate::ftp::{SessionInfo, SessionsClient};
use crate::slaves::{SlaveView, SlaveViews};

/// How often.
const EVERY: Duration = Duration::from_secs(1);
/// Running transfers that are shown; of more, how many more.
const MOST: usize = 1000;

/// Looks for ever.
pub(super) async fn look(told: Told, sessions: SessionsClient, views: watch::Receiver<SlaveViews>) {
    let mut before: Option<Seen> = None;
    loop {
        if told.followers() == 0 {
            before = None;
            told.begun.notified().await;
        }
        // One that does not answer now will at the next look.
        if let Ok(list) = sessions.list().await {
            let now = Seen::of(&list, &views.borrow());
            if let Some(before) = &before {
                now.tell(before, &told);
            }
            let moved = before.is_some_and(|before| before.moving);
            if now.moving || moved {
                told.run(&running(&list));
            }
            before = Some(now);
        }
        sleep(EVERY).await;
    }
}

/// What is there at one look.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    sessions: BTreeMap<u64, Session>,
    slaves: BTreeMap<SlaveId, Slave>,
    /// Whether any transfer runs.
    moving: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Session {
    peer: String,
    user: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
struct Slave {
    state: &'static str,
    drained: bool,
    evacuated: bool,
    maintenance: bool,
}

impl Seen {
    fn of(sessions: &[SessionInfo], slaves: &SlaveViews) -> Self {
        let session = |info: &SessionInfo| {
            let session = Session {
                peer: info.peer.ip().to_string(),
                user: info.user.clone(),
            };
            (info.session.0, session)
        };
        Self {
            sessions: sessions.iter().map(session).collect(),
            slaves: slaves
                .iter()
                .map(|(name, view)| (name.clone(), slave(view)))
                .collect(),
            moving: sessions.iter().any(|info| info.transfer.is_some()),
        }
    }

    /// Tells what is different from before.
    fn tell(&self, before: &Self, told: &Told) {
        for (number, session) in &self.sessions {
            let name = match before.sessions.get(number) {
                None => "session.opened",
                Some(then) if then != session => "session.changed",
                Some(_) => continue,
            };
            told.tell(About::Sessions, name, || session.shown(*number));
        }
        for (number, session) in &before.sessions {
            if !self.sessions.contains_key(number) {
                told.tell(About::Sessions, "session.closed", || session.shown(*number));
            }
        }
        for (name, slave) in &self.slaves {
            let what = match before.slaves.get(name) {
                None => "slave.online",
                Some(then) if then != slave => "slave.changed",
                Some(_) => continue,
            };
            told.tell(About::Slaves, what, || slave.shown(name));
        }
        for name in before.slaves.keys() {
            if !self.slaves.contains_key(name) {
                told.tell(About::Slaves, "slave.offline", || json!({ "slave": name }));
            }
        }
    }
}

impl Session {
    fn shown(&self, number: u64) -> Value {
        json!({ "session": number, "peer": self.peer, "user": self.user })
    }
}

fn slave(view: &SlaveView) -> Slave {
    let state = match (view.held.is_empty(), view.remerging) {
        (false, _) => "held",
        (true, true) => "remerging",
        (true, false) => "online",
    };
    Slave {
        state,
        drained: view.standing.drained,
        evacuated: view.standing.evacuated,
        maintenance: view.standing.maintenance,
    }
}

impl Slave {
    fn shown(&self, name: &SlaveId) -> Value {
        json!({
            "slave": name, "state": self.state, "drained": self.drained,
            "evacuated": self.evacuated, "maintenance": self.maintenance,
        })
    }
}

/// All transfers that run, with how far they are.
fn running(sessions: &[SessionInfo]) -> Value {
    let all = sessions
        .iter()
        .filter_map(|info| Some((info, info.transfer.as_ref()?)));
    let shown = all.clone().take(MOST).map(|(info, moving)| {
        let seconds = moving.since.elapsed().as_secs_f64();
        json!({
            "session": info.session.0, "user": info.user, "direction": way(moving.direction),
            "path": moving.path.to_string(), "bytes": moving.bytes, "seconds": seconds,
            "bytes_per_second": (moving.bytes as f64 / seconds.max(0.001)) as u64,
        })
    });
    let shown: Vec<Value> = shown.collect();
    let more = all.count() - shown.len();
    json!({ "transfers": shown, "more": more })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(sessions: &[(u64, Option<&str>)], slaves: &[(&str, bool)]) -> Seen {
        let session = |user: Option<&str>| Session {
            peer: "192.0.2.1".to_owned(),
            user: user.map(str::to_owned),
        };
        let slave = |drained| Slave {
            state: "online",
            drained,
            evacuated: false,
            maintenance: false,
        };
        let name = |name: &str| SlaveId::new(name).unwrap();
        Seen {
            sessions: sessions
                .iter()
                .map(|(n, user)| (*n, session(*user)))
                .collect(),
            slaves: slaves
                .iter()
                .map(|(it, drained)| (name(it), slave(*drained)))
                .collect(),
            moving: false,
        }
    }

    #[test]
    fn only_what_is_different_is_told() {
        let told = Told::new(16);
        let (mut lines, _running) = told.follow();
        let before = seen(
            &[(1, Some("ann")), (2, None), (3, None)],
            &[("a", false), ("b", false)],
        );
        let now = seen(
            &[(1, Some("ann")), (2, Some("bob")), (4, None)],
            &[("a", true), ("c", false)],
        );
        now.tell(&before, &told);
        let mut names = Vec::new();
        while let Ok(line) = lines.try_recv() {
            names.push(format!("{} {}", line.name, line.data));
        }
        let begins = [
            ("session.changed", "\"bob\""),
            ("session.opened", "4"),
            ("session.closed", "3"),
            ("slave.changed", "\"drained\":true"),
            ("slave.online", "\"c\""),
            ("slave.offline", "\"b\""),
        ];
        assert_eq!(names.len(), begins.len(), "{names:?}");
        for (line, (name, has)) in names.iter().zip(begins) {
            assert!(line.starts_with(name) && line.contains(has), "{line}");
        }
        now.tell(&now, &told);
        assert!(lines.try_recv().is_err());
    }
}
