//! DrFTPD's form: `directive path [arguments] words…`, one a line; `#` begins a comment. `command name words…` is ours.

use super::{Commands, HIDE_IN_STATS, Reading, Rest};

pub(super) fn read<'c>(text: &str, commands: &'c Commands) -> Reading<'c> {
    let mut reading = Reading::new(commands);
    let lines = text.trim_start_matches('\u{feff}').lines();
    for (at, line) in lines.enumerate() {
        let mut words = line
            .split_whitespace()
            .take_while(|word| !word.starts_with('#'));
        if let Some(name) = words.next() {
            read_line(&mut reading, at + 1, name, words.collect());
        }
    }
    reading
}

fn read_line(reading: &mut Reading<'_>, number: usize, name: &str, words: Vec<&str>) {
    let mut words = words.into_iter();
    if name == "command" {
        return match words.next() {
            Some(command) => reading.command(number, command, words),
            None => reading.wrong(number, "command: its name is missing"),
        };
    }
    if name == HIDE_IN_STATS {
        return reading.hide_in_stats(number, words);
    }
    let Some(of) = reading.named(number, name) else {
        return;
    };
    let Some(path) = words.next() else {
        return reading.wrong(number, format!("{name}: the path is missing"));
    };
    let arguments = words.by_ref().take(of.0.form().arguments.len()).collect();
    let people = words.collect();
    reading.line(number, of, path, Rest { arguments, people });
}
