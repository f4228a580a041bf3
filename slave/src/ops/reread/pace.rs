//! How fast a file is read again, pure.

use std::time::Duration;

/// Turns of a limited reading in a second, about.
const TURNS: u64 = 4;
/// Bytes of one turn: enough for a disk to be worth the way, and soon over for who waits for the disk.
const LEAST: u64 = 64 << 10;
const MOST: u64 = 4 << 20;
/// What a file counts at least: finding it costs as much as reading that.
const OF_A_FILE: u64 = 64 << 10;

/// What may be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing: clients have the disk.
    Wait,
    /// Read so many bytes at most.
    Read(u64),
}

/// The pace of one file.
#[derive(Debug)]
pub(super) struct Pace {
    idle: u64,
    busy: u64,
    /// Bytes per second of the turn that runs; 0 without a limit.
    rate: u64,
    /// Bytes that this file counted.
    counted: u64,
}

impl Pace {
    /// Bytes per second at most while nobody else uses the disk, 0 without a limit, and while somebody does, 0 for
    /// none.
    pub(super) fn new(idle: u64, busy: u64) -> Self {
        Self {
            idle,
            busy,
            rate: idle,
            counted: 0,
        }
    }

    /// What may be done now that the disk is in use by clients or not.
    pub(super) fn step(&mut self, in_use: bool) -> Step {
        self.rate = match (in_use, self.idle) {
            (false, idle) => idle,
            (true, _) if self.busy == 0 => return Step::Wait,
            (true, 0) => self.busy,
            (true, idle) => idle.min(self.busy),
        };
        Step::Read(match self.rate {
            0 => MOST,
            rate => (rate / TURNS).clamp(LEAST, MOST),
        })
    }

    /// How long to rest after a turn that read so many bytes; `last`: they were the last ones.
    pub(super) fn rest(&mut self, read: u64, last: bool) -> Duration {
        let short = OF_A_FILE.saturating_sub(self.counted.saturating_add(read));
        let counts = if last { read + short } else { read };
        self.counted = self.counted.saturating_add(counts);
        match self.rate {
            0 => Duration::ZERO,
            rate => Duration::from_secs_f64(counts as f64 / rate as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// Seconds that a file of this size takes.
    fn seconds(pace: &mut Pace, mut size: u64, in_use: bool) -> f64 {
        let mut took = Duration::ZERO;
        loop {
            let Step::Read(most) = pace.step(in_use) else {
                panic!("it may not read");
            };
            let read = size.min(most);
            size -= read;
            took += pace.rest(read, size == 0);
            if size == 0 {
                return took.as_secs_f64();
            }
        }
    }

    #[test]
    fn a_file_takes_the_time_that_the_rate_says_and_longer_while_the_disk_is_in_use() {
        assert_eq!(
            seconds(&mut Pace::new(16 * MIB, MIB), 160 * MIB, false),
            10.0
        );
        assert_eq!(
            seconds(&mut Pace::new(16 * MIB, MIB), 160 * MIB, true),
            160.0
        );
        assert_eq!(seconds(&mut Pace::new(MIB, 16 * MIB), MIB, true), 1.0);
        assert_eq!(seconds(&mut Pace::new(0, MIB), 2 * MIB, true), 2.0);
        assert_eq!(seconds(&mut Pace::new(0, 0), 1 << 40, false), 0.0);
    }

    #[test]
    fn nothing_is_read_beside_clients_when_nothing_may_be() {
        let mut pace = Pace::new(MIB, 0);
        assert_eq!(pace.step(true), Step::Wait);
        assert_eq!(pace.step(false), Step::Read(MIB / 4));
        assert_eq!(Pace::new(0, 0).step(true), Step::Wait);
    }

    #[test]
    fn a_thousand_small_files_take_their_time_too() {
        let all: f64 = (0..1000)
            .map(|_| seconds(&mut Pace::new(MIB, MIB), 1, false))
            .sum();
        assert!((62.0..63.0).contains(&all), "{all}");
    }

    #[test]
    fn turns_are_short_and_worth_the_way() {
        for (rate, turn) in [
            (1, 64 << 10),
            (MIB, 256 << 10),
            (1 << 40, 4 << 20),
            (0, 4 << 20),
        ] {
            assert_eq!(Pace::new(rate, 0).step(false), Step::Read(turn), "{rate}");
        }
    }
}
