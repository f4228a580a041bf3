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
        let mut answer = Self::of(&list)?;
        if let (Some(next), Value::Object(result)) = (next, &mut answer.result) {
            answer.text += &format!("\nmore: after={next}");
            result.insert("next".to_owned(), Value::String(next));
        }
        Ok(answer)
    }
}

/// Leaves the page that is asked for; answers its last key where more follows.
fn cut<L: Listing>(list: &mut L, args: &Args) -> Result<Option<String>, AdminError> {
    let (limit, after) = (args.number(LIMIT.name), args.text(AFTER.name));
    if limit.is_none() && after.is_none() {
        return Ok(None);
    }
    let wrong = |name, why: &str| AdminError::argument(name, why);
    if limit == Some(0) {
        return Err(wrong(LIMIT.name, "must be 1 or more"));
    }
    let after = after.map(L::Key::from_str).transpose();
    let after = after.map_err(|_| wrong(AFTER.name, "is no `next` of such a list"))?;
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
