//! What a walk of a shared root says when it is over: what others moved, copied and removed.

use std::collections::{BTreeMap, BTreeSet};

use drftpd_protocol::wire::{Place, WalkPart};
use drftpd_protocol::{NodeId, OpSeq, RootId, SlaveId};

use super::VfsClient;
use super::walks::{Concluded, SawShared, Stray, is_too_much};
use crate::store::Sql;
use crate::vfs::commands::{BelieveDirsGone, BelieveGone, Follow, Followed, HoldRoot};
use crate::vfs::error::VfsError;
use crate::vfs::tree::unseen::{Seen, Unseen};
use crate::vfs::tree::{nodes, walk};

/// Files or directories that one command takes away.
const AT_ONCE: usize = 256;

/// A walk of a shared root that is over.
pub(super) struct Believed<'a> {
    pub root: RootId,
    pub slave: &'a SlaveId,
    pub since: OpSeq,
    /// Directories of which all is as it should be.
    pub agreed: Seen,
    /// How many missing copies an operator has confirmed.
    pub confirmed: u64,
}

/// What can be said of something at another place.
enum Verdict {
    /// Its own place is empty, or not.
    Known(bool),
    /// Its own place was not looked at: both are, together.
    LookAt(Place),
    /// It is gone from the tree meanwhile.
    Nothing,
}

impl VfsClient {
    pub(super) async fn believe(
        &self,
        walk: Believed<'_>,
        saw: SawShared,
        unseen: Unseen,
    ) -> Result<Concluded, VfsError> {
        let mut concluded = Concluded {
            copies: unseen.copies,
            unsettled: unseen.unsettled,
            ..Concluded::default()
        };
        let placed = saw.placed.sorted();
        let strayed: BTreeSet<NodeId> = saw.strays.iter().map(|stray| stray.node).collect();
        let mut missing: BTreeSet<NodeId> = unseen.missing.into_iter().collect();
        let lost = missing.difference(&strayed).count() as u64;
        let (in_all, of_all) = (lost + saw.lately, unseen.copies + saw.lately);
        if lost > 0 && is_too_much(in_all, walk.confirmed, of_all) {
            let (root, missing) = (walk.root, lost);
            self.change(HoldRoot { root, missing }).await?;
            concluded.missing = lost;
            concluded.held = true;
            return Ok(concluded);
        }
        let (mut known, mut moved) = (Vec::new(), BTreeSet::new());
        for stray in once_each(saw.strays) {
            // It was moved to one place; at others are copies of it.
            if moved.contains(&stray.node) {
                known.push((stray, false));
                continue;
            }
            let empty = missing.remove(&stray.node) || saw.left.contains(&stray.node);
            match self.verdict(&walk, &stray, empty, &placed)? {
                Verdict::Known(is_moved) => {
                    moved.extend(is_moved.then_some(stray.node));
                    known.push((stray, is_moved));
                }
                Verdict::LookAt(own) => concluded.again.extend([look_at(own), look_at(stray.at)]),
                Verdict::Nothing => {}
            }
        }
        // Before anything is renamed: that is an order for this root, behind which nothing is concluded of its directories.
        let missing: Vec<NodeId> = missing.into_iter().collect();
        for nodes in missing.chunks(AT_ONCE) {
            let gone = BelieveGone {
                root: walk.root,
                since: walk.since,
                nodes: nodes.to_vec(),
            };
            let removed = self.change(gone).await?;
            concluded.removed += removed;
            concluded.unsettled += (nodes.len() as u64).saturating_sub(removed);
        }
        for dirs in self.below(unseen.gone_dirs).await?.chunks(AT_ONCE) {
            let (root, dirs) = (walk.root, dirs.to_vec());
            concluded.removed_dirs += self.change(BelieveDirsGone { root, dirs }).await?;
        }
        for strays in known.chunks(AT_ONCE) {
            self.follow_strays(&walk, strays.to_vec(), &mut concluded)
                .await?;
        }
        Ok(concluded)
    }

    fn verdict(
        &self,
        walk: &Believed<'_>,
        stray: &Stray,
        empty: bool,
        placed: &Seen,
    ) -> Result<Verdict, VfsError> {
        if empty {
            return Ok(Verdict::Known(true));
        }
        if placed.has(stray.node) || walk.agreed.has(stray.node) {
            return Ok(Verdict::Known(false));
        }
        let node = stray.node;
        let entry = self.read(move |sql, _| Ok(nodes::by_id(sql, node)?))?;
        let Some(entry) = entry else {
            return Ok(Verdict::Nothing);
        };
        if walk.agreed.has(entry.parent) && entry.kind == crate::vfs::Kind::File {
            return Ok(Verdict::Known(false));
        }
        let own = self.read(move |sql, _| walk::place_of(sql, &entry))?;
        Ok(Verdict::LookAt(own))
    }

    async fn follow_strays(
        &self,
        walk: &Believed<'_>,
        strays: Vec<(Stray, bool)>,
        concluded: &mut Concluded,
    ) -> Result<(), VfsError> {
        let follow = Follow {
            root: walk.root,
            slave: walk.slave.clone(),
            since: walk.since,
            strays: strays.clone(),
        };
        let followed = self.change(follow).await?;
        for (followed, (Stray { at, .. }, _)) in followed.into_iter().zip(strays) {
            match followed {
                Followed::Renamed => concluded.renamed += 1,
                Followed::Disowned => {
                    concluded.again.push(look_at(at.clone()));
                    let way = at.dirs.into_iter().map(|step| step.name);
                    let way = way.chain([at.name]).collect();
                    let names = Vec::new();
                    concluded.again.push(WalkPart { way, names });
                }
                Followed::Later => concluded.again.push(look_at(at)),
            }
        }
        Ok(())
    }

    /// Directories with all that are below them in the tree, the deepest first.
    async fn below(&self, dirs: Vec<NodeId>) -> Result<Vec<NodeId>, VfsError> {
        if dirs.is_empty() {
            return Ok(dirs);
        }
        let read = move |sql: &Sql<'_>| -> Result<_, VfsError> {
            let (mut open, mut all) = (dirs, Vec::new());
            while let Some(dir) = open.pop() {
                all.push(dir);
                open.extend(nodes::dirs_in(sql, dir)?);
            }
            all.reverse();
            Ok(all)
        };
        self.store.read_on(&self.blocking, read).await
    }
}

/// A directory is met as an entry of the one above and as one that is told itself.
fn once_each(mut strays: Vec<Stray>) -> Vec<Stray> {
    let mut met: BTreeMap<NodeId, Vec<Place>> = BTreeMap::new();
    strays.retain(|Stray { node, at }| {
        let places = met.entry(*node).or_default();
        let is_new = !places.contains(at);
        if is_new {
            places.push(at.clone());
        }
        is_new
    });
    strays
}

fn look_at(at: Place) -> WalkPart {
    WalkPart {
        way: at.dirs.into_iter().map(|step| step.name).collect(),
        names: vec![at.name],
    }
}
