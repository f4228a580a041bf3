//! Ratios: bytes that may be taken for each byte that was given. Exact: thousandths, never a float. Pure.

use std::fmt;
use std::str::FromStr;

/// A ratio in thousandths; 0: downloads cost nothing (leech).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ratio(pub u32);

/// No ratio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a number from 0 to {}, with up to three places", Ratio::MOST.0 / 1000)]
pub struct NoRatio;

impl Ratio {
    /// Downloads cost nothing.
    pub const LEECH: Self = Self(0);
    /// A byte for a byte.
    pub const ONE: Self = Self(1000);
    /// The greatest that can be given.
    pub const MOST: Self = Self(1_000_000);

    /// Whether downloads cost nothing.
    pub fn is_leech(self) -> bool {
        self == Self::LEECH
    }

    /// As a column has it; what cannot be is no ratio that gives anything.
    pub fn from_column(thousandths: i64) -> Self {
        u32::try_from(thousandths).map_or(Self(1), |value| Self(value.min(Self::MOST.0)))
    }
}

impl FromStr for Ratio {
    type Err = NoRatio;

    /// `3`, `3.0`, `0.5`, and `1:3` as DrFTPD shows it.
    fn from_str(text: &str) -> Result<Self, NoRatio> {
        let text = text.strip_prefix("1:").unwrap_or(text);
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
        if !digits(whole) || !digits(part) || part.len() > 3 {
            return Err(NoRatio);
        }
        let whole: u32 = whole.parse().map_err(|_| NoRatio)?;
        let part: u32 = format!("{part:0<3}").parse().map_err(|_| NoRatio)?;
        let value = whole.checked_mul(1000).and_then(|it| it.checked_add(part));
        let ratio = Self(value.ok_or(NoRatio)?);
        (ratio <= Self::MOST).then_some(ratio).ok_or(NoRatio)
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / 1000, self.0 % 1000);
        match part {
            0 => write!(f, "{whole}"),
            part => write!(f, "{whole}.{}", format!("{part:03}").trim_end_matches('0')),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_read_to_the_thousandth_and_shown_as_it_was_said() {
        for (text, value, shown) in [
            ("3", 3000, "3"),
            ("3.0", 3000, "3"),
            ("1:3", 3000, "3"),
            ("0", 0, "0"),
            ("0.5", 500, "0.5"),
            ("2.905", 2905, "2.905"),
            ("1000", 1_000_000, "1000"),
        ] {
            let ratio: Ratio = text.parse().unwrap();
            assert_eq!((ratio.0, ratio.to_string().as_str()), (value, shown));
        }
        for bad in [
            "",
            "-1",
            "+1",
            "1e3",
            "0.0001",
            "1.",
            ".5",
            "1000.001",
            "4294967296",
            "NaN",
        ] {
            assert_eq!(bad.parse::<Ratio>(), Err(NoRatio), "{bad}");
        }
    }

    #[test]
    fn a_damaged_column_gives_nobody_free_downloads() {
        assert!(!Ratio::from_column(-5).is_leech());
        assert!(!Ratio::from_column(i64::MAX).is_leech());
        assert_eq!(Ratio::from_column(0), Ratio::LEECH);
    }
}
