//! A file list that notes what it is told, and has the logs that the test puts in.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard};

use drftpd_protocol::wire::{DirDigest, RootOp, StagedEntry, WalkPage};
use drftpd_protocol::{FileId, NodeId, OpSeq, RootId, SlaveId, TransferId};
use futures_util::FutureExt;
use tokio::sync::Semaphore;

use crate::accounts::tally::Figures;
use crate::slaves::filelist::{Answer, FileList};
use crate::vfs::{Begins, Compare, Concluded, Judged, Merged, OpsHeads, SawAll, VfsError, Within};

/// What the list was told, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    Shown(RootId),
    Done(RootId, OpSeq),
    Page(RootId, usize),
    Digests(RootId, usize),
    Staged(RootId, usize),
    Walked(RootId, usize),
    PartsWalked(RootId, usize),
    SharedPage(RootId, usize),
    Compared(RootId, Vec<(FileId, bool)>),
    Orphan(FileId, RootId, Option<u64>),
    Download(TransferId, u64),
}

/// The list.
pub(crate) struct FakeFiles {
    state: Mutex<State>,
    heads: OpsHeads,
    /// Pages are committed only as fast as the test lets them.
    pub commits: Semaphore,
}

#[derive(Default)]
struct State {
    told: Vec<Told>,
    logs: BTreeMap<RootId, Vec<(OpSeq, RootOp)>>,
    done: BTreeMap<RootId, OpSeq>,
    merged: VecDeque<Merged>,
    concluded: VecDeque<Concluded>,
    judged: VecDeque<Judged>,
    held: BTreeSet<RootId>,
    retired: BTreeSet<RootId>,
    failing: u32,
    panicking: bool,
}

impl Default for FakeFiles {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            heads: OpsHeads::default(),
            commits: Semaphore::new(100_000),
        }
    }
}

impl FakeFiles {
    /// This root is retired.
    pub fn retire(&self, root: RootId) {
        self.state().retired.insert(root);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Everything it was told so far.
    pub fn told(&self) -> Vec<Told> {
        self.state().told.clone()
    }

    /// Puts an operation into a root's log.
    pub fn push(&self, root: RootId, op: RootOp) -> OpSeq {
        let mut state = self.state();
        let log = state.logs.entry(root).or_default();
        let seq = OpSeq(log.len() as u64 + 1);
        log.push((seq, op));
        drop(state);
        self.heads.moved([(root, seq)]);
        seq
    }

    /// What the next page will find.
    pub fn will_find(&self, merged: Merged) {
        self.state().merged.push_back(merged);
    }

    /// What the next digests are.
    pub fn will_judge(&self, judged: Judged) {
        self.state().judged.push_back(judged);
    }

    /// What the next walk that saw everything says.
    pub fn will_conclude(&self, concluded: Concluded) {
        self.state().concluded.push_back(concluded);
    }

    /// Whether nothing counts that a root says.
    pub fn hold(&self, root: RootId, held: bool) {
        let mut state = self.state();
        match held {
            true => state.held.insert(root),
            false => state.held.remove(&root),
        };
    }

    /// The next questions fail.
    pub fn fail(&self, times: u32) {
        self.state().failing = times;
    }

    /// The next page panics.
    pub fn panic(&self) {
        self.state().panicking = true;
    }

    fn note(&self, told: Told) -> Result<(), VfsError> {
        let mut state = self.state();
        if state.failing > 0 {
            state.failing -= 1;
            return Err(VfsError::NoUpload);
        }
        state.told.push(told);
        Ok(())
    }
}

impl FileList for FakeFiles {
    fn ops_heads(&self) -> OpsHeads {
        self.heads.clone()
    }

    fn root_shown<'a>(&'a self, root: RootId, _: &'a SlaveId) -> Answer<'a, OpSeq> {
        async move {
            if self.state().retired.contains(&root) {
                return Err(VfsError::RetiredRoot(root));
            }
            self.note(Told::Shown(root))?;
            Ok(self.state().done.get(&root).copied().unwrap_or(OpSeq::NONE))
        }
        .boxed_local()
    }

    fn ops_after(
        &self,
        root: RootId,
        after: OpSeq,
        most: usize,
    ) -> Answer<'_, Vec<(OpSeq, RootOp)>> {
        async move {
            let state = self.state();
            let log = state.logs.get(&root).into_iter().flatten();
            Ok(log
                .filter(|(seq, _)| *seq > after)
                .take(most)
                .cloned()
                .collect())
        }
        .boxed_local()
    }

    fn ops_done(&self, root: RootId, through: OpSeq) -> Answer<'_, ()> {
        async move {
            self.note(Told::Done(root, through))?;
            self.state().done.insert(root, through);
            Ok(())
        }
        .boxed_local()
    }

    fn merge_page<'a>(
        &'a self,
        _: &'a SlaveId,
        page: WalkPage,
        shared: Option<OpSeq>,
    ) -> Answer<'a, Merged> {
        async move {
            self.commits.acquire().await.unwrap().forget();
            let panics = std::mem::take(&mut self.state().panicking);
            assert!(!panics, "on purpose");
            self.note(match shared {
                None => Told::Page(page.root, page.entries.len()),
                Some(_) => Told::SharedPage(page.root, page.entries.len()),
            })?;
            Ok(self.state().merged.pop_front().unwrap_or_default())
        }
        .boxed_local()
    }

    fn merge_compared<'a>(
        &'a self,
        root: RootId,
        _: &'a SlaveId,
        compared: Vec<(Compare, bool)>,
    ) -> Answer<'a, Merged> {
        let results = compared.into_iter().map(|(of, equal)| (of.live, equal));
        let told = Told::Compared(root, results.collect());
        async move { self.note(told).map(|()| Merged::default()) }.boxed_local()
    }

    fn walk_begins(&self, root: RootId) -> Answer<'_, Begins> {
        async move {
            let state = self.state();
            Ok(Begins {
                since: state.done.get(&root).copied().unwrap_or(OpSeq::NONE),
                held: state.held.contains(&root),
            })
        }
        .boxed_local()
    }

    fn part_walk_begins(&self, root: RootId) -> Answer<'_, Begins> {
        self.walk_begins(root)
    }

    fn judge_digests(&self, root: RootId, _: OpSeq, dirs: Vec<DirDigest>) -> Answer<'_, Judged> {
        async move {
            self.note(Told::Digests(root, dirs.len()))?;
            Ok(self.state().judged.pop_front().unwrap_or_default())
        }
        .boxed_local()
    }

    fn merge_staged(&self, root: RootId, files: Vec<StagedEntry>) -> Answer<'_, Vec<NodeId>> {
        async move {
            self.note(Told::Staged(root, files.len()))?;
            Ok(Vec::new())
        }
        .boxed_local()
    }

    fn walked<'a>(&'a self, root: RootId, _: &'a SlaveId, walk: SawAll) -> Answer<'a, Concluded> {
        async move {
            let told = match walk.within {
                Within::All => Told::Walked(root, walk.running.len()),
                Within::Parts { below, .. } => Told::PartsWalked(root, below.len()),
            };
            self.note(told)?;
            Ok(self.state().concluded.pop_front().unwrap_or_default())
        }
        .boxed_local()
    }

    fn settle_download(&self, transfer: TransferId, moved: Figures) -> Answer<'_, ()> {
        async move { self.note(Told::Download(transfer, moved.bytes)) }.boxed_local()
    }

    fn downloads_known<'a>(
        &'a self,
        _: &'a SlaveId,
        _: Vec<TransferId>,
        _: TransferId,
    ) -> Answer<'a, usize> {
        async { Ok(0) }.boxed_local()
    }

    fn settle_orphan(&self, file: FileId, root: RootId, kept: Option<u64>) -> Answer<'_, ()> {
        async move { self.note(Told::Orphan(file, root, kept)) }.boxed_local()
    }
}
