//! The clock: certificates and identities need one that does not go back.

use super::{Finding, Known, Notes};

/// 2026-01-01: nothing of this was made before.
const FIRST: i64 = 1_767_225_600;
/// So far ahead of the clock the store may be without a word (a start within the same second).
const SLACK: i64 = 60;

pub(super) fn look(known: &Known, found: &mut Vec<Finding>) {
    let mut notes = Notes {
        area: "clock",
        found,
    };
    if known.now < FIRST {
        return notes.wrong(
            "the clock says that it is before 2026",
            "set it: no certificate is valid yet, and slaves and clients are refused",
        );
    }
    let behind = known.began - known.now;
    if behind > SLACK {
        return notes.wrong(
            format!("the clock is {behind} s behind the last start of this store"),
            "set it; times of files and of bans are wrong until then",
        );
    }
    notes.good("the clock is not behind the store");
}
