//! Long lists, page by page: a command that lists takes [`LIMIT`] and [`AFTER`] and answers with [`Answer::page`].
//!
//! The order of pages is that of the entries' keys, so what comes and goes meanwhile moves nothing from one page to
//! another: an entry that was there all the time is on exactly one of them.

use std::fmt::Display;
use std::str::FromStr;

use serde_json::Value;

use super::Outcome;
use super::answer::{AdminError, Answer, Report};
use super::args::Args;
use super::param::{Kind, Param};

/// At most so many entries.
pub const LIMIT: Param = Param::optional("limit", Kind::Number, "at most so many entries");
/// Where the page begins.
pub const AFTER: Param = Param::optional(
    "after",
    Kind::Text,
    "only what comes behind this entry: `next` of the page before",
);

/// A result that is a list, each entry with a key of its own.
pub trait Listing: Report {
    /// One of the list.
    type Entry;
    /// What tells it from the others, and says where it stands.
    type Key: Ord + Display + FromStr;

    /// The list.
    fn entries(&mut self) -> &mut Vec<Self::Entry>;

    /// The key of one.
    fn key(entry: &Self::Entry) -> Self::Key;
}

impl Answer {
    /// A list as it is; where a page of it is asked for, that page, with `next` where there is more.
    ///
    /// # Errors
    /// When `after` is no key, or `limit` is 0.
    pub fn page<L: Listing>(mut list: L, args: &Args) -> Outcome {
        let next = cut(&mut list, args)?;
        Self::before(&list, next)
    }

    /// A page, and where the one behind it begins, if there is more.
    ///
    /// # Errors
    /// As [`Answer::of`].
    pub fn before(page: &impl Report, next: Option<String>) -> Outcome {
        let mut answer = Self::of(page)?;
        if let (Some(next), Value::Object(result)) = (next, &mut answer.result) {
            answer.text += &format!("\nmore: after={next}");
            result.insert("next".to_owned(), Value::String(next));
        }
        Ok(answer)
    }
}

/// Entries of one page at most, of a list that is read from the store page by page.
const MOST: u64 = 1000;

/// Which page of a list in the store is asked for.
pub struct Wanted<K> {
    /// Behind which entry it begins.
    pub after: Option<K>,
    /// At most so many entries.
    pub limit: usize,
}

impl<K: FromStr> Wanted<K> {
    /// What the arguments say; `usual` entries where they do not say how many.
    ///
    /// # Errors
    /// When `after` is no key, or `limit` is 0 or too much.
    pub fn of(args: &Args, usual: u64) -> Result<Self, AdminError> {
        let limit = args.number(LIMIT.name).unwrap_or(usual);
        if !(1..=MOST).contains(&limit) {
            let why = format!("must be 1 to {MOST}");
            return Err(AdminError::argument(LIMIT.name, why));
        }
        Ok(Self {
            after: after(args)?,
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
        })
    }
}

impl<K> Wanted<K> {
    /// So many are read: one more than are shown tells whether there is more.
    pub fn reads(&self) -> usize {
        self.limit + 1
    }

    /// Leaves what is shown of what was read; answers where the next page begins.
    pub fn cut<T, N: Display>(&self, read: &mut Vec<T>, key: impl Fn(&T) -> N) -> Option<String> {
        if read.len() <= self.limit {
            return None;
        }
        read.truncate(self.limit);
        read.last().map(|last| key(last).to_string())
    }
}

fn after<K: FromStr>(args: &Args) -> Result<Option<K>, AdminError> {
    let after = args.text(AFTER.name).map(K::from_str).transpose();
    after.map_err(|_| AdminError::argument(AFTER.name, "is no `next` of such a list"))
}

/// Leaves the page that is asked for; answers its last key where more follows.
fn cut<L: Listing>(list: &mut L, args: &Args) -> Result<Option<String>, AdminError> {
    let (limit, after) = (args.number(LIMIT.name), after::<L::Key>(args)?);
    if limit.is_none() && after.is_none() {
        return Ok(None);
    }
    if limit == Some(0) {
        return Err(AdminError::argument(LIMIT.name, "must be 1 or more"));
    }
    let entries = list.entries();
    entries.retain(|entry| after.as_ref().is_none_or(|after| L::key(entry) > *after));
    entries.sort_by_cached_key(L::key);
    let limit = limit.map_or(usize::MAX, |limit| {
        usize::try_from(limit).unwrap_or(usize::MAX)
    });
    if entries.len() <= limit {
        return Ok(None);
    }
    entries.truncate(limit);
    Ok(entries.last().map(|last| L::key(last).to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use drftpd_protocol::VfsPath;
    use serde::Serialize;
    use std::fmt;

    #[derive(Serialize, Clone)]
    struct Numbers {
        numbers: Vec<u32>,
    }

    impl fmt::Display for Numbers {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "{:?}", self.numbers)
        }
    }

    impl Listing for Numbers {
        type Entry = u32;
        type Key = u32;

        fn entries(&mut self) -> &mut Vec<u32> {
            &mut self.numbers
        }

        fn key(entry: &u32) -> u32 {
            *entry
        }
    }

    fn page(numbers: &[u32], words: &[&str]) -> Outcome {
        static PARAMS: &[Param] = &[LIMIT, AFTER];
        let args = Args::from_words(PARAMS, words, &VfsPath::root()).unwrap();
        let numbers = numbers.to_vec();
        Answer::page(Numbers { numbers }, &args)
    }

    #[test]
    fn pages_together_have_every_entry_once_whatever_goes_meanwhile() {
        let mut there = vec![9, 10, 100, 7, 2];
        let first = page(&there, &["2"]).unwrap();
        assert_eq!(
            first.result,
            serde_json::json!({"numbers": [2, 7], "next": "7"})
        );
        assert_eq!(first.text, "[2, 7]\nmore: after=7");
        there.retain(|it| *it != 7);
        there.push(1);
        let second = page(&there, &["2", "7"]).unwrap();
        assert_eq!(
            second.result,
            serde_json::json!({"numbers": [9, 10], "next": "10"})
        );
        let last = page(&there, &["2", "10"]).unwrap();
        assert_eq!(last.result, serde_json::json!({"numbers": [100]}));
    }

    #[test]
    fn a_page_of_the_store_says_where_the_next_begins_only_where_there_is_one() {
        static PARAMS: &[Param] = &[LIMIT, AFTER];
        let wanted = |words: &[&str]| {
            let args = Args::from_words(PARAMS, words, &VfsPath::root()).unwrap();
            Wanted::<u32>::of(&args, 2)
        };
        let usual = wanted(&[]).unwrap();
        assert_eq!((usual.after, usual.limit, usual.reads()), (None, 2, 3));
        let mut read = vec![4, 5, 6];
        let next = usual.cut(&mut read, |it| *it);
        assert_eq!((read, next), (vec![4, 5], Some("5".to_owned())));
        let mut all = vec![4, 5];
        assert_eq!(usual.cut(&mut all, |it| *it), None);
        let asked = wanted(&["1000", "7"]).unwrap();
        assert_eq!((asked.after, asked.limit), (Some(7), 1000));
        let field = |words: &[&str]| wanted(words).err().and_then(|why| why.field);
        assert_eq!(field(&["0"]).as_deref(), Some("limit"));
        assert_eq!(field(&["1001"]).as_deref(), Some("limit"));
        assert_eq!(field(&["1", "x"]).as_deref(), Some("after"));
    }

    #[test]
    fn without_limit_a_list_stays_as_it_is_and_what_is_no_page_is_refused() {
        let all = page(&[3, 1, 2], &[]).unwrap();
        assert_eq!(all.result, serde_json::json!({"numbers": [3, 1, 2]}));
        let rest = page(&[3, 1, 2], &["after=1"]).unwrap();
        assert_eq!(rest.result, serde_json::json!({"numbers": [2, 3]}));
        let field = |words: &[&str]| page(&[1], words).unwrap_err().field;
        assert_eq!(field(&["0"]).as_deref(), Some("limit"));
        assert_eq!(field(&["1", "x"]).as_deref(), Some("after"));
    }
}
