//! All roots of a slave, and the rules for having several.

use std::fmt;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use drftpd_actors::{Clock, Dice};
use drftpd_protocol::ids::RootId;
use drftpd_protocol::wire::{RootStatus, SpaceSeen};
use serde::{Deserialize, Serialize};

use super::error::StorageError;
use super::identity;
use super::root::{Root, lock};
use super::space::Spaces;
use crate::sys::beneath;

/// One storage folder, as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootConfig {
    /// The folder.
    pub path: PathBuf,
    /// Make it a root if it is none yet. Only for a first start: a disk that is not mounted would
    /// look like a new root.
    pub create: bool,
    /// Whether other programs work there too, and how.
    pub shared: Option<Sharing>,
}

/// How other programs work on a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sharing {
    /// How long nothing must have happened to a file until it is taken as it is.
    pub quiet: Duration,
    /// How often all of the root is walked, whether something was heard or not.
    pub rescan_every: Duration,
}

impl RootConfig {
    /// A folder that must be a root already, or is absent.
    pub fn existing(path: impl Into<PathBuf>) -> RootConfig {
        RootConfig {
            path: path.into(),
            create: false,
            shared: None,
        }
    }
}

/// When bytes are forced to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fsync {
    /// Before anything is acknowledged: survives power loss.
    #[default]
    Always,
    /// Never: survives the end of the process, not of the power.
    Never,
}

/// How roots treat what is stored in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoragePolicy {
    /// When bytes are forced to the disk.
    pub fsync: Fsync,
    /// How long what was set aside is kept, space permitting.
    pub trash_keep: Duration,
    /// What every root says that it has and that is free, for tests; `None`: what is there.
    pub pretended_space: Option<u64>,
}

/// The roots of a slave. Cloning gives another handle to the same ones.
#[derive(Clone)]
pub struct Roots(Arc<Shared>);

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all()).finish()
    }
}

struct Shared {
    policy: StoragePolicy,
    clock: Clock,
    space: Spaces,
    slots: Mutex<Vec<Slot>>,
}

/// A configured folder, and its root as soon as it was seen once.
struct Slot {
    path: PathBuf,
    shared: Option<Sharing>,
    root: Option<Root>,
    /// Said already that it cannot be used.
    complained: bool,
}

impl Roots {
    /// Makes the folder, and what is above it, and gives it an identity; one that it has stays.
    ///
    /// # Errors
    /// [`StorageError::Nested`] below another root, [`StorageError::BadIdentity`], or the
    /// operating system's.
    pub fn create(path: &Path, dice: &Dice) -> Result<RootId, StorageError> {
        let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        for above in whole.ancestors().skip(1) {
            if above.join(".drftpd/identity").exists() {
                return Err(StorageError::Nested {
                    outer: above.to_owned(),
                    inner: path.to_owned(),
                });
            }
        }
        identity::ensure(path, dice)
    }

    /// Opens all configured folders. One without identity is absent until it shows one.
    ///
    /// # Errors
    /// When two are one root, one lies in another, one is used by another slave, its filesystem
    /// has no attributes, or its identity is damaged.
    pub fn open(
        configured: &[RootConfig],
        policy: StoragePolicy,
        clock: Clock,
        dice: Dice,
    ) -> Result<Roots, StorageError> {
        for config in configured.iter().filter(|config| config.create) {
            Roots::create(&config.path, &dice)?;
        }
        refuse_nested(configured)?;
        refuse_twice(configured)?;
        let space = Spaces::new(dice.u64());
        let mut slots = Vec::with_capacity(configured.len());
        for RootConfig { path, shared, .. } in configured {
            let root = match Root::new(path, *shared, policy, clock.clone(), space.clone()) {
                Ok(root) => Some(root),
                Err(StorageError::NoIdentity(path)) => {
                    let path = path.display();
                    tracing::error!(%path, "folder has no identity file: the root is absent");
                    None
                }
                Err(error) => return Err(error),
            };
            slots.push(Slot {
                path: path.clone(),
                shared: *shared,
                root,
                complained: false,
            });
        }
        Ok(Roots(Arc::new(Shared {
            policy,
            clock,
            space,
            slots: Mutex::new(slots),
        })))
    }

    /// The root with this identity.
    ///
    /// # Errors
    /// [`StorageError::NoSuchRoot`] or [`StorageError::Absent`].
    pub fn get(&self, root: RootId) -> Result<Root, StorageError> {
        let found = self.all().into_iter().find(|known| known.id() == root);
        let found = found.ok_or(StorageError::NoSuchRoot(root))?;
        found.live()?;
        Ok(found)
    }

    /// Every root that was seen, whether it is there now or not.
    pub fn all(&self) -> Vec<Root> {
        let slots = lock(&self.0.slots);
        slots.iter().filter_map(|slot| slot.root.clone()).collect()
    }

    /// Looks at every root and says how it is. One that never showed its identity has none to be
    /// told by and is left out.
    pub fn statuses(&self) -> Vec<RootStatus> {
        self.look_for_new();
        self.all().iter().map(Root::status).collect()
    }

    /// Looks at one root and says how it is; `None` for one that was never seen. A disk that hangs
    /// holds up nobody but the caller.
    pub fn status(&self, root: RootId) -> Option<RootStatus> {
        let roots = self.all();
        let root = roots.iter().find(|known| known.id() == root)?;
        Some(root.status())
    }

    /// Looks at what is free on a root, and on those that share its filesystem.
    pub fn space_seen(&self, root: &Root) -> SpaceSeen {
        let (look, device) = (self.0.space.look(), root.device());
        let roots = self.all().into_iter();
        let beside = roots.filter(|other| other.device() == device);
        SpaceSeen {
            look,
            free: beside.map(|root| (root.id(), root.space().free)).collect(),
        }
    }

    /// Removes what was set aside longer ago than it is kept; says how many things.
    ///
    /// # Errors
    /// The first of a root; the others are gone through all the same.
    pub fn empty_trash(&self) -> Result<u64, StorageError> {
        let now = self.0.clock.unix();
        let present = self
            .all()
            .into_iter()
            .filter(|root| root.writable().is_ok());
        let emptied: Vec<_> = present.map(|root| root.empty_trash(now)).collect();
        emptied.into_iter().sum()
    }

    /// Looks again at folders that had no identity when they were looked at before: a disk may be
    /// mounted late. Answers the roots that have come. A disk that hangs holds up nobody but the
    /// caller.
    pub fn look_for_new(&self) -> Vec<RootId> {
        let mut come = Vec::new();
        for (path, shared) in self.unseen() {
            let seen = self.try_new(&path, shared, &self.all());
            let mut slots = lock(&self.0.slots);
            let slot = slots.iter_mut().find(|slot| slot.path == path);
            let Some(slot) = slot.filter(|slot| slot.root.is_none()) else {
                continue;
            };
            match seen {
                Ok(root) => {
                    tracing::info!(root = %root.id(), path = %path.display(), "root has come");
                    come.push(root.id());
                    slot.root = Some(root);
                }
                Err(StorageError::NoIdentity(_)) => {}
                Err(error) if slot.complained => tracing::debug!(%error, "root is still refused"),
                Err(error) => {
                    tracing::error!(%error, "root is refused");
                    slot.complained = true;
                }
            }
        }
        come
    }

    fn unseen(&self) -> Vec<(PathBuf, Option<Sharing>)> {
        let slots = lock(&self.0.slots);
        let unseen = slots.iter().filter(|slot| slot.root.is_none());
        unseen
            .map(|slot| (slot.path.clone(), slot.shared))
            .collect()
    }

    fn try_new(
        &self,
        path: &Path,
        shared: Option<Sharing>,
        known: &[Root],
    ) -> Result<Root, StorageError> {
        if let Some(root) = identity_at(path)?
            && let Some(first) = known.iter().find(|known| known.id() == root)
        {
            return Err(StorageError::Twice {
                root,
                first: first.path().to_owned(),
                second: path.to_owned(),
            });
        }
        Root::new(
            path,
            shared,
            self.0.policy,
            self.0.clock.clone(),
            self.0.space.clone(),
        )
    }
}

fn refuse_nested(configured: &[RootConfig]) -> Result<(), StorageError> {
    let whole = |path: &PathBuf| {
        let whole = path.canonicalize().or_else(|_| std::path::absolute(path));
        whole.unwrap_or_else(|_| path.clone())
    };
    let paths: Vec<PathBuf> = configured.iter().map(|root| whole(&root.path)).collect();
    for (at, outer) in paths.iter().enumerate() {
        for (other, inner) in paths.iter().enumerate() {
            if at != other && inner != outer && inner.starts_with(outer) {
                return Err(StorageError::Nested {
                    outer: outer.clone(),
                    inner: inner.clone(),
                });
            }
        }
    }
    Ok(())
}

fn refuse_twice(configured: &[RootConfig]) -> Result<(), StorageError> {
    let mut seen: Vec<(RootId, &PathBuf)> = Vec::new();
    for RootConfig { path, .. } in configured {
        let Some(root) = identity_at(path)? else {
            continue;
        };
        if let Some((_, first)) = seen.iter().find(|(id, _)| *id == root) {
            return Err(StorageError::Twice {
                root,
                first: PathBuf::clone(first),
                second: path.clone(),
            });
        }
        seen.push((root, path));
    }
    Ok(())
}

fn identity_at(path: &Path) -> Result<Option<RootId>, StorageError> {
    match beneath::open_top(path) {
        Ok(top) => identity::read(top.as_fd(), path),
        Err(_) => Ok(None),
    }
}
