//! Lines that wait for their turn, and what becomes of a line that arrives while a verb runs: pure.

use std::collections::VecDeque;

use drftpd_protocol::ftp::{Line, LineFault};

use super::verbs::{self, Kind, Verb, WhileBusy};

/// Lines that may wait. With so many the client is not read any more, and after a while it is sent away.
const MAX_WAITING: usize = 32;

/// Verbs of HTTP. None of them is one of FTP; a browser that was led here must hear as little as possible.
const HTTP: [&str; 9] = [
    "GET", "POST", "HEAD", "PUT", "OPTIONS", "CONNECT", "DELETE", "TRACE", "PATCH",
];

/// What becomes of a line.
pub(super) enum Turn {
    /// It waits behind the others (or is the first of them).
    Waits,
    /// ABOR: cuts what runs.
    Cuts,
    /// Carried out at once, beside what runs.
    Overtakes(&'static Verb),
}

/// Lines that wait for their turn, faulty ones among them.
#[derive(Default)]
pub(super) struct Queue {
    waiting: VecDeque<Result<Line, LineFault>>,
    taken: u64,
}

impl Queue {
    pub fn push(&mut self, line: Result<Line, LineFault>) {
        self.waiting.push_back(line);
    }

    pub fn pop(&mut self) -> Option<Result<Line, LineFault>> {
        let line = self.waiting.pop_front();
        self.taken += u64::from(line.is_some());
        line
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub fn is_full(&self) -> bool {
        self.waiting.len() >= MAX_WAITING
    }

    /// How many lines have been taken so far; tells whether anything moves.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    pub fn clear(&mut self) {
        self.waiting = VecDeque::new();
    }

    /// What becomes of a line that arrives while a verb of this kind runs, and perhaps another beside it.
    pub fn turn(&self, line: &Line, runs: Option<Kind>, beside: bool) -> Turn {
        let Some(Kind::Long | Kind::Data) = runs else {
            return Turn::Waits;
        };
        let Some(verb) = verbs::find(line.verb.as_str()) else {
            return Turn::Waits;
        };
        let overtakes = match verb.while_busy {
            WhileBusy::Waits => false,
            WhileBusy::Bare => line.arg.is_none(),
            WhileBusy::Runs => true,
        };
        match verb.kind {
            Kind::Abort => Turn::Cuts,
            // Replies stay in the order of their lines, but for the one of the transfer.
            _ if overtakes && !beside && self.is_empty() => Turn::Overtakes(verb),
            _ => Turn::Waits,
        }
    }
}

/// Whether a verb is one of HTTP.
pub(super) fn is_http(verb: &str) -> bool {
    HTTP.contains(&verb)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &'static str) -> Line {
        Line::parse(text).unwrap()
    }

    #[test]
    fn while_a_transfer_runs_only_what_may_overtakes_it() {
        let queue = Queue::default();
        let turn = |text| queue.turn(&line(text), Some(Kind::Data), false);
        assert!(matches!(turn("NOOP"), Turn::Overtakes(verb) if verb.name == "NOOP"));
        assert!(matches!(turn("ABOR"), Turn::Cuts));
        assert!(matches!(turn("PWD"), Turn::Waits));
        assert!(matches!(turn("QUIT"), Turn::Waits));
        assert!(matches!(turn("BOGUS"), Turn::Waits));
    }

    #[test]
    fn nothing_overtakes_a_short_verb_or_a_line_that_waits() {
        let mut queue = Queue::default();
        let noop = line("NOOP");
        assert!(matches!(
            queue.turn(&noop, Some(Kind::Quick), false),
            Turn::Waits
        ));
        assert!(matches!(queue.turn(&noop, None, false), Turn::Waits));
        assert!(matches!(
            queue.turn(&noop, Some(Kind::Data), true),
            Turn::Waits
        ));
        queue.push(Ok(line("PWD")));
        assert!(matches!(
            queue.turn(&noop, Some(Kind::Data), false),
            Turn::Waits
        ));
        assert!(matches!(
            queue.turn(&line("ABOR"), Some(Kind::Data), false),
            Turn::Cuts
        ));
    }

    #[test]
    fn no_verb_of_ours_is_one_of_http() {
        for verb in verbs::VERBS {
            assert!(!is_http(verb.name));
            assert!(!verb.aliases.iter().any(|alias| is_http(alias)));
        }
    }
}
