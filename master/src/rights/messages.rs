//! Lines of `msgpath`: which page is shown to whom who enters which directory. Pure.

use super::directive::Directive;
use super::pattern::{PathText, Pattern};
use super::rules::Written;
use crate::accounts::Account;
use crate::accounts::who::People;
use crate::store::Case;

/// The lines, those with regular expressions first.
#[derive(Debug, Default)]
pub(super) struct Messages(Vec<(Pattern, People, String)>);

impl Messages {
    /// Those of what was written; a path that is no pattern was refused before.
    pub fn of(written: &Written, case: Case) -> Self {
        let lines = written.lines.iter();
        let mut lines: Vec<_> = lines
            .filter(|line| line.directive == Directive::MsgPath)
            .collect();
        lines.sort_by_key(|line| !line.expression);
        let read = lines.into_iter().filter_map(|line| {
            let pattern = match line.expression {
                true => Pattern::expression(&line.path),
                false => Pattern::glob(&line.path, case),
            };
            let page = line.arguments.first()?.clone();
            Some((pattern.ok()?, line.people.clone(), page))
        });
        Self(read.collect())
    }

    /// The names of all pages.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(.., page)| page.as_str())
    }

    /// The page for somebody at a path, which is worked out only where there are lines.
    pub fn of_path(&self, who: &Account, path: impl FnOnce() -> PathText) -> Option<&str> {
        if self.0.is_empty() {
            return None;
        }
        let path = path();
        let mut lines = self.0.iter();
        let found = lines.find(|(pattern, people, _)| pattern.fits(&path) && people.has(who));
        found.map(|(.., page)| page.as_str())
    }
}
