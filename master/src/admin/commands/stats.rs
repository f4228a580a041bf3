//! Statistics: `stats show`, `stats ranking`, `stats traffic`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::super::{AdminError, Answer, Args, Code, Command, Cx, Kind, Outcome, Param, Permission};
use super::{people, table};
use crate::accounts::Account;
use crate::accounts::period::Period;
use crate::accounts::table as accounts;
use crate::accounts::tally::{self, Figures, Of, Placed, Tally};
use crate::rights::Rules;
use crate::transfer::Direction;

/// Places that are shown where nobody says how many.
const TOP: u64 = 10;
const PERIODS: &[&str] = &["day", "week", "month", "year", "ever"];

/// What was moved one way, for programs.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Moved {
    files: u64,
    bytes: u64,
    ms: u64,
}

impl From<Figures> for Moved {
    fn from(of: Figures) -> Self {
        Self {
            files: of.files,
            bytes: of.bytes,
            ms: of.ms,
        }
    }
}

impl Moved {
    /// Bytes.
    pub(super) fn bytes(self) -> u64 {
        self.bytes
    }

    /// Bytes for each second.
    fn speed(self) -> String {
        let bytes = u128::from(self.bytes) * 1000;
        match bytes.checked_div(u128::from(self.ms)) {
            Some(speed) => format!(
                "{}/s",
                table::size(u64::try_from(speed).unwrap_or(u64::MAX))
            ),
            None => "-".to_owned(),
        }
    }

    /// Files, bytes, speed.
    pub(super) fn cells(self) -> [String; 3] {
        [
            self.files.to_string(),
            table::size(self.bytes),
            self.speed(),
        ]
    }
}

/// Whom the permissions keep out of statistics. Of groups those that are named in them, as users are who are in nothing else.
struct Hidden {
    rules: Arc<Rules>,
    /// By name, where anybody may be hidden.
    users: BTreeMap<String, Account>,
    of: Of,
}

impl Hidden {
    fn read(cx: &Cx, of: Of) -> Result<Self, AdminError> {
        let rules = cx.of.rights.rules();
        let users = match (of, rules.hidden_in_stats()) {
            (Of::Users, Some(_)) => cx.read(accounts::all)?,
            _ => Vec::new(),
        };
        let users = users.into_iter().map(|stored| stored.account);
        Ok(Self {
            rules,
            users: users.map(|user| (user.name.clone(), user)).collect(),
            of,
        })
    }

    fn has(&self, name: &str) -> bool {
        let Some(hidden) = self.rules.hidden_in_stats() else {
            return false;
        };
        match self.of {
            Of::Users => self.users.get(name).is_none_or(|user| hidden.has(user)),
            Of::Groups => hidden.has(&Account::new("", name)),
        }
    }

    /// What everybody else has moved.
    fn others(&self, cx: &Cx, period: Period) -> Result<Vec<Placed>, AdminError> {
        let now = cx.of.clock.unix();
        let mut all = cx.read(|sql| tally::all(sql, self.of, period, now))?;
        all.retain(|placed| !self.has(&placed.name));
        Ok(all)
    }
}

/// Those who moved something, most bytes first.
fn ranked(cx: &Cx, of: Of, period: Period, way: Direction) -> Result<Vec<Placed>, AdminError> {
    let mut all = Hidden::read(cx, of)?.others(cx, period)?;
    all.retain(|placed| placed.tally.way(way) != Figures::default());
    all.sort_by_key(|placed| std::cmp::Reverse(placed.tally.way(way).bytes));
    Ok(all)
}

/// `stats show [USER]`.
pub(in crate::admin) const SHOW: Command = Command {
    name: "stats show",
    site: &["STATS"],
    params: &[Param::optional(
        "user",
        Kind::Text,
        "the user's name; without it, whoever says it",
    )],
    about: "shows what a user has moved in each period, and the place that gives",
    permission: Permission::Anyone,
    changes: false,
    run: |cx, args| Box::pin(std::future::ready(show(&cx, &args))),
};

#[derive(Serialize)]
struct Shown {
    user: String,
    periods: Vec<OfPeriod>,
}

#[derive(Serialize)]
struct OfPeriod {
    period: &'static str,
    up: Moved,
    up_place: Option<u64>,
    down: Moved,
    down_place: Option<u64>,
}

fn show(cx: &Cx, args: &Args) -> Outcome {
    let name = match args.text("user") {
        Some(name) => name.to_owned(),
        None => people::oneself(cx)?.name.clone(),
    };
    let found = cx.read(|sql| accounts::find(sql, &name))?;
    if found.is_none_or(|found| found.account.deleted) {
        return Err(AdminError {
            code: Code::NotFound,
            ..AdminError::argument("user", format!("there is no user {name:?}"))
        });
    }
    let now = cx.of.clock.unix();
    let hidden = Hidden::read(cx, Of::Users)?;
    let mut periods = Vec::new();
    for period in Period::ALL {
        let all = hidden.others(cx, period)?;
        let own = cx.read(|sql| tally::of(sql, &name, period, now))?;
        let place = |way| {
            let own = own.way(way).bytes;
            let before = all
                .iter()
                .filter(|placed| placed.tally.way(way).bytes > own);
            (own > 0).then_some(before.count() as u64 + 1)
        };
        periods.push(OfPeriod {
            period: period.name(),
            up: own.up.into(),
            up_place: place(Direction::Upload),
            down: own.down.into(),
            down_place: place(Direction::Download),
        });
    }
    Answer::of(&Shown {
        user: name,
        periods,
    })
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.user)?;
        let place = |place: Option<u64>| place.map_or_else(String::new, |n| format!("#{n}"));
        let row = |of: &OfPeriod| {
            let [up_files, up, up_speed] = of.up.cells();
            let [down_files, down, down_speed] = of.down.cells();
            let (up_place, down_place) = (place(of.up_place), place(of.down_place));
            let period = of.period.to_owned();
            [
                period, up_files, up, up_speed, up_place, down_files, down, down_speed, down_place,
            ]
        };
        let rows: Vec<_> = self.periods.iter().map(row).collect();
        let heading = ["", "UP", "BYTES", "SPEED", "", "DOWN", "BYTES", "SPEED", ""];
        table::write(f, heading, &rows)
    }
}

/// `stats ranking PERIOD WAY [OF] [COUNT]`.
pub(in crate::admin) const RANKING: Command = Command {
    name: "stats ranking",
    site: &["RANKING"],
    params: &[
        Param::new("period", Kind::Word(PERIODS), "since when"),
        Param::new("way", Kind::Word(&["up", "down"]), "to here, or from here"),
        Param::optional("of", Kind::Word(&["users", "groups"]), "of whom"),
        Param::optional("count", Kind::Number, "at most so many places"),
    ],
    about: "shows who has moved most",
    permission: Permission::Anyone,
    changes: false,
    run: |cx, args| Box::pin(std::future::ready(ranking(&cx, &args))),
};

#[derive(Serialize)]
struct Ranking {
    period: String,
    way: String,
    of: String,
    places: Vec<Place>,
}

#[derive(Serialize)]
struct Place {
    place: u64,
    name: String,
    users: u64,
    #[serde(flatten)]
    moved: Moved,
}

fn ranking(cx: &Cx, args: &Args) -> Outcome {
    let (period, way) = (args.need_text("period")?, args.need_text("way")?);
    let of = args.text("of").unwrap_or("users");
    let most = args.number("count").unwrap_or(TOP);
    let whose = if of == "groups" {
        Of::Groups
    } else {
        Of::Users
    };
    let direction = match way {
        "up" => Direction::Upload,
        _ => Direction::Download,
    };
    let known = Period::ALL.into_iter().find(|known| known.name() == period);
    let ranked = ranked(cx, whose, known.unwrap_or(Period::Ever), direction)?;
    let places = (1..=most).zip(ranked).map(|(place, placed)| Place {
        place,
        moved: placed.tally.way(direction).into(),
        name: placed.name,
        users: placed.users,
    });
    Answer::of(&Ranking {
        places: places.collect(),
        period: period.to_owned(),
        way: way.to_owned(),
        of: of.to_owned(),
    })
}

impl fmt::Display for Ranking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = match self.period.as_str() {
            "ever" => String::new(),
            period => format!(" this {period}"),
        };
        writeln!(f, "{}, {}{since}", self.of, self.way)?;
        let row = |of: &Place| {
            let [files, bytes, speed] = of.moved.cells();
            [
                format!("#{}", of.place),
                of.name.clone(),
                files,
                bytes,
                speed,
            ]
        };
        let rows: Vec<_> = self.places.iter().map(row).collect();
        table::write(f, ["", "NAME", "FILES", "BYTES", "SPEED"], &rows)
    }
}

/// `stats traffic`.
pub(in crate::admin) const TRAFFIC: Command = Command {
    name: "stats traffic",
    site: &["TRAFFIC"],
    params: &[],
    about: "shows what all have moved in each period",
    permission: Permission::Anyone,
    changes: false,
    run: |cx, _| Box::pin(std::future::ready(traffic(&cx))),
};

#[derive(Serialize)]
struct Traffic {
    periods: Vec<Sum>,
}

#[derive(Serialize)]
struct Sum {
    period: &'static str,
    up: Moved,
    down: Moved,
}

fn traffic(cx: &Cx) -> Outcome {
    let now = cx.of.clock.unix();
    let mut periods = Vec::new();
    for period in Period::ALL {
        let all = cx.read(|sql| tally::all(sql, Of::Users, period, now))?;
        let sum = all
            .iter()
            .fold(Tally::default(), |sum, placed| sum.and(placed.tally));
        periods.push(Sum {
            period: period.name(),
            up: sum.up.into(),
            down: sum.down.into(),
        });
    }
    Answer::of(&Traffic { periods })
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |of: &Sum| {
            let [up_files, up, up_speed] = of.up.cells();
            let [down_files, down, down_speed] = of.down.cells();
            let period = of.period.to_owned();
            [period, up_files, up, up_speed, down_files, down, down_speed]
        };
        let rows: Vec<_> = self.periods.iter().map(row).collect();
        let heading = ["", "UP", "BYTES", "SPEED", "DOWN", "BYTES", "SPEED"];
        table::write(f, heading, &rows)
    }
}
