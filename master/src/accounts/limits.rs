//! Limits of users and of groups: one table, from which the store, the commands and their help have the names. Pure.

use std::collections::BTreeMap;
use std::fmt;

/// What can be limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limit {
    /// Logins at once.
    Logins,
    /// Logins at once from one address.
    LoginsPerAddress,
    /// Uploads at once.
    Uploads,
    /// Downloads at once.
    Downloads,
    /// How long a session may say nothing; 0: for ever.
    Idle,
    /// Speed of all uploads together.
    RateUp,
    /// Speed of all downloads together.
    RateDown,
    /// Speed of each upload.
    TransferUp,
    /// Speed of each download.
    TransferDown,
    /// Bytes up in a day.
    DayUp,
    /// Bytes down in a day.
    DayDown,
    /// Bytes up in a week.
    WeekUp,
    /// Bytes down in a week.
    WeekDown,
    /// Bytes up in a month.
    MonthUp,
    /// Bytes down in a month.
    MonthDown,
    /// Bytes that files may take: a user's own, or all that have the group.
    Disk,
    /// How many files that may be.
    DiskFiles,
}

/// What a limit is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// Bytes per second.
    Rate,
}

/// Every limit with its name and its unit.
pub const LIMITS: &[(Limit, &str, Unit)] = &[
    (Limit::Logins, "logins", Unit::Count),
    (Limit::LoginsPerAddress, "logins_per_address", Unit::Count),
    (Limit::Uploads, "uploads", Unit::Count),
    (Limit::Downloads, "downloads", Unit::Count),
    (Limit::Idle, "idle", Unit::Seconds),
    (Limit::RateUp, "rate_up", Unit::Rate),
    (Limit::RateDown, "rate_down", Unit::Rate),
    (Limit::TransferUp, "transfer_up", Unit::Rate),
    (Limit::TransferDown, "transfer_down", Unit::Rate),
    (Limit::DayUp, "day_up", Unit::Bytes),
    (Limit::DayDown, "day_down", Unit::Bytes),
    (Limit::WeekUp, "week_up", Unit::Bytes),
    (Limit::WeekDown, "week_down", Unit::Bytes),
    (Limit::MonthUp, "month_up", Unit::Bytes),
    (Limit::MonthDown, "month_down", Unit::Bytes),
    (Limit::Disk, "disk", Unit::Bytes),
    (Limit::DiskFiles, "disk_files", Unit::Count),
];

impl Limit {
    /// The limit of that name.
    pub fn of_name(name: &str) -> Option<Self> {
        let found = LIMITS.iter().find(|(_, known, _)| *known == name);
        found.map(|(limit, ..)| *limit)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        let found = LIMITS.iter().find(|(limit, ..)| *limit == self);
        found.map_or("", |(_, name, _)| name)
    }

    /// What it is counted in.
    pub fn unit(self) -> Unit {
        let found = LIMITS.iter().find(|(limit, ..)| *limit == self);
        found.map_or(Unit::Count, |(.., unit)| *unit)
    }
}

impl Unit {
    /// A value as people write it: `3`, `10m` or seconds, `5GB` or bytes.
    pub fn read(self, text: &str) -> Option<u64> {
        let value = match self {
            Self::Count => text.parse().ok()?,
            Self::Seconds => match text.parse() {
                Ok(seconds) => seconds,
                Err(_) => humantime::parse_duration(text).ok()?.as_secs(),
            },
            Self::Bytes | Self::Rate => {
                let text = text.strip_suffix("/s").unwrap_or(text);
                text.parse::<bytesize::ByteSize>().ok()?.as_u64()
            }
        };
        i64::try_from(value).is_ok().then_some(value)
    }

    /// Bytes as people write them, with or without a sign.
    pub fn read_signed(text: &str) -> Option<i64> {
        let (negative, text) = match text.strip_prefix('-') {
            Some(text) => (true, text),
            None => (false, text),
        };
        let bytes = i64::try_from(Self::Bytes.read(text)?).ok()?;
        Some(if negative { -bytes } else { bytes })
    }

    /// Bytes for people, which may be owed.
    pub fn show_signed(bytes: i64) -> String {
        let sign = if bytes < 0 { "-" } else { "" };
        format!("{sign}{}", Self::Bytes.show(bytes.unsigned_abs()))
    }

    /// A value for people.
    pub fn show(self, value: u64) -> String {
        let size = || bytesize::ByteSize(value).display().iec().to_string();
        match self {
            Self::Count => value.to_string(),
            Self::Seconds => {
                humantime::format_duration(std::time::Duration::from_secs(value)).to_string()
            }
            Self::Bytes => size(),
            Self::Rate => format!("{}/s", size()),
        }
    }
}

/// The limits that hold for somebody.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits(BTreeMap<Limit, u64>);

impl Limits {
    /// One of them, if it holds.
    pub fn get(&self, limit: Limit) -> Option<u64> {
        self.0.get(&limit).copied()
    }

    /// Sets one.
    pub fn set(&mut self, limit: Limit, value: u64) {
        self.0.insert(limit, value);
    }

    /// Whether none holds.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All that hold.
    pub fn iter(&self) -> impl Iterator<Item = (Limit, u64)> {
        self.0.iter().map(|(limit, value)| (*limit, *value))
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        for (at, (limit, value)) in self.iter().enumerate() {
            let gap = if at == 0 { "" } else { ", " };
            write!(f, "{gap}{} {}", limit.name(), limit.unit().show(value))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_one_limit_each() {
        for (limit, name, unit) in LIMITS {
            assert_eq!(Limit::of_name(name), Some(*limit));
            assert_eq!((limit.name(), limit.unit()), (*name, *unit));
        }
        assert_eq!(Limit::of_name("no"), None);
    }

    #[test]
    fn values_are_read_as_people_write_them() {
        for (unit, text, value) in [
            (Unit::Count, "3", Some(3)),
            (Unit::Count, "-3", None),
            (Unit::Count, "3.5", None),
            (Unit::Seconds, "300", Some(300)),
            (Unit::Seconds, "5m", Some(300)),
            (Unit::Bytes, "1KiB", Some(1024)),
            (Unit::Bytes, "2GB", Some(2_000_000_000)),
            (Unit::Rate, "1MiB/s", Some(1 << 20)),
            (Unit::Bytes, "18446744073709551615", None),
            (Unit::Bytes, "much", None),
        ] {
            assert_eq!(unit.read(text), value, "{text}");
        }
    }
}
