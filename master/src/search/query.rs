//! Questions to the index.

use drftpd_protocol::{NodeId, VfsPath};

use super::index::progress;
use super::words::{of_kind, words};
use crate::store::{Sql, StoreError, id, number, params};
use crate::vfs::{Entry, Kind, VfsError, entry_by_id, path_of};

/// Entries of the queue that a question for a name looks through.
const QUEUED: u64 = 4096;
/// Letters that the beginning of a word must have.
const LEAST_PREFIX: usize = 3;

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    whole: Vec<String>,
    begins: Vec<String>,
    kind: Option<Kind>,
    /// The whole name, in lower case.
    exact: Option<String>,
}

/// An entry that was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// The entry.
    pub entry: Entry,
    /// Where it is.
    pub path: VfsPath,
}

/// Which part of an answer is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// Only what is older than this entry.
    pub before: Option<NodeId>,
    /// Entries that are found, at most.
    pub most: usize,
    /// Entries that are looked at, at most.
    pub looked: usize,
}

impl Question {
    /// Reads words: a name must have all of them, one that ends with `*` as the beginning of a word.
    ///
    /// # Errors
    /// Why nothing can be asked so.
    pub fn words(text: &str, kind: Option<Kind>) -> Result<Self, String> {
        let mut question = Self {
            kind,
            ..Self::default()
        };
        for said in text.split_whitespace() {
            let mut of_said = words(said.as_bytes());
            if said.ends_with('*')
                && let Some(begin) = of_said.pop()
            {
                if begin.chars().count() < LEAST_PREFIX {
                    return Err(format!("{said}: at least {LEAST_PREFIX} letters before *"));
                }
                question.begins.push(begin);
            }
            question.whole.append(&mut of_said);
        }
        question.checked()
    }

    /// One name, in whatever case.
    ///
    /// # Errors
    /// Why it cannot be asked for.
    pub fn named(name: &[u8], kind: Option<Kind>) -> Result<Self, String> {
        let question = Self {
            whole: words(name),
            begins: Vec::new(),
            kind,
            exact: Some(lower(name)),
        };
        question.checked()
    }

    fn checked(self) -> Result<Self, String> {
        match self.whole.is_empty() && self.begins.is_empty() {
            true => Err("needs a letter or a digit".to_owned()),
            false => Ok(self),
        }
    }

    /// In the language of the index.
    fn text(&self) -> String {
        let kind = self.kind.map(of_kind).into_iter();
        let whole = kind.chain(self.whole.iter().map(String::as_str));
        let whole = whole.map(|word| format!("\"{word}\""));
        let begins = self.begins.iter().map(|word| format!("\"{word}\" *"));
        whole.chain(begins).collect::<Vec<_>>().join(" AND ")
    }

    /// Whether it is about such an entry: the index may not have heard yet that it is called otherwise.
    fn fits(&self, entry: &Entry) -> bool {
        let name = entry.name.as_ref().map_or(&b""[..], |name| name.as_bytes());
        if self.kind.is_some_and(|kind| kind != entry.kind) {
            return false;
        }
        if let Some(exact) = &self.exact {
            return lower(name) == *exact;
        }
        let has = words(name);
        let begins = |begin: &String| has.iter().any(|word| word.starts_with(begin));
        self.whole.iter().all(|word| has.contains(word)) && self.begins.iter().all(begins)
    }
}

fn lower(name: &[u8]) -> String {
    String::from_utf8_lossy(name).to_lowercase()
}

/// Entries that a question is about and that `seen` lets pass, the newest first. Answers also behind which to go on,
/// where there may be more.
///
/// # Errors
/// When the store fails.
pub fn search(
    sql: &Sql<'_>,
    question: &Question,
    part: Part,
    mut seen: impl FnMut(&VfsPath, &Entry) -> bool,
) -> Result<(Vec<Found>, Option<NodeId>), VfsError> {
    let (nodes, mut next) = candidates(sql, question, part)?;
    let mut found: Vec<Found> = Vec::new();
    for node in nodes {
        if found.len() >= part.most {
            next = found.last().map(|found| found.entry.id);
            break;
        }
        let entry = entry_by_id(sql, node)?;
        let Some(entry) = entry.filter(|entry| question.fits(entry)) else {
            continue;
        };
        let path = path_of(sql, node)?;
        if seen(&path, &entry) {
            found.push(Found { entry, path });
        }
    }
    Ok((found, next))
}

/// What the index has, and what is not in it yet; with the last one that it was asked for, where there are more.
fn candidates(
    sql: &Sql<'_>,
    question: &Question,
    part: Part,
) -> Result<(Vec<NodeId>, Option<NodeId>), StoreError> {
    let query = "SELECT rowid FROM search WHERE search MATCH ?1 AND rowid < ?2 ORDER BY rowid DESC LIMIT ?3";
    let before = part.before.map_or(i64::MAX, |before| number(before.0));
    let limit = number(part.looked as u64);
    let mut nodes = sql.all(query, params![question.text(), before, limit], |row| {
        Ok(NodeId(id(row, 0)?))
    })?;
    let next = nodes.last().copied().filter(|_| nodes.len() == part.looked);
    let mut queued = queued(sql, before)?;
    queued.retain(|node| next.is_none_or(|next| *node > next));
    nodes.append(&mut queued);
    nodes.sort_unstable_by(|a, b| b.cmp(a));
    nodes.dedup();
    Ok((nodes, next))
}

/// What waits for the index; nothing while so much waits that the index is to be waited for.
fn queued(sql: &Sql<'_>, before: i64) -> Result<Vec<NodeId>, StoreError> {
    if progress(sql)?.1 > QUEUED {
        return Ok(Vec::new());
    }
    let query = "SELECT node FROM search_queue WHERE node < ?1";
    sql.all(query, [before], |row| Ok(NodeId(id(row, 0)?)))
}
