//! What filters give to slaves by name: `NAME+N`, `NAME-N` or `NAME+remove`; `all` is every slave.

use std::fmt;
use std::str::FromStr;

use drftpd_protocol::SlaveId;
use serde::{Deserialize, Deserializer};

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Assign {
    /// `None`: every slave.
    pub slave: Option<SlaveId>,
    /// `None`: out.
    pub points: Option<i64>,
}

impl Assign {
    /// Whether it is about this slave.
    pub fn is_of(&self, slave: &SlaveId) -> bool {
        self.slave.as_ref().is_none_or(|of| of == slave)
    }
}

/// It is written otherwise.
#[derive(Debug)]
pub(super) struct NotAssign;

impl fmt::Display for NotAssign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be NAME+N, NAME-N or NAME+remove (NAME may be all)")
    }
}

impl FromStr for Assign {
    type Err = NotAssign;

    fn from_str(text: &str) -> Result<Self, NotAssign> {
        let at = text.rfind(['+', '-']).ok_or(NotAssign)?;
        let (name, points) = text.split_at(at);
        let slave = match name {
            "all" => None,
            name => Some(SlaveId::new(name).map_err(|_| NotAssign)?),
        };
        let points = match points {
            "+remove" => None,
            points => Some(points.parse().map_err(|_| NotAssign)?),
        };
        Ok(Assign { slave, points })
    }
}

impl<'de> Deserialize<'de> for Assign {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_assignment_is_refused() {
        for bad in ["a", "a+", "+5", "a+x", "a-remove", "a b+1", ""] {
            assert!(bad.parse::<Assign>().is_err(), "{bad}");
        }
    }
}
