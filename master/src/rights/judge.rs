//! The one function that says who may do what where: pure, on the resolved target, for every way that leads there.
//! Fails closed.
//!
//! What is hidden is as if it were absent, and so is all that lies in it. Whether a name is hidden depends on its path
//! alone, not on whether there is anything: who may send files or make directories somewhere hears of a hidden name what
//! is heard of one that is not wanted there ([`Refused::Name`]), be it taken or not.

use drftpd_protocol::VfsPath;

use super::directive::Directive;
use super::pattern::PathText;
use super::rules::Rules;
use crate::accounts::{Account, Action};
use crate::transfer::Direction;
use crate::vfs::{Entry, FileState};

/// Why somebody may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It must not be seen: for them it is not there.
    #[error("hidden")]
    Hidden,
    /// Not allowed.
    #[error("not allowed")]
    Denied,
    /// Nothing of theirs may have that name.
    #[error("no name for anything of theirs")]
    Name,
}

/// What somebody wants to do something with.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Its path, resolved.
    pub path: &'a VfsPath,
    /// Whose it is, if it is there.
    pub owner: Option<&'a str>,
    /// Whether it is a file that is not complete.
    pub part: bool,
}

impl<'a> Target<'a> {
    /// A path at which nothing is, or where it does not count whose it is.
    pub fn at(path: &'a VfsPath) -> Self {
        Self {
            path,
            owner: None,
            part: false,
        }
    }

    /// An entry that is there.
    pub fn of(path: &'a VfsPath, entry: &'a Entry) -> Self {
        Self {
            path,
            owner: Some(&entry.owner),
            part: entry.state != FileState::Complete,
        }
    }

    /// Whether it is somebody's own.
    fn is_of(&self, who: &Account) -> bool {
        self.owner == Some(who.name.as_str())
    }

    /// Whether it is somebody else's upload that runs or broke off, where `says` hides such.
    pub(super) fn is_hidden_part(&self, who: &Account, says: Says<'_>) -> bool {
        self.part && !self.is_of(who) && says(Directive::HideUploads)
    }
}

/// What a kind of lines says of a target.
pub(super) type Says<'a> = &'a dyn Fn(Directive) -> bool;

impl Rules {
    /// Whether `who` may do `what` with a target.
    ///
    /// # Errors
    /// Why not.
    pub fn judge(&self, who: &Account, what: Action, target: Target<'_>) -> Result<(), Refused> {
        if who.is_outside(target.path) {
            return Err(Refused::Hidden);
        }
        let text = self.text(target.path);
        let says = |directive| self.says(directive, &text, who);
        let seen = self.sees(who, &text) && !target.is_hidden_part(who, &says);
        let makes = matches!(what, Action::Upload | Action::MakeDir);
        if !seen && (!makes || !self.sees_above(who, target.path)) {
            return Err(Refused::Hidden);
        }
        allowed(who, what, target, &says)?;
        if makes && (!seen || says(Directive::DenyName)) {
            return Err(Refused::Name);
        }
        Ok(())
    }

    /// Whether somebody may move a directory with all below it: where lines tell what lies below from the directory
    /// itself, at its old place or its new one, nobody would have judged what is moved.
    ///
    /// # Errors
    /// [`Refused::Denied`].
    pub fn may_move_all(&self, who: &Account, from: &VfsPath, to: &VfsPath) -> Result<(), Refused> {
        let (from, to) = (self.text(from), self.text(to));
        let all = |directive, dir| self.says_below(directive, dir, who) == Some(true);
        let seen = all(Directive::PrivPath, &from) && all(Directive::PrivPath, &to);
        if seen && all(Directive::MakeDir, &to) && all(Directive::Upload, &to) {
            return Ok(());
        }
        Err(Refused::Denied)
    }

    /// Whether somebody sees everything below a directory, and may do `what` with all of it, whoever owns it: `false` also
    /// where lines tell one thing below from another.
    pub fn may_all_below(&self, who: &Account, what: Action, dir: &VfsPath) -> bool {
        if who.is_outside(dir) {
            return false;
        }
        let text = self.text(dir);
        let says = |directive| self.says_below(directive, &text, who) == Some(true);
        says(Directive::PrivPath)
            && match what {
                Action::View => true,
                Action::Delete => says(Directive::Delete),
                _ => false,
            }
    }

    /// Whether lines forbid somebody other hosts at the other end, whatever else allows them.
    pub fn denies_fxp(&self, who: &Account, path: &VfsPath, direction: Direction) -> bool {
        let directive = match direction {
            Direction::Upload => Directive::DenyUpFxp,
            Direction::Download => Directive::DenyDnFxp,
        };
        self.says(directive, &self.text(path), who)
    }

    /// Whether somebody may not fetch a file while it is being uploaded.
    pub fn waits_for_uploads(&self, who: &Account, path: &VfsPath) -> bool {
        self.says(Directive::DenyDownload, &self.text(path), who)
    }

    /// Whether what others send to there is hidden from somebody until it is complete.
    pub fn hides_uploads(&self, who: &Account, path: &VfsPath) -> bool {
        self.has(Directive::HideUploads) && self.says(Directive::HideUploads, &self.text(path), who)
    }

    /// Whether what somebody sends to there may be empty; where no line of the kind is, it may.
    pub fn allows_empty(&self, who: &Account, path: &VfsPath) -> bool {
        !self.has(Directive::AllowEmpty) || self.says(Directive::AllowEmpty, &self.text(path), who)
    }

    /// Whether the lines of a kind that plugins ask for name somebody at a path that they see.
    pub fn name(&self, directive: Directive, who: &Account, path: &VfsPath) -> bool {
        let text = self.text(path);
        !who.is_outside(path) && self.sees(who, &text) && self.says(directive, &text, who)
    }

    /// Whether `who` shows nobody that somebody stands at a path.
    pub fn hides_in_who(&self, who: &Account, at: &VfsPath) -> bool {
        self.says(Directive::HideInWho, &self.text(at), who)
    }

    /// Whether it hides anybody anywhere.
    pub fn hides_anybody(&self) -> bool {
        !self.lines(Directive::HideInWho).is_empty()
    }

    /// Whether somebody sees a path and everything on the way to it.
    fn sees(&self, who: &Account, text: &PathText) -> bool {
        let mut way = text.with_above();
        way.all(|text| self.says(Directive::PrivPath, &text, who))
    }

    fn sees_above(&self, who: &Account, path: &VfsPath) -> bool {
        path.parent()
            .is_some_and(|parent| self.sees(who, &self.text(&parent)))
    }
}

/// Whether the lines allow it to somebody who sees it.
pub(super) fn allowed(
    who: &Account,
    what: Action,
    target: Target<'_>,
    says: Says<'_>,
) -> Result<(), Refused> {
    // The root stays, whoever asks.
    let changes = matches!(what, Action::Delete | Action::Rename | Action::Overwrite);
    if changes && target.path.is_root() {
        return Err(Refused::Denied);
    }
    let own = target.is_of(who);
    let or_own = |all, of_own| says(all) || (own && says(of_own));
    let may = match what {
        Action::View => true,
        Action::Download => says(Directive::Download),
        Action::Upload => says(Directive::Upload),
        Action::MakeDir => says(Directive::MakeDir),
        Action::Overwrite => or_own(Directive::Overwrite, Directive::OverwriteOwn),
        Action::Resume => or_own(Directive::Resume, Directive::ResumeOwn),
        Action::Delete => or_own(Directive::Delete, Directive::DeleteOwn),
        Action::Rename => or_own(Directive::Rename, Directive::RenameOwn),
        Action::SetTime => or_own(Directive::SetTime, Directive::SetTimeOwn),
        Action::Fxp => says(Directive::Fxp),
    };
    may.then_some(()).ok_or(Refused::Denied)
}
