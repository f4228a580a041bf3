//! `[log] events`: everything that happens, one line of JSON each: `ts`, `event`, and the keys of that event, which are
//! those of the API's events and of `[events]`.

use actix::{Actor, Addr, Context, Handler, Supervised};
use drftpd_actors::{Clock, EventBus};
use serde_json::{Map, Value, json};

use super::{LogFile, rfc3339};
use crate::api::events::{Shown, hear_reports};
use crate::events::{LoginChanged, LoginFailed, SharedRootChanged};
use crate::outbox::Numbered;

/// Hears the bus and writes it down.
pub(super) struct EventLog {
    pub file: LogFile,
    pub clock: Clock,
}

impl Actor for EventLog {
    type Context = Context<Self>;
}

impl Supervised for EventLog {}

impl<E: Shown> Handler<E> for EventLog {
    type Result = ();

    fn handle(&mut self, event: E, _: &mut Self::Context) {
        self.file
            .add(line(self.clock.unix(), E::NAME, event.data()));
    }
}

impl EventLog {
    /// Hears every event of the bus from now on.
    pub fn hear(name: &'static str, bus: &EventBus, actor: &Addr<Self>) {
        hear_reports(name, bus, actor);
        bus.subscribe::<LoginChanged>(name, actor.clone().recipient());
        bus.subscribe::<LoginFailed>(name, actor.clone().recipient());
        bus.subscribe::<SharedRootChanged>(name, actor.clone().recipient());
    }
}

/// An event of the outbox. Of logins the bus tells more.
pub(super) fn of_outbox(numbered: &Numbered) -> Option<String> {
    if numbered.event.kind() == "login" {
        return None;
    }
    let mut data = serde_json::to_value(&numbered.event).ok()?;
    data["seq"] = numbered.seq.into();
    if let Value::Object(data) = &mut data {
        data.remove("kind");
    }
    Some(line(numbered.at, numbered.event.kind(), data))
}

/// One line. JSON escapes what would end it, and every control character.
fn line(at: i64, event: &str, data: Value) -> String {
    let mut whole = Map::new();
    whole.insert("ts".to_owned(), rfc3339(at).into());
    whole.insert("event".to_owned(), event.into());
    if let Value::Object(data) = data {
        whole.extend(data);
    }
    let mut text = String::new();
    for c in Value::Object(whole).to_string().chars() {
        match c {
            // Not for JSON, but for terminals and for readers that take these for line ends.
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => {
                text += &format!("\\u{:04x}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    text.push('\n');
    text
}

impl Shown for LoginChanged {
    const NAME: &'static str = "login.changed";

    fn data(&self) -> Value {
        json!({
            "session": self.session.0, "user": self.user, "group": self.group, "client": self.client,
            "ident": self.ident, "secure": self.secure, "in": self.is_in,
        })
    }
}

impl Shown for LoginFailed {
    const NAME: &'static str = "login.failed";

    fn data(&self) -> Value {
        json!({ "session": self.session.0, "client": self.client })
    }
}

impl Shown for SharedRootChanged {
    const NAME: &'static str = "root.changed";

    fn data(&self) -> Value {
        json!({
            "slave": self.slave, "root": self.root,
            "edited": self.edited, "renamed": self.renamed, "removed": self.removed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::{At, Event};
    use drftpd_protocol::VfsPath;

    #[test]
    fn every_event_is_one_line_whatever_names_hold() {
        let event = Event::DirRemoved {
            path: At(VfsPath::absolute("/a\"b\\\u{85}\u{2028}".as_bytes()).unwrap()),
            by: Some("bob".to_owned()),
        };
        let (seq, at) = (7, 0);
        let line = of_outbox(&Numbered { seq, at, event }).unwrap();
        assert_eq!(
            line,
            "{\"by\":\"bob\",\"event\":\"dir.removed\",\"path\":\"/a\\\"b\\\\\\u0085\\u2028\",\
             \"seq\":7,\"ts\":\"1970-01-01T00:00:00Z\"}\n"
        );
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["path"], "/a\"b\\\u{85}\u{2028}");
    }
}
