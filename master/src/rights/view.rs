//! The file list as somebody may see and change it: every path is looked up, and judged on its resolved target, here and
//! nowhere else, whichever way it came (a verb, SITE, a command of the API).

use std::net::IpAddr;
use std::sync::Arc;

use drftpd_protocol::{PathError, VfsPath};

use super::here::Here;
use super::judge::{Refused, Target};
use super::rules::Rules;
use crate::accounts::{Account, Action};
use crate::extend::{Act, Asked, Gates, Stopped};
use crate::vfs::{Entry, Kind, Looked, Meant, Owner, Times, VfsClient, VfsError};

/// Why somebody does not get at something.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ViewError {
    /// The file list says no, or what is asked for must not be seen.
    #[error(transparent)]
    Vfs(#[from] VfsError),
    /// Seen, and not allowed.
    #[error("not allowed")]
    Denied,
    /// Nothing of theirs may have that name there.
    #[error("a name that is not wanted")]
    BadName,
    /// The new name of an entry is taken.
    #[error("the name is taken")]
    NameTaken,
    /// A plugin that has a say refuses it.
    #[error("{}", .0.why())]
    Stopped(Stopped),
}

impl From<PathError> for ViewError {
    fn from(why: PathError) -> Self {
        Self::Vfs(why.into())
    }
}

/// Of what is hidden nobody hears where the way to it led.
fn as_asked(why: ViewError, asked: &VfsPath) -> ViewError {
    match why {
        ViewError::Vfs(VfsError::NotFound(_)) => VfsError::NotFound(asked.clone()).into(),
        why => why,
    }
}

/// Something that is there.
#[derive(Debug)]
pub struct At {
    /// Its path, resolved.
    pub path: VfsPath,
    /// What it is.
    pub entry: Entry,
}

impl At {
    /// It, and no other one that may have come to its path since it was judged.
    #[must_use]
    pub fn meant(&self) -> Meant {
        Meant::judged(&self.path, &self.entry)
    }
}

/// The file list as somebody may see and change it.
pub struct View<'a> {
    vfs: &'a VfsClient,
    rules: Arc<Rules>,
    who: Option<&'a Arc<Account>>,
    /// Who else has a say, and from where it is asked.
    gates: Option<(&'a Gates, Option<IpAddr>)>,
}

impl<'a> View<'a> {
    /// For an account; without one for whoever owns the site, who may everything.
    pub fn new(vfs: &'a VfsClient, rules: Arc<Rules>, who: Option<&'a Arc<Account>>) -> Self {
        Self {
            vfs,
            rules,
            who,
            gates: None,
        }
    }

    /// The same, where plugins have a say in what an account changes.
    #[must_use]
    pub fn through(self, gates: &'a Gates, client: Option<IpAddr>) -> Self {
        let gates = Some((gates, client));
        Self { gates, ..self }
    }

    /// Asks whoever has a say besides the permissions, which were asked before. `entry` is what it is about, `from` where
    /// that is now if it is to be renamed.
    ///
    /// # Errors
    /// [`ViewError::Stopped`].
    pub async fn passes(
        &self,
        what: Act,
        path: &VfsPath,
        entry: Option<&Entry>,
        from: Option<&VfsPath>,
    ) -> Result<(), ViewError> {
        let (Some((gates, client)), Some(who)) = (self.gates, self.who) else {
            return Ok(());
        };
        let question = || Asked {
            what,
            who: Arc::clone(who),
            client,
            path: path.clone(),
            entry: entry.cloned(),
            from: from.cloned(),
        };
        gates.ask(what, question).await.map_err(ViewError::Stopped)
    }

    /// The entry that a path leads to, links followed to the end, if `what` is allowed there.
    ///
    /// # Errors
    /// When there is none, it must not be seen, or `what` is not allowed.
    pub async fn target(&self, path: &VfsPath, what: Action) -> Result<At, ViewError> {
        self.existing(path, true, what).await
    }

    /// The entry that a path names, links followed but for the last name, if `what` is allowed there: for what changes
    /// the entry itself, be it a link.
    ///
    /// # Errors
    /// When there is none, it must not be seen, or `what` is not allowed.
    pub async fn place(&self, path: &VfsPath, what: Action) -> Result<At, ViewError> {
        self.existing(path, false, what).await
    }

    async fn existing(&self, asked: &VfsPath, last: bool, what: Action) -> Result<At, ViewError> {
        let Looked { path, entry, .. } = self.look(asked, last).await?;
        let entry = entry.ok_or_else(|| VfsError::NotFound(asked.clone()))?;
        let may = self.may_with(what, &path, &entry);
        may.map_err(|why| as_asked(why, asked))?;
        Ok(At { path, entry })
    }

    /// Where a path leads, links followed to the end, be there something or not, if `what` is allowed there.
    ///
    /// # Errors
    /// When its directory cannot be found or must not be seen, or `what` is not allowed.
    pub async fn spot(&self, asked: &VfsPath, what: Action) -> Result<VfsPath, ViewError> {
        let there = self.look(asked, true).await?;
        let may = self.may(what, &there.path);
        may.map_err(|why| as_asked(why, asked))?;
        Ok(there.path)
    }

    /// The place of an entry that is to be made, spelled as it is asked for, and what is there by now, for whoever may
    /// make such a thing there.
    ///
    /// # Errors
    /// When its directory cannot be found or must not be seen, or `what` is not allowed.
    pub async fn new_place(
        &self,
        path: &VfsPath,
        what: Action,
    ) -> Result<(VfsPath, Option<Entry>), ViewError> {
        let there = self.look(path, false).await?;
        let place = match (there.path.parent(), path.name()) {
            (Some(directory), Some(name)) => directory.join(name.clone())?,
            _ => there.path,
        };
        let may = self.may(what, &place);
        may.map_err(|why| as_asked(why, path))?;
        Ok((place, there.entry))
    }

    /// Whether something that is in the way of an upload or a new directory may be told of.
    ///
    /// # Errors
    /// [`VfsError::Busy`] for somebody else's upload that is hidden: the one thing that cannot be kept from whoever wants
    /// its name.
    pub fn may_meet(&self, resolved: &VfsPath, there: Option<&Entry>) -> Result<(), ViewError> {
        match there {
            Some(there) if self.may_with(Action::View, resolved, there).is_err() => {
                Err(VfsError::Busy(resolved.clone()).into())
            }
            _ => Ok(()),
        }
    }

    /// Where a path leads, and what is there. The way is judged and not its end: links that they do not see lead nowhere,
    /// and why a path leads nowhere does not tell what there is on its way.
    ///
    /// # Errors
    /// When a directory on the way is not there, or the file list fails.
    pub async fn look(&self, path: &VfsPath, last: bool) -> Result<Looked, VfsError> {
        let absent = || VfsError::NotFound(path.clone());
        let looked = self.vfs.look(path, last).await;
        let looked = looked.map_err(|why| match why {
            VfsError::Store(_) | VfsError::Ask(_) => why,
            _ => absent(),
        })?;
        match looked.via.iter().all(|link| self.sees(link)) {
            true => Ok(looked),
            false => Err(absent()),
        }
    }

    /// Whether something may be done at a resolved path, be there something or not. What may not even be seen is as if it
    /// were absent.
    ///
    /// # Errors
    /// Why not.
    pub fn may(&self, what: Action, resolved: &VfsPath) -> Result<(), ViewError> {
        self.judge(what, Target::at(resolved))
    }

    /// Whether something may be done with an entry, which may be their own.
    ///
    /// # Errors
    /// As [`View::may`].
    pub fn may_with(
        &self,
        what: Action,
        resolved: &VfsPath,
        entry: &Entry,
    ) -> Result<(), ViewError> {
        self.judge(what, Target::of(resolved, entry))
    }

    fn judge(&self, what: Action, target: Target<'_>) -> Result<(), ViewError> {
        let Some(who) = self.who else {
            return Ok(());
        };
        let judged = self.rules.judge(who, what, target);
        judged.map_err(|why| match why {
            Refused::Hidden => VfsError::NotFound(target.path.clone()).into(),
            Refused::Denied => ViewError::Denied,
            Refused::Name => ViewError::BadName,
        })
    }

    /// Whether a resolved path may be seen.
    pub fn sees(&self, resolved: &VfsPath) -> bool {
        self.may(Action::View, resolved).is_ok()
    }

    /// Says of each entry, with its resolved path, whether it may be seen: for reads on another thread.
    pub fn seer(&self) -> impl Fn(&VfsPath, &Entry) -> bool + Send + 'static {
        let (rules, who) = (Arc::clone(&self.rules), self.who.cloned());
        move |path, entry| {
            let target = Target::of(path, entry);
            let judged = |who: &Arc<Account>| rules.judge(who, Action::View, target);
            who.as_ref().is_none_or(|who| judged(who).is_ok())
        }
    }

    /// What is seen of the entries of a directory that is seen; `None`: all.
    pub fn here(&self, dir: &VfsPath) -> Option<Here> {
        let who = self.who?;
        Some(Here::new(Arc::clone(&self.rules), Arc::clone(who), dir))
    }

    /// Whether all that lies below a directory that is seen is seen too.
    pub fn sees_all_below(&self, dir: &VfsPath) -> bool {
        self.who
            .is_none_or(|who| self.rules.may_all_below(who, Action::View, dir))
    }

    /// Whether everything below a directory may be deleted, whoever owns it.
    pub fn deletes_all_below(&self, dir: &VfsPath) -> bool {
        self.who
            .is_none_or(|who| self.rules.may_all_below(who, Action::Delete, dir))
    }

    /// Makes a directory.
    ///
    /// # Errors
    /// When it may not be made, or is there.
    pub async fn make_dir(&self, path: &VfsPath, owner: Owner) -> Result<Entry, ViewError> {
        let (place, there) = self.new_place(path, Action::MakeDir).await?;
        self.may_meet(&place, there.as_ref())?;
        self.passes(Act::MakeDir, &place, there.as_ref(), None)
            .await?;
        Ok(self.vfs.make_dir(&place, owner).await?)
    }

    /// Removes an empty directory. `by`: who does it.
    ///
    /// # Errors
    /// When it may not be removed, or is not empty.
    pub async fn remove_dir(&self, path: &VfsPath, by: Option<&str>) -> Result<(), ViewError> {
        let there = self.place(path, Action::Delete).await?;
        self.passes(Act::RemoveDir, &there.path, Some(&there.entry), None)
            .await?;
        Ok(self.vfs.remove_dir(there.meant(), by).await?)
    }

    /// Deletes a file, or a link and not what it leads to. `by`: who does it.
    ///
    /// # Errors
    /// When it may not be deleted.
    pub async fn delete(&self, path: &VfsPath, by: Option<&str>) -> Result<Entry, ViewError> {
        let there = self.place(path, Action::Delete).await?;
        self.passes(Act::Delete, &there.path, Some(&there.entry), None)
            .await?;
        Ok(self.vfs.delete(there.meant(), by).await?)
    }

    /// Sets times of what a path leads to.
    ///
    /// # Errors
    /// When they may not be set.
    pub async fn set_times(&self, path: &VfsPath, times: Times) -> Result<At, ViewError> {
        let there = self.target(path, Action::SetTime).await?;
        self.vfs.set_times(there.meant(), times).await?;
        Ok(there)
    }

    /// Renames. The new place is judged like any other: a file comes there as by an upload, a directory as one that is
    /// made; a file gives way only where it might be overwritten. `by`: who does it.
    ///
    /// # Errors
    /// When either is not allowed, or the new name is taken.
    pub async fn rename(
        &self,
        from: &VfsPath,
        to: &VfsPath,
        by: Option<&str>,
    ) -> Result<(), ViewError> {
        let from = self.place(from, Action::Rename).await?;
        let what = match from.entry.kind {
            Kind::Dir => Action::MakeDir,
            Kind::File | Kind::Link => Action::Upload,
        };
        let (to, there) = self.new_place(to, what).await?;
        // The same entry in another spelling stays where it is.
        let there = there.filter(|there| there.id != from.entry.id);
        if let (Kind::Dir, Some(who)) = (from.entry.kind, self.who) {
            let moved = self.rules.may_move_all(who, &from.path, &to);
            moved.map_err(|_refused| ViewError::Denied)?;
        }
        self.passes(Act::Rename, &to, Some(&from.entry), Some(&from.path))
            .await?;
        let gives_way = |there: &Entry| self.may_with(Action::Overwrite, &to, there).is_ok();
        let replaces = there.filter(gives_way).map(|there| there.id);
        match self.vfs.rename(from.meant(), &to, replaces, by).await {
            Err(VfsError::Exists(_)) => Err(ViewError::NameTaken),
            renamed => Ok(renamed?),
        }
    }
}
