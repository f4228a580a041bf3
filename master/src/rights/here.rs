//! What somebody sees and may in one directory: asked for each entry of a listing, so that what holds for all of them is
//! found out once.

use std::sync::Arc;

use drftpd_protocol::VfsPath;

use super::directive::{DIRECTIVES, Directive, FORMS};
use super::judge::{Target, allowed};
use super::pattern::PathText;
use super::rules::Rules;
use crate::accounts::{Account, Action};
use crate::vfs::Entry;

/// The rules for the entries of a directory that somebody sees.
pub struct Here {
    rules: Arc<Rules>,
    who: Arc<Account>,
    /// For each kind what it says of all that lies below; `None` where that differs.
    below: [Option<bool>; DIRECTIVES],
}

impl Here {
    /// For a directory, resolved, that may be seen.
    pub fn new(rules: Arc<Rules>, who: Arc<Account>, dir: &VfsPath) -> Self {
        let text = rules.text(dir);
        let below = FORMS.map(|form| rules.says_below(form.directive, &text, &who));
        Self { rules, who, below }
    }

    /// Whether an entry is seen.
    pub fn shows(&self, path: &VfsPath, entry: &Entry) -> bool {
        let says = |directive| self.ask(directive, path);
        self.sees(path) && !Target::of(path, entry).is_hidden_part(&self.who, &says)
    }

    /// Whether a path is seen, and a directory there.
    pub fn sees(&self, path: &VfsPath) -> bool {
        self.ask(Directive::PrivPath, path)
    }

    /// Whether all that lies below is seen.
    pub fn sees_all(&self) -> bool {
        self.below[Directive::PrivPath as usize] == Some(true)
    }

    /// Whether something may be done with an entry that is seen. Names that would be refused do not count.
    pub fn may(&self, what: Action, path: &VfsPath, owner: &str) -> bool {
        let target = Target {
            owner: Some(owner),
            ..Target::at(path)
        };
        allowed(&self.who, what, target, &|directive| {
            self.ask(directive, path)
        })
        .is_ok()
    }

    /// Whether the sums of a directory that is seen may be shown: not where something in it may be hidden.
    pub fn shows_sums(&self, path: &VfsPath) -> bool {
        let below = || {
            let text = self.rules.text(path);
            self.rules.says_below(Directive::PrivPath, &text, &self.who)
        };
        self.sees_all() || below() == Some(true)
    }

    /// Whether it may be shown where a link leads.
    pub fn shows_target(&self, path: &VfsPath, target: &[u8]) -> bool {
        let from = path.parent().unwrap_or_default();
        let seen = |to: &VfsPath| self.rules.judge(&self.who, Action::View, Target::at(to));
        from.resolve(target).is_ok_and(|to| seen(&to).is_ok())
    }

    fn ask(&self, directive: Directive, path: &VfsPath) -> bool {
        let all = self.below[directive as usize];
        all.unwrap_or_else(|| {
            let text: PathText = self.rules.text(path);
            self.rules.says(directive, &text, &self.who)
        })
    }
}
