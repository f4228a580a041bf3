//! What a check found.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// Findings of one area that are told one by one; the others are counted.
const MOST: u64 = 100;

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Of what: `database`, `tree`, `totals`, `identities`, `uploads`, `copies`, `digests`, `logs`, `people` or `owned`.
    pub area: &'static str,
    /// For people, on one line.
    pub what: String,
}

/// What was looked at, and what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// How many things are wrong; not all of them need be among `findings`.
    pub wrong: u64,
    /// Directories, the root among them.
    pub directories: u64,
    /// Files, also those that are not complete.
    pub files: u64,
    /// Good copies of files.
    pub copies: u64,
    /// Operations that roots have not acknowledged.
    pub orders: u64,
    /// At most 100 of each area, and a line with the number of its others.
    pub findings: Vec<Finding>,
}

impl Checked {
    /// For somebody who may not see everything: what is wrong names paths, so that is only counted.
    #[must_use]
    pub fn shown(mut self, sees_all: bool) -> Self {
        if !sees_all {
            self.findings.clear();
        }
        self
    }

    /// More that is wrong.
    pub(in crate::vfs) fn also(&mut self, area: &'static str, wrong: Vec<String>) {
        for what in wrong {
            self.wrong += 1;
            self.findings.push(Finding { area, what });
        }
    }
}

/// Gathers findings.
#[derive(Default)]
pub struct Findings {
    /// What was looked at, so far.
    pub seen: Checked,
    counts: BTreeMap<&'static str, u64>,
}

impl Findings {
    /// Notes something that is wrong.
    pub fn add(&mut self, area: &'static str, what: impl Into<String>) {
        self.seen.wrong += 1;
        let count = self.counts.entry(area).or_default();
        *count += 1;
        if *count <= MOST {
            let what = what.into();
            self.seen.findings.push(Finding { area, what });
        }
    }

    /// The whole, with what was not told.
    pub fn into_checked(mut self) -> Checked {
        for (area, count) in self.counts {
            if count > MOST {
                let what = format!("and {} more", count - MOST);
                self.seen.findings.push(Finding { area, what });
            }
        }
        self.seen
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "WRONG {}: {}", finding.area, finding.what)?;
        }
        write!(
            f,
            "{} directories, {} files, {} copies, {} orders: {} wrong",
            self.directories, self.files, self.copies, self.orders, self.wrong
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_a_million_times_is_told_a_hundred_times_and_counted() {
        let mut found = Findings::default();
        for n in 0..1_000_000 {
            found.add("totals", format!("{n}"));
        }
        found.add("logs", "one");
        let checked = found.into_checked();
        assert_eq!((checked.wrong, checked.findings.len()), (1_000_001, 102));
        let last = checked.findings.last().unwrap();
        assert_eq!(
            (last.area, last.what.as_str()),
            ("totals", "and 999900 more")
        );
    }
}
