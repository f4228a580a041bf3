//! Copies that are read again: what is concluded, of which copy, and what becomes of the damaged ones.

use std::time::Duration;

use drftpd_protocol::wire::{Blake3Sum, StagedEntry, WalkEntry, WalkNode};

use super::*;
use crate::vfs::scrub::{Damaged, Finding, Found, Pass, Reading, Scope, Sums};

/// The CRC-32 that all bytes of these tests have.
const GOOD: u32 = 0xC0FFEE;
const HOUR: Duration = Duration::from_secs(3600);

fn sums(size: u64, crc32: u32) -> Reading {
    Reading::Sums(Sums {
        size,
        crc32: Some(crc32),
        blake3: None,
    })
}

/// The pass over a whole root, under way.
async fn pass(fx: &Fixture, root: RootId) -> Pass {
    fx.vfs.begin_passes(Scope::Root(root)).await.unwrap();
    fx.vfs.next_pass(root).await.unwrap().unwrap()
}

async fn tell(fx: &Fixture, root: RootId, file: FileId, reading: Reading) -> Vec<Damaged> {
    let pass = pass(fx, root).await;
    let told = fx
        .vfs
        .take_readings(&pass, vec![(file, reading)], file.node);
    told.await.unwrap()
}

/// A file with good copies on A and B.
async fn twice(fx: &Fixture, at: &str) -> Entry {
    let entry = fx.put(at, A, 10).await;
    assert!(fx.vfs.add_copy(entry.file(), B, bytes(10)).await.unwrap());
    entry
}

async fn holders(fx: &Fixture, entry: &Entry) -> Vec<RootId> {
    let copied = fx.vfs.copied(entry.id).await.unwrap().unwrap();
    copied.holders.iter().map(|holder| holder.root).collect()
}

async fn jobs(fx: &Fixture) -> Vec<NodeId> {
    let due = fx.vfs.copies_due(NOW, 10).await.unwrap();
    due.iter().map(|job| job.node).collect()
}

async fn findings(fx: &Fixture) -> Vec<Finding> {
    let all = fx.vfs.scrub_findings(None, 10).await.unwrap();
    assert_eq!(
        fx.vfs.count_scrub_findings().await.unwrap(),
        all.len() as u64
    );
    // Page by page they are the same.
    let mut before = None;
    for finding in &all {
        let one = fx.vfs.scrub_findings(before, 1).await.unwrap();
        assert_eq!(one, std::slice::from_ref(finding));
        before = Some(finding.id);
    }
    assert_eq!(fx.vfs.scrub_findings(before, 1).await.unwrap(), []);
    all
}

async fn becomes(fx: &Fixture) -> Vec<Found> {
    findings(fx).await.iter().map(|found| found.now).collect()
}

#[test]
fn a_damaged_copy_is_not_served_and_is_repaired_by_good_bytes_without_any_rule() {
    on_strange_disks(|fx| async {
        let entry = twice(&fx, "/file").await;
        assert_eq!(jobs(&fx).await, []);
        let damaged = tell(&fx, A, entry.file(), sums(10, 1)).await;
        let is = Damaged {
            path: path("/file"),
            why: "CRC-32 00000001 instead of 00c0ffee".into(),
            good_elsewhere: true,
        };
        assert_eq!(damaged, [is]);
        assert_eq!(holders(&fx, &entry).await, [B]);
        let copied = fx.vfs.copied(entry.id).await.unwrap().unwrap();
        assert_eq!(copied.damaged, [A]);
        assert_eq!(jobs(&fx).await, [entry.id]);
        assert_eq!(becomes(&fx).await, [Found::Repairing]);
        // Said once more it is no news.
        assert_eq!(tell(&fx, A, entry.file(), sums(10, 1)).await, []);
        assert_eq!(findings(&fx).await.len(), 1);
        assert!(fx.vfs.add_copy(entry.file(), A, bytes(10)).await.unwrap());
        assert_eq!(holders(&fx, &entry).await, [A, B]);
        assert_eq!(short(&fx.ops(A).await).last().unwrap(), "publish /file");
        assert_eq!(becomes(&fx).await, [Found::Repaired]);
        fx
    });
}

#[test]
fn without_a_good_copy_nothing_is_ordered_and_the_entry_stays() {
    on_strange_disks(|fx| async {
        let entry = fx.put("/file", A, 10).await;
        let before = fx.ops(A).await;
        let why = Reading::Unreadable("input/output error".into());
        let damaged = tell(&fx, A, entry.file(), why).await;
        assert!(!damaged[0].good_elsewhere, "{damaged:?}");
        assert_eq!(fx.ops(A).await, before);
        assert_eq!(fx.stat("/file").await.unwrap(), entry);
        assert_eq!(holders(&fx, &entry).await, []);
        assert_eq!(becomes(&fx).await, [Found::Damaged]);
        let counts = fx.store.read(crate::vfs::damaged).unwrap();
        assert_eq!(counts, (1, 1));
        // It can be read again after all.
        let again = tell(&fx, A, entry.file(), sums(10, GOOD)).await;
        assert_eq!((again, holders(&fx, &entry).await), (vec![], vec![A]));
        assert_eq!(becomes(&fx).await, [Found::Repaired]);
        fx
    });
}

#[test]
fn a_verdict_counts_for_the_bytes_that_were_read_and_no_others() {
    on_strange_disks(|fx| async {
        let old = fx.put("/file", A, 10).await;
        let new = fx.put("/file", A, 10).await;
        assert_ne!(old.file(), new.file());
        assert_eq!(tell(&fx, A, old.file(), sums(10, 1)).await, []);
        assert_eq!(holders(&fx, &new).await, [A]);
        // Another root's copy is not meant.
        assert_eq!(tell(&fx, B, new.file(), sums(10, 1)).await, []);
        fx.rename("/file", "/other").await.unwrap();
        let damaged = tell(&fx, A, new.file(), sums(10, 1)).await;
        assert_eq!(damaged[0].path, path("/other"));
        fx.vfs.delete(&path("/other"), None).await.unwrap();
        assert_eq!(tell(&fx, A, new.file(), sums(10, 1)).await, []);
        assert_eq!(becomes(&fx).await, [Found::Gone]);
        assert_eq!(short(&fx.ops(A).await).last().unwrap(), "delete /other");
        fx
    });
}

fn found_at(entry: &Entry) -> WalkEntry {
    WalkEntry {
        name: entry.name.clone().unwrap(),
        node: WalkNode::File {
            size: entry.size,
            file: Some(entry.file()),
            crc32: entry.crc32,
            blake3: None,
            edited: false,
            busy: false,
        },
        modified: NOW,
    }
}

#[test]
fn a_walk_makes_no_damaged_copy_good_and_throws_none_away() {
    on_strange_disks(|fx| async {
        let entry = twice(&fx, "/file").await;
        tell(&fx, A, entry.file(), sums(10, 1)).await;
        let before = fx.ops(A).await;
        for size in [10, 7] {
            let mut seen = found_at(&entry);
            if let WalkNode::File { size: on_disk, .. } = &mut seen.node {
                *on_disk = size;
            }
            let merged = fx.page(A, &[], vec![seen]).await;
            assert_eq!((merged.seen, merged.set_aside), (vec![entry.id], 0));
        }
        assert_eq!(fx.ops(A).await, before);
        assert_eq!(holders(&fx, &entry).await, [B]);
        // Neither do bytes that came back to staging: they must be read first.
        let staged = StagedEntry {
            file: entry.file(),
            size: 10,
            prepared: Some(GOOD),
        };
        fx.vfs.merge_staged(A, vec![staged]).await.unwrap();
        assert_eq!(holders(&fx, &entry).await, [B]);
        fx
    });
}

#[test]
fn a_good_copy_that_comes_later_is_a_reason_to_repair() {
    on_strange_disks(|fx| async {
        let entry = fx.put("/file", A, 10).await;
        tell(&fx, A, entry.file(), sums(10, 1)).await;
        let due = fx.vfs.copies_due(NOW, 10).await.unwrap();
        fx.vfs.settle_copies(due, Vec::new()).await.unwrap();
        assert_eq!(jobs(&fx).await, []);
        fx.page(B, &[], vec![found_at(&entry)]).await;
        assert_eq!(jobs(&fx).await, [entry.id]);
        fx
    });
}

#[test]
fn an_adopted_file_gets_the_checksum_that_is_read_first() {
    on_strange_disks(|fx| async {
        let adopted = WalkEntry {
            name: drftpd_protocol::Name::new(&b"adopted"[..]).unwrap(),
            node: WalkNode::File {
                size: 10,
                file: None,
                crc32: None,
                blake3: None,
                edited: false,
                busy: false,
            },
            modified: NOW,
        };
        fx.page(A, &[], vec![adopted]).await;
        let entry = fx.stat("/adopted").await.unwrap();
        assert_eq!(entry.crc32, None);
        assert_eq!(tell(&fx, A, entry.file(), sums(10, 7)).await, []);
        assert_eq!(fx.stat("/adopted").await.unwrap().crc32, Some(7));
        assert_eq!(tell(&fx, A, entry.file(), sums(10, 8)).await.len(), 1);
        fx
    });
}

#[test]
fn blake3_is_stored_with_an_upload_learnt_by_reading_and_compared_by_copies_and_scrub() {
    on_strange_disks(|fx| async {
        let sum = |byte| Some(Blake3Sum([byte; 32]));
        let with = |byte| PreparedBytes {
            blake3: sum(byte),
            ..bytes(10)
        };
        let read = |byte| {
            Reading::Sums(Sums {
                size: 10,
                crc32: Some(GOOD),
                blake3: sum(byte),
            })
        };
        let upload = fx.begin("/new", UploadMode::Store, A).await.unwrap();
        let stored = fx.vfs.commit_upload(upload.file, A, with(1)).await;
        assert_eq!(stored.unwrap(), fx.stat("/new").await.unwrap());
        assert_eq!(fx.stat("/new").await.unwrap().blake3, sum(1));
        assert!(!fx.vfs.add_copy(upload.file, B, with(2)).await.unwrap());
        assert!(fx.vfs.add_copy(upload.file, B, with(1)).await.unwrap());
        let damaged = tell(&fx, B, upload.file, read(3)).await;
        assert!(damaged[0].why.starts_with("BLAKE3 0303"), "{damaged:?}");
        // What was there before learns it.
        let old = fx.put("/old", A, 10).await;
        assert_eq!(tell(&fx, A, old.file(), read(4)).await, []);
        assert_eq!(fx.stat("/old").await.unwrap().blake3, sum(4));
        assert_eq!(tell(&fx, A, old.file(), read(5)).await.len(), 1);
        // New contents have none, unless they are summed.
        fx.put("/new", A, 10).await;
        assert_eq!(fx.stat("/new").await.unwrap().blake3, None);
        fx
    });
}

#[test]
fn a_root_is_read_when_its_time_has_come_and_from_where_it_was() {
    with_vfs(|fx| async {
        let mut files = Vec::new();
        for at in ["/a", "/b", "/c"] {
            files.push(fx.put(at, A, 10).await);
        }
        assert!(fx.vfs.passes_are_due(HOUR, NOW).await.unwrap());
        assert_eq!(fx.vfs.begin_due_passes(HOUR).await.unwrap(), 0);
        assert!(!fx.vfs.passes_are_due(HOUR, NOW + 3599).await.unwrap());
        assert!(fx.vfs.passes_are_due(HOUR, NOW + 3600).await.unwrap());
        fx.clock.set(NOW + 3600);
        assert_eq!(fx.vfs.begin_due_passes(HOUR).await.unwrap(), 2);
        let pass = fx.vfs.next_pass(A).await.unwrap().unwrap();
        let page = fx.vfs.copies_behind(&pass, 2).await.unwrap();
        let read = page.copies.iter().map(|stored| stored.file);
        assert_eq!(read.collect::<Vec<_>>(), [files[0].file(), files[1].file()]);
        let readings = vec![(files[0].file(), sums(10, GOOD))];
        let told = fx.vfs.take_readings(&pass, readings, files[0].id);
        assert_eq!(told.await.unwrap(), []);
        // Asked for once more it goes on.
        fx.vfs.begin_passes(Scope::Everything).await.unwrap();
        let pass = fx.vfs.next_pass(A).await.unwrap().unwrap();
        assert_eq!((pass.at, pass.files, pass.bytes), (files[0].id, 1, 10));
        let page = fx.vfs.copies_behind(&pass, 9).await.unwrap();
        assert_eq!((page.copies.len(), page.last), (2, Some(files[2].id)));
        let told = fx.vfs.take_readings(&pass, Vec::new(), files[2].id);
        told.await.unwrap();
        let pass = fx.vfs.next_pass(A).await.unwrap().unwrap();
        assert_eq!(fx.vfs.copies_behind(&pass, 9).await.unwrap().last, None);
        fx.vfs.end_pass(&pass).await.unwrap();
        assert_eq!(fx.vfs.next_pass(A).await.unwrap(), None);
        let (passes, _) = fx.vfs.passes().await.unwrap();
        assert_eq!(passes[0].ended, Some(NOW + 3600));
        fx
    });
}

#[test]
fn what_somebody_asked_for_comes_first_and_is_all_that_is_read() {
    with_vfs(|fx| async {
        fx.dir("/d").await;
        fx.dir("/d/e").await;
        let outside = fx.put("/outside", A, 10).await;
        let below = fx.put("/d/e/file", A, 10).await;
        fx.put("/elsewhere", B, 10).await;
        let everything = pass(&fx, A).await;
        let page = fx.vfs.copies_behind(&everything, 9).await.unwrap();
        assert_eq!(page.copies.len(), 2);
        let asked = |at: &str| fx.vfs.begin_passes(Scope::Below(path(at)));
        assert_eq!(asked("/d").await.unwrap(), 1, "B has nothing of it");
        for (at, file) in [("/d", &below), ("/outside", &outside)] {
            asked(at).await.unwrap();
            let pass = fx.vfs.next_pass(A).await.unwrap().unwrap();
            let page = fx.vfs.copies_behind(&pass, 9).await.unwrap();
            assert_eq!(page.copies.len(), 1);
            assert_eq!(page.copies[0].file, file.file(), "{at}");
            fx.vfs.end_pass(&pass).await.unwrap();
        }
        let left = fx.vfs.next_pass(A).await.unwrap().unwrap();
        assert_eq!(left.below, NodeId::ROOT);
        assert!(matches!(asked("/none").await, Err(VfsError::NotFound(_))));
        fx
    });
}

#[test]
fn it_is_remembered_that_reading_is_paused() {
    let dir = TempDir::new().unwrap();
    sim(async {
        let fx = Fixture::open(dir.path(), Case::Sensitive, NOW).await;
        fx.vfs.pause_scrub(true).await.unwrap();
    });
    sim(async {
        let fx = Fixture::open(dir.path(), Case::Sensitive, NOW + 1).await;
        assert!(fx.vfs.passes().await.unwrap().1);
        fx.vfs.pause_scrub(false).await.unwrap();
        assert!(!fx.vfs.passes().await.unwrap().1);
    });
}
