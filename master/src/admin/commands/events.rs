//! Who is told what has happened: `event readers`.

use std::fmt;

use serde::Serialize;

use super::super::{AdminError, Answer, Command, Cx, Outcome, Permission};
use super::table;
use crate::outbox::ReaderState;

/// `event readers`.
pub(in crate::admin) const LIST: Command = Command {
    name: "event readers",
    site: &["EVENTREADERS"],
    params: &[],
    about: "shows who is told what has happened, and what waits for each",
    permission: Permission::Operator,
    changes: false,
    run: |cx, _| Box::pin(list(cx)),
};

#[derive(Serialize)]
struct Readers {
    readers: Vec<Reader>,
}

#[derive(Serialize)]
struct Reader {
    name: String,
    waiting: u64,
    oldest: Option<i64>,
    failures: u32,
    dropped: u64,
    why: Option<String>,
}

async fn list(cx: Cx) -> Outcome {
    let mut states = cx.online()?.outbox.readers();
    let places = crate::outbox::places(&cx.of.store, &cx.of.blocking).await;
    let places = places.map_err(|why| AdminError::failed(&why))?;
    let readers = places.into_iter().map(|place| {
        let state = states.remove(&place.reader).unwrap_or_default();
        let ReaderState {
            failures,
            why,
            dropped,
        } = state;
        Reader {
            name: place.reader,
            waiting: place.waiting,
            oldest: place.oldest,
            failures,
            dropped,
            why,
        }
    });
    Answer::of(&Readers {
        readers: readers.collect(),
    })
}

impl fmt::Display for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heading = ["name", "waiting", "oldest", "dropped", "failures", "why"];
        let rows = self.readers.iter().map(|reader| {
            [
                reader.name.clone(),
                reader.waiting.to_string(),
                reader.oldest.map_or_else(|| "-".into(), table::moment),
                reader.dropped.to_string(),
                reader.failures.to_string(),
                reader.why.clone().unwrap_or_else(|| "-".into()),
            ]
        });
        match self.readers.is_empty() {
            true => writeln!(f, "nobody is told ([events] names no reader)"),
            false => table::write(f, heading, &rows.collect::<Vec<_>>()),
        }
    }
}
