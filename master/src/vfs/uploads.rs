//! Uploads that run: how many bytes each has, and entries whose intent is not yet in the store.
//!
//! Pure. The actor owns it and publishes copies of it; readers lay it over what the store says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use drftpd_protocol::{DirId, FileId, Generation, NodeId, RootId};

use super::client::Owner;
use super::types::{Entry, FileState};

/// All running uploads of this master.
#[derive(Debug, Clone, Default)]
pub struct Uploads {
    running: BTreeMap<NodeId, Running>,
    /// New files whose intent is on its way to the store, by directory and folded name.
    unstored: BTreeMap<(DirId, Vec<u8>), Entry>,
}

#[derive(Debug, Clone)]
struct Running {
    generation: Generation,
    root: RootId,
    /// Its end is on its way to the store.
    ends: bool,
    /// Shared by all copies, so that growing needs no new one.
    size: Arc<AtomicU64>,
    /// Where a quota holds.
    claim: Option<Arc<Claim>>,
}

/// What an upload takes of a quota.
#[derive(Debug)]
struct Claim {
    owner: Owner,
    /// Bytes that the file will have, as far as that was said.
    bytes: AtomicU64,
}

impl Uploads {
    /// An upload begins, with `size` bytes kept from before. `new`: the entry that nobody else
    /// sees yet, under its folded name.
    pub fn begin(&mut self, file: FileId, root: RootId, size: u64, new: Option<(Vec<u8>, Entry)>) {
        let running = Running {
            generation: file.generation,
            root,
            ends: false,
            size: Arc::new(AtomicU64::new(size)),
            claim: None,
        };
        self.running.insert(file.node, running);
        if let Some((key, entry)) = new {
            self.unstored.insert((entry.parent, key), entry);
        }
    }

    /// A quota holds for an upload whose file will belong to `owner` and have so many bytes, as far as that is known.
    pub fn claims(&mut self, file: FileId, owner: Owner, bytes: u64) {
        if self.is_running(file)
            && let Some(running) = self.running.get_mut(&file.node)
        {
            let bytes = AtomicU64::new(bytes);
            running.claim = Some(Arc::new(Claim { owner, bytes }));
        }
    }

    /// Whose quota holds for an upload.
    pub fn claimed_by(&self, file: FileId) -> Option<&Owner> {
        let claim = self.of(file)?.claim.as_ref()?;
        Some(&claim.owner)
    }

    /// Every upload for which a quota holds, with the bytes that it takes or will take.
    pub fn claimed(&self) -> impl Iterator<Item = (FileId, &Owner, u64)> {
        self.running.iter().filter_map(|(node, running)| {
            let claim = running.claim.as_ref()?;
            let file = FileId {
                node: *node,
                generation: running.generation,
            };
            let bytes = claim.bytes.load(Ordering::Relaxed);
            Some((
                file,
                &claim.owner,
                bytes.max(running.size.load(Ordering::Relaxed)),
            ))
        })
    }

    /// An upload is too large, and nothing will be kept of it: others may have its room.
    pub fn makes_room(&self, file: FileId) {
        if let Some(running) = self.of(file)
            && let Some(claim) = &running.claim
        {
            claim.bytes.store(0, Ordering::Relaxed);
            running.size.store(0, Ordering::Relaxed);
        }
    }

    /// The store has the intent: from now on it says where the entry is.
    pub fn stored(&mut self, file: FileId) {
        self.unstored.retain(|_, entry| entry.file() != file);
    }

    /// Whether the store does not have the intent of a new file's upload yet.
    pub fn is_unstored(&self, file: FileId) -> bool {
        self.unstored.values().any(|entry| entry.file() == file)
    }

    /// The upload is over, or was refused.
    pub fn end(&mut self, file: FileId) {
        self.stored(file);
        if self.is_running(file) {
            self.running.remove(&file.node);
        }
    }

    /// The end of an upload is on its way to the store, or did not get there.
    pub fn ends(&mut self, file: FileId, ends: bool) {
        if self.is_running(file)
            && let Some(running) = self.running.get_mut(&file.node)
        {
            running.ends = ends;
        }
    }

    /// Whether this very upload runs, and nobody has ended it.
    pub fn goes_on(&self, file: FileId) -> bool {
        self.of(file).is_some_and(|running| !running.ends)
    }

    /// Bytes that are there now; says nothing where the upload is not known.
    pub fn grew(&self, file: FileId, size: u64) {
        if let Some(running) = self.of(file) {
            running.size.fetch_max(size, Ordering::Relaxed);
        }
    }

    /// Whether any upload to this node runs.
    pub fn is_busy(&self, node: NodeId) -> bool {
        self.running.contains_key(&node)
    }

    /// Whether this very upload runs.
    pub fn is_running(&self, file: FileId) -> bool {
        self.of(file).is_some()
    }

    fn of(&self, file: FileId) -> Option<&Running> {
        let running = self.running.get(&file.node)?;
        (running.generation == file.generation).then_some(running)
    }

    /// The root that takes an upload.
    pub fn root(&self, file: FileId) -> Option<RootId> {
        self.of(file).map(|running| running.root)
    }

    /// Bytes that an upload has.
    pub fn size(&self, file: FileId) -> Option<u64> {
        let running = self.of(file)?;
        Some(running.size.load(Ordering::Relaxed))
    }

    /// How many run.
    pub fn len(&self) -> usize {
        self.running.len()
    }

    /// A new file that the store does not have yet.
    pub fn unstored(&self, dir: DirId, key: &[u8]) -> Option<Entry> {
        let entry = self.unstored.get(&(dir, key.to_vec()))?;
        Some(self.live(entry.clone()))
    }

    /// New files of a directory that the store does not have yet, behind a folded name and up to
    /// another one, each with its folded name.
    pub fn unstored_in(
        &self,
        dir: DirId,
        after: &[u8],
        through: Option<&[u8]>,
    ) -> Vec<(Vec<u8>, Entry)> {
        let all = self.unstored.range((dir, after.to_vec())..);
        all.take_while(|((parent, key), _)| {
            *parent == dir && through.is_none_or(|last| key.as_slice() <= last)
        })
        .filter(|((_, key), _)| key.as_slice() > after)
        .map(|((_, key), entry)| (key.clone(), self.live(entry.clone())))
        .collect()
    }

    /// An entry with the size it has at this moment.
    pub fn live(&self, mut entry: Entry) -> Entry {
        if entry.state == FileState::Uploading
            && let Some(running) = self.of(entry.file())
        {
            entry.size = running.size.load(Ordering::Relaxed);
        }
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vfs::types::Kind;
    use drftpd_protocol::Name;

    const ROOT: RootId = RootId([7; 16]);

    fn entry(node: u64, name: &str) -> Entry {
        Entry {
            id: NodeId(node),
            parent: NodeId::ROOT,
            name: Some(Name::new(name.as_bytes().to_vec()).unwrap()),
            kind: Kind::File,
            owner: "u".into(),
            group: "g".into(),
            mode: 0o644,
            modified: 0,
            created: 0,
            size: 0,
            files: 1,
            generation: Generation(1),
            crc32: None,
            blake3: None,
            state: FileState::Uploading,
            target: None,
        }
    }

    #[test]
    fn copies_see_an_upload_grow_and_never_shrink() {
        let mut uploads = Uploads::default();
        let a = entry(7, "a");
        uploads.begin(a.file(), ROOT, 10, Some((b"a".to_vec(), a.clone())));
        let copy = uploads.clone();
        uploads.grew(a.file(), 50);
        uploads.grew(a.file(), 40);
        assert_eq!(copy.live(a.clone()).size, 50);
        assert_eq!(copy.unstored(NodeId::ROOT, b"a").unwrap().size, 50);
        let other = FileId {
            node: a.id,
            generation: Generation(2),
        };
        uploads.grew(other, 99);
        assert_eq!(copy.live(a).size, 50);
    }

    #[test]
    fn an_entry_is_only_shown_by_memory_until_the_store_has_it() {
        let mut uploads = Uploads::default();
        for (node, name) in [(7, "a"), (8, "b"), (9, "c")] {
            let entry = entry(node, name);
            let new = Some((name.as_bytes().to_vec(), entry.clone()));
            uploads.begin(entry.file(), ROOT, 0, new);
        }
        let names = |uploads: &Uploads, after: &str, through: Option<&[u8]>| {
            let found = uploads.unstored_in(NodeId::ROOT, after.as_bytes(), through);
            found.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
        };
        assert_eq!(names(&uploads, "a", None), [b"b", b"c"]);
        assert_eq!(names(&uploads, "", Some(b"b")), [b"a", b"b"]);
        uploads.stored(entry(8, "b").file());
        assert_eq!(names(&uploads, "", None), [b"a", b"c"]);
        assert!(uploads.is_busy(NodeId(8)));
        uploads.end(entry(8, "b").file());
        assert!(!uploads.is_busy(NodeId(8)) && uploads.len() == 2);
    }

    #[test]
    fn the_end_of_an_older_upload_leaves_the_newer_one() {
        let mut uploads = Uploads::default();
        let old = entry(7, "a").file();
        let new = FileId {
            generation: Generation(2),
            ..old
        };
        uploads.begin(old, ROOT, 0, None);
        uploads.begin(new, ROOT, 0, None);
        uploads.end(old);
        assert!(uploads.is_running(new));
    }
}
