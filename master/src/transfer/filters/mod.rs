//! Filters: each judges every root that comes into question. One file and one line in
//! [`FILTERS`] each; names and meaning are DrFTPD's where it has them.

mod assign;
mod bandwidth;
mod cycle;
pub(crate) mod glob;
mod match_dir;
mod max_bandwidth;
mod max_transfers;
mod max_transfers_per_slave;
mod min_free_space;
mod min_time_online;
mod multiplier;
mod pattern;
mod size;
mod together;

use std::fmt;
use std::sync::Arc;

use drftpd_actors::{Check, ConfigError, parse_table};
use serde::de::DeserializeOwned;
use toml::Table;

use super::chart::{Ask, Row};

/// Judges the rows of a chart.
pub trait SlaveFilter: Send + Sync {
    /// Whether it looks at [`Row::siblings`], which cost a look at the directory.
    fn wants_siblings(&self) -> bool {
        false
    }

    /// Adds points or rejects, each with a reason.
    fn apply(&self, rows: &mut [Row], ask: &Ask<'_>);
}

/// One line of the table.
#[derive(Clone, Copy)]
pub struct FilterKind {
    /// Its name in the configuration.
    pub name: &'static str,
    /// One sentence for people.
    pub about: &'static str,
    make: fn(Table) -> Made,
}

/// A filter, or what is wrong with its options.
type Made = Result<Box<dyn SlaveFilter>, Vec<ConfigError>>;

/// Every filter there is.
pub static FILTERS: &[FilterKind] = &[
    bandwidth::KIND,
    cycle::KIND,
    match_dir::KIND,
    match_dir::KIND_EX,
    max_bandwidth::KIND,
    max_transfers::KIND,
    max_transfers_per_slave::KIND,
    min_free_space::KIND,
    min_time_online::KIND,
    together::TOP,
    together::STRIPE,
];

/// The filters that there are: those of [`FILTERS`], and of a program that extends the master.
#[derive(Clone)]
pub struct FilterKinds(Arc<[FilterKind]>);

impl FilterKinds {
    /// The master's own, and these.
    pub fn and(more: impl IntoIterator<Item = FilterKind>) -> Self {
        Self(FILTERS.iter().copied().chain(more).collect())
    }

    /// Names that more than one has.
    pub(crate) fn twice(&self) -> Vec<String> {
        let mut names: Vec<&str> = self.0.iter().map(|kind| kind.name).collect();
        names.sort_unstable();
        let twice = names.windows(2).filter(|pair| pair[0] == pair[1]);
        twice.map(|pair| format!("filter {}", pair[0])).collect()
    }
}

impl Default for FilterKinds {
    fn default() -> Self {
        Self::and([])
    }
}

impl fmt::Debug for FilterKinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.iter().map(|kind| kind.name);
        f.debug_list().entries(names).finish()
    }
}

/// They belong to the program, not to what its configuration says.
impl PartialEq for FilterKinds {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// Filters in the order in which they judge.
pub type Filters = Vec<Box<dyn SlaveFilter>>;

/// Makes the filters of a chain; `key` is where it stands (`transfer.upload`).
///
/// # Errors
/// Everything that is wrong, with whole keys.
pub fn make(key: &str, tables: &[Table], kinds: &FilterKinds) -> Result<Filters, Vec<ConfigError>> {
    let (mut filters, mut errors) = (Vec::new(), Vec::new());
    for (at, table) in tables.iter().enumerate() {
        match make_one(table, kinds) {
            Ok(filter) => filters.push(filter),
            Err(wrong) => errors.extend(wrong.into_iter().map(|error| {
                let key = format!("{key}.filter[{at}].{}", error.key);
                ConfigError::new(key.trim_end_matches('.'), error.why)
            })),
        }
    }
    if errors.is_empty() {
        Ok(filters)
    } else {
        Err(errors)
    }
}

fn make_one(table: &Table, kinds: &FilterKinds) -> Made {
    let wrong = |why: String| vec![ConfigError::new("name", why)];
    let mut table = table.clone();
    let name = match table.remove("name") {
        Some(toml::Value::String(name)) => name,
        Some(_) => return Err(wrong("must be text".to_owned())),
        None => return Err(wrong("is missing".to_owned())),
    };
    let kind = kinds.0.iter().find(|kind| kind.name == name);
    let kind = kind.ok_or_else(|| {
        let known: Vec<_> = kinds.0.iter().map(|kind| kind.name).collect();
        wrong(format!(
            "no filter is called \"{name}\"; there are {}",
            known.join(", ")
        ))
    })?;
    (kind.make)(table)
}

/// A line of the table for a filter whose options are its fields; `about` is one sentence for people.
pub const fn kind<F>(name: &'static str, about: &'static str) -> FilterKind
where
    F: SlaveFilter + DeserializeOwned + Check + 'static,
{
    FilterKind {
        name,
        about,
        make: |table| Ok(Box::new(parse_table::<F>(table, None)?)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn tables(text: &str) -> Vec<Table> {
        let table: Table = toml::from_str(text).unwrap();
        let list = table["filter"].as_array().unwrap();
        list.iter()
            .map(|one| one.as_table().unwrap().clone())
            .collect()
    }

    fn wrong(text: &str) -> Vec<String> {
        let errors = make("transfer.upload", &tables(text), &FilterKinds::default())
            .err()
            .unwrap();
        errors.into_iter().map(|error| error.key).collect()
    }

    #[test]
    fn no_filter_stands_in_the_table_twice_and_each_says_what_it_does() {
        let names: BTreeSet<_> = FILTERS.iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), FILTERS.len());
        assert!(FILTERS.iter().all(|kind| kind.about.len() > 20));
    }

    #[test]
    fn an_unknown_filter_and_an_unknown_option_are_named_by_their_keys() {
        let text = r#"
            filter = [
                { name = "cycle" },
                { name = "cicle" },
                { name = "minfreespace", min = "1GiB", multiplyer = 1 },
                { min = "1GiB" },
                { name = "minfreespace", min = "much" },
            ]
        "#;
        let keys = [
            "transfer.upload.filter[1].name",
            "transfer.upload.filter[2].multiplyer",
            "transfer.upload.filter[3].name",
            "transfer.upload.filter[4].min",
        ];
        assert_eq!(wrong(text), keys);
    }

    #[test]
    fn a_wrong_value_of_an_option_is_named_too() {
        let text = r#"filter = [{ name = "matchdir", match = "/a/*", assign = ["a+x"] }]"#;
        assert_eq!(wrong(text)[0], "transfer.upload.filter[0].assign[0]");
        let text = r#"filter = [{ name = "matchdir", match = "/a/*" }]"#;
        assert_eq!(wrong(text), ["transfer.upload.filter[0].assign"]);
    }
}
