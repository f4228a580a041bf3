//! One entry of a directory, and what is wrong with some.

use std::io;

use drftpd_protocol::path::Name;
use drftpd_protocol::wire::{WalkEntry, WalkNode};

use super::{LOST_FOUND, Level, MAX_PROBLEM, MAX_PROBLEMS, Walk};
use crate::storage::error::is_barrier;
use crate::storage::identity::RESERVED;
use crate::storage::mark::{self, Seen};
use crate::sys::entry::{self, Kind, Look};

impl Walk {
    /// What a name of a directory leads to, if it is any of the walk's business.
    pub(super) fn entry(&mut self, level: &Level, name: Vec<u8>) -> Option<WalkEntry> {
        if self.path.is_empty() && (name == RESERVED || name == LOST_FOUND) {
            return None;
        }
        let name = match Name::new(name.clone()) {
            Ok(name) => name,
            Err(error) => {
                self.problem(&name, &error.to_string());
                return None;
            }
        };
        match look(level, &name) {
            Ok(None) => None,
            Ok(Some((look, seen))) => {
                if self.is_never_ours(level, &name, &look, seen) {
                    let why = "this slave may not write it, so that it can get no identity";
                    self.problem(name.as_bytes(), why);
                    return None;
                }
                self.seen(name, look, seen)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound || is_barrier(&error) => None,
            Err(error) => {
                self.incomplete(name.as_bytes(), &error.to_string());
                None
            }
        }
    }

    /// On a shared root: whether a file belongs to somebody whose files this slave cannot mark. It would be taken for an
    /// edit at every walk.
    fn is_never_ours(&self, level: &Level, name: &Name, look: &Look, seen: Seen) -> bool {
        let unmarked = look.kind == Kind::File && seen == Seen::Nothing;
        let may = || entry::may_be_marked(level.listing.fd()?, name.as_bytes(), look);
        self.root.shared().is_some() && unmarked && !may().unwrap_or(true)
    }

    fn seen(&mut self, name: Name, look: Look, seen: Seen) -> Option<WalkEntry> {
        if let Seen::Newer(version) = seen {
            let what = format!("its identity has version {version}");
            self.incomplete(name.as_bytes(), &what);
            return None;
        }
        if look.device != self.live.device {
            self.incomplete(name.as_bytes(), "another mount");
            return None;
        }
        let node = match look.kind {
            Kind::Dir => WalkNode::Dir { id: seen.dir() },
            Kind::File => {
                let mark = seen.file();
                let shared = self.root.shared().is_some();
                let edited = shared && mark.is_some_and(|mark| mark.is_outdated(&look));
                WalkNode::File {
                    size: look.size,
                    file: mark.map(|mark| mark.file),
                    crc32: mark.and_then(|mark| mark.crc32),
                    blake3: mark.and_then(|mark| mark.blake3),
                    edited,
                    busy: (edited || mark.is_none()) && self.root.is_busy(&look),
                }
            }
            Kind::Other => {
                self.problem(name.as_bytes(), "neither a file nor a directory");
                return None;
            }
        };
        Some(WalkEntry {
            name,
            node,
            modified: look.modified,
        })
    }

    /// Something was not seen that may be a copy.
    pub(super) fn incomplete(&mut self, name: &[u8], why: &str) {
        self.seen.complete = false;
        self.problem(name, why);
    }

    fn problem(&mut self, name: &[u8], why: &str) {
        if self.seen.problems.len() >= MAX_PROBLEMS {
            self.problems_left_out += 1;
            return;
        }
        let mut path = String::new();
        for step in &self.path {
            path.push_str(&format!("/{}", step.name));
        }
        let mut text = format!("{path}/{}: {why}", name.escape_ascii());
        if text.len() > MAX_PROBLEM {
            text = text.split_off(text.ceil_char_boundary(text.len() - MAX_PROBLEM));
        }
        self.seen.problems.push(text);
    }
}

/// What lies under a name; links and the like without asking for their mark.
fn look(level: &Level, name: &Name) -> io::Result<Option<(Look, Seen)>> {
    let dir = level.listing.fd()?;
    let Some(look) = entry::look(dir, name.as_bytes())? else {
        return Ok(None);
    };
    let seen = match look.kind {
        Kind::Other => Seen::Nothing,
        _ => mark::read_entry(dir, name.as_bytes())?,
    };
    Ok(Some((look, seen)))
}
