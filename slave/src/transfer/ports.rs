//! Passive port ranges, pure: which port to try next, and which one to announce for it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Ports from `first` to `last`, both of them included. `0` alone: any port the system has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PortRange {
    first: u16,
    last: u16,
}

/// Why a text is not a range of ports.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortRangeError {
    /// Not `FIRST-LAST`.
    #[error("must be like 50000-50999")]
    NotARange,
    /// The first is above the last, or is 0 in a range.
    #[error("must begin with the lower port, above 0")]
    Backwards,
}

impl PortRange {
    /// Whatever port the system has free.
    pub const ANY: PortRange = PortRange { first: 0, last: 0 };

    /// A range.
    ///
    /// # Errors
    /// When it is empty, or begins at 0 without being [`PortRange::ANY`].
    pub const fn new(first: u16, last: u16) -> Result<Self, PortRangeError> {
        if first > last || (first == 0 && last != 0) {
            return Err(PortRangeError::Backwards);
        }
        Ok(PortRange { first, last })
    }

    /// How many ports it has.
    pub fn count(self) -> u32 {
        u32::from(self.last - self.first) + 1
    }

    /// Every port of the range once, beginning with the one at `start` (modulo its length). Beginning
    /// at random keeps several processes on one range out of each other's way, and tells a stranger
    /// nothing about the next port.
    pub fn from(self, start: u32) -> impl Iterator<Item = u16> {
        let count = self.count();
        (0..count).map(move |step| self.first + ((start % count + step) % count) as u16)
    }

    /// The port of `outside` at the place that `port` has here; the port itself for one that is not
    /// in the range.
    pub fn seen_as(self, port: u16, outside: PortRange) -> u16 {
        let inside = self != PortRange::ANY && (self.first..=self.last).contains(&port);
        match inside.then(|| outside.first.checked_add(port - self.first)) {
            Some(Some(mapped)) => mapped,
            _ => port,
        }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.first, self.last) {
            (first, last) if first == last => write!(f, "{first}"),
            (first, last) => write!(f, "{first}-{last}"),
        }
    }
}

impl FromStr for PortRange {
    type Err = PortRangeError;

    fn from_str(text: &str) -> Result<Self, PortRangeError> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let port = |part: &str| part.trim().parse().map_err(|_| PortRangeError::NotARange);
        PortRange::new(port(first)?, port(last)?)
    }
}

impl TryFrom<String> for PortRange {
    type Error = PortRangeError;

    fn try_from(text: String) -> Result<Self, PortRangeError> {
        text.parse()
    }
}

impl From<PortRange> for String {
    fn from(range: PortRange) -> String {
        range.to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_port_is_tried_once_from_any_start() {
        let range: PortRange = "65533-65535".parse().unwrap();
        assert_eq!(range.from(0).collect::<Vec<_>>(), [65533, 65534, 65535]);
        assert_eq!(range.from(2).collect::<Vec<_>>(), [65535, 65533, 65534]);
        for start in [7, u32::MAX] {
            assert_eq!(range.from(start).collect::<BTreeSet<_>>().len(), 3);
        }
        let all: PortRange = "1-65535".parse().unwrap();
        assert_eq!(all.from(u32::MAX).count(), 65535);
    }

    #[test]
    fn any_port_is_one_try() {
        assert_eq!(PortRange::ANY.from(9).collect::<Vec<_>>(), [0]);
        assert_eq!("0".parse(), Ok(PortRange::ANY));
    }

    #[test]
    fn a_port_is_announced_by_its_place_in_the_range() {
        let inside: PortRange = "50000-50099".parse().unwrap();
        let outside: PortRange = "1100-1199".parse().unwrap();
        assert_eq!(inside.seen_as(50042, outside), 1142);
        assert_eq!(inside.seen_as(40000, outside), 40000);
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for bad in ["", "a-b", "1-", "-1", "70000-70001"] {
            assert_eq!(
                bad.parse::<PortRange>(),
                Err(PortRangeError::NotARange),
                "{bad}"
            );
        }
        assert_eq!("9-8".parse::<PortRange>(), Err(PortRangeError::Backwards));
        assert_eq!("0-8".parse::<PortRange>(), Err(PortRangeError::Backwards));
    }

    #[test]
    fn a_range_is_written_as_it_is_read() {
        for text in ["50000-50999", "2121", "0"] {
            assert_eq!(text.parse::<PortRange>().unwrap().to_string(), text);
        }
    }
}
