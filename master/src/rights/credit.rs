//! What uploads earn and downloads cost by path, what is counted, and how much may be moved in a time. Pure.

use drftpd_protocol::VfsPath;

use super::directive::Directive;
use super::rules::{Line, Rules};
use crate::accounts::Account;
use crate::accounts::period::Period;
use crate::accounts::ratio::Ratio;
use crate::transfer::Direction;

/// How much may be moved in a period by those whom a line means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cap {
    /// Which way.
    pub way: Direction,
    /// In which time.
    pub period: Period,
    /// Bytes.
    pub bytes: u64,
}

/// What a line says beside whom it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    /// Nothing, or a text.
    None,
    Ratio(Ratio),
    Cap(Cap),
}

impl Value {
    /// Nothing where its arguments are none that its kind has.
    pub fn of(line: &Line) -> Option<Self> {
        let said: Vec<&str> = line.arguments.iter().map(String::as_str).collect();
        Some(match (line.directive, said.as_slice()) {
            (Directive::CreditCheck | Directive::CreditLoss, [ratio]) => {
                Self::Ratio(ratio.parse().ok()?)
            }
            (Directive::CreditLimit, [way, period, bytes]) => Self::Cap(Cap {
                way: match *way {
                    "UP" => Direction::Upload,
                    _ => Direction::Download,
                },
                period: match *period {
                    "DAY" => Period::Day,
                    "WEEK" => Period::Week,
                    "MONTH" => Period::Month,
                    _ => Period::Ever,
                },
                bytes: bytes.parse().ok()?,
            }),
            (Directive::CreditCheck | Directive::CreditLoss | Directive::CreditLimit, _) => {
                return None;
            }
            _ => Self::None,
        })
    }
}

impl Rules {
    /// Credits for each byte that somebody sends to there; 0: none.
    pub fn earned(&self, who: &Account, path: &VfsPath) -> Ratio {
        let said = self.ratio(Directive::CreditCheck, path, who);
        said.unwrap_or(who.ratio)
    }

    /// Credits that each byte from there costs somebody; 0: none.
    pub fn lost(&self, who: &Account, path: &VfsPath) -> Ratio {
        let said = self.ratio(Directive::CreditLoss, path, who);
        said.unwrap_or(match who.ratio.is_leech() {
            true => Ratio::LEECH,
            false => Ratio::ONE,
        })
    }

    fn ratio(&self, directive: Directive, path: &VfsPath, who: &Account) -> Option<Ratio> {
        let mut values = self.values(directive, path, who);
        values.find_map(|value| match value {
            Value::Ratio(ratio) => Some(ratio),
            _ => None,
        })
    }

    /// Whether what somebody moves there is counted.
    pub fn counts(&self, who: &Account, path: &VfsPath, way: Direction) -> bool {
        let not = match way {
            Direction::Upload => Directive::NoStatsUp,
            Direction::Download => Directive::NoStatsDn,
        };
        !(self.has(not) && self.says(not, &self.text(path), who))
    }

    /// How much somebody may move there: for each period the first line of it.
    pub fn caps(&self, who: &Account, path: &VfsPath, way: Direction) -> Vec<Cap> {
        let mut caps: Vec<Cap> = Vec::new();
        for value in self.values(Directive::CreditLimit, path, who) {
            if let Value::Cap(cap) = value
                && cap.way == way
                && caps.iter().all(|other| other.period != cap.period)
            {
                caps.push(cap);
            }
        }
        caps
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{lines, path, who};
    use super::*;

    #[test]
    fn the_first_line_that_fits_path_and_person_says_what_a_byte_is_worth() {
        let rules = lines(
            "creditcheck /free/* 0 *\n\
             creditcheck /in/* 5 =staff\n\
             creditcheck /in/* 1.5 *\n\
             creditloss /free/* 0 *\n\
             creditloss /dear/* 2 !-ann *\n\
             nostatsup /free/* *\n\
             nostatsdn /free/* -bob\n",
        );
        let (ann, mut bob) = (who("ann"), who("bob"));
        bob.ratio = Ratio(2500);
        for (at, of_ann, of_bob) in [("/free/x", 0, 0), ("/in/x", 5000, 1500), ("/x", 0, 2500)] {
            let at = path(at);
            assert_eq!(rules.earned(&ann, &at), Ratio(of_ann), "{at}");
            assert_eq!(rules.earned(&bob, &at), Ratio(of_bob), "{at}");
        }
        // Ann has ratio 0: nothing costs her anything, unless a line says so.
        for (at, of_ann, of_bob) in [("/free/x", 0, 0), ("/dear/x", 0, 2000), ("/x", 0, 1000)] {
            let at = path(at);
            assert_eq!(rules.lost(&ann, &at), Ratio(of_ann), "{at}");
            assert_eq!(rules.lost(&bob, &at), Ratio(of_bob), "{at}");
        }
        let at = path("/free/x");
        let counts = |who, way| rules.counts(who, &at, way);
        assert!(!counts(&ann, Direction::Upload) && counts(&ann, Direction::Download));
        assert!(!counts(&bob, Direction::Download));
        assert!(rules.counts(&bob, &path("/x"), Direction::Upload));
    }

    #[test]
    fn of_caps_the_first_of_each_period_holds() {
        let rules = lines(
            "creditlimit /a/* DN DAY 10 -bob\n\
             creditlimit * DN DAY 20 *\n\
             creditlimit * DN ALL 30 *\n\
             creditlimit * UP WEEK 40 *\n",
        );
        let caps = |name, at| {
            let caps = rules.caps(&who(name), &path(at), Direction::Download);
            caps.into_iter()
                .map(|it| (it.period, it.bytes))
                .collect::<Vec<_>>()
        };
        let (day, ever) = (Period::Day, Period::Ever);
        assert_eq!(caps("bob", "/a/x"), [(day, 10), (ever, 30)]);
        assert_eq!(caps("ann", "/a/x"), [(day, 20), (ever, 30)]);
        assert_eq!(caps("bob", "/b"), [(day, 20), (ever, 30)]);
        let up = rules.caps(&who("bob"), &path("/b"), Direction::Upload);
        assert_eq!(up.len(), 1);
    }
}
