//! Further copies: asked for in the batch that gives the reason, made once, and never of other bytes.

use drftpd_protocol::wire::StagedEntry;

use super::*;
use crate::copies::CopyRule;

/// Files below `/two` have two copies.
fn rules() -> CopiesConfig {
    CopiesConfig {
        rules: vec![CopyRule {
            paths: vec!["/two".into()],
            copies: 2,
            ..CopyRule::none()
        }],
        ..CopiesConfig::default()
    }
}

fn with_rules<F: Future<Output = Fixture>>(test: impl FnOnce(Fixture) -> F) {
    let dir = TempDir::new().unwrap();
    sim(async {
        let (clock, dice) = (Clock::manual(NOW), Dice::seeded(1));
        let store = Store::inline(
            dir.path(),
            &StoreConfig::DEFAULT,
            Case::Sensitive,
            &clock,
            &dice,
        );
        let fixture = Fixture::with(store.unwrap(), clock, VfsConfig::default(), rules()).await;
        fixture.dir("/two").await;
        let fixture = test(fixture).await;
        invariants::check(&fixture.store);
    });
}

async fn due(fx: &Fixture) -> Vec<CopyJob> {
    fx.vfs.copies_due(NOW, 10).await.unwrap()
}

fn holders(copied: &Copied) -> Vec<RootId> {
    copied.holders.iter().map(|holder| holder.root).collect()
}

#[test]
fn only_files_of_which_a_rule_wants_more_are_asked_for() {
    with_rules(|fx| async {
        fx.put("/one", A, 10).await;
        let file = fx.put("/two/file", A, 10).await;
        let jobs = due(&fx).await;
        let asked: Vec<_> = jobs
            .iter()
            .map(|job| (job.node, job.due, job.tries))
            .collect();
        assert_eq!(asked, [(file.id, NOW, 0)]);
        let copied = fx.vfs.copied(file.id).await.unwrap().unwrap();
        assert_eq!(
            (copied.path.to_string(), holders(&copied)),
            ("/two/file".into(), vec![A])
        );
        fx
    });
}

#[test]
fn a_prepared_copy_makes_a_holder_and_is_published_there() {
    with_rules(|fx| async {
        let file = fx.put("/two/file", A, 10).await;
        fx.rename("/two/file", "/two/other").await.unwrap();
        let (job, before) = (due(&fx).await.remove(0), fx.ops(B).await);
        assert!(fx.vfs.add_copy(file.file(), B, bytes(10)).await.unwrap());
        let copied = fx.vfs.copied(file.id).await.unwrap().unwrap();
        assert_eq!(holders(&copied), [A, B]);
        let ops = fx.ops(B).await;
        let [
            RootOp::Publish {
                file: published,
                at,
            },
        ] = &ops[before.len()..]
        else {
            panic!("{ops:?}");
        };
        assert_eq!((*published, shown(at)), (file.file(), "/two/other".into()));
        // The copy itself was a reason to look again: what was seen before does not end it.
        fx.vfs.settle_copies(vec![job], Vec::new()).await.unwrap();
        let job = due(&fx).await.remove(0);
        fx.vfs.settle_copies(vec![job], Vec::new()).await.unwrap();
        assert_eq!(due(&fx).await, []);
        fx
    });
}

/// An attempt that broke off has left all of it, a walk finds that, and a second attempt writes it anew before it is published.
#[test]
fn bytes_of_a_copy_are_published_although_a_walk_has_found_older_ones_of_it() {
    on_strange_disks(|fx| async {
        let file = fx.put("/file", A, 10).await.file();
        let left = StagedEntry {
            file,
            size: 10,
            prepared: Some(bytes(10).crc32),
        };
        fx.vfs.merge_staged(B, vec![left]).await.unwrap();
        assert!(fx.vfs.add_copy(file, B, bytes(10)).await.unwrap());
        let ops = fx.ops(B).await;
        assert_eq!(ops.len(), 2, "{ops:?}");
        let published = |op: &RootOp| matches!(op, RootOp::Publish { .. });
        assert!(ops.iter().all(published), "{ops:?}");
        fx
    });
}

#[test]
fn a_disk_that_is_busy_with_other_files_takes_a_copy_and_one_with_something_to_do_for_it_does_not()
{
    on_strange_disks(|fx| async {
        fx.dir("/two").await;
        let old = fx.put("/two/file", B, 10).await;
        let file = fx.put("/two/file", A, 10).await;
        fx.put("/one", B, 10).await;
        fx.rename("/two", "/moved").await.unwrap();
        let has = async |of: &Entry| fx.vfs.log_has(B, of.file()).await.unwrap();
        assert!(!has(&file).await && has(&old).await);
        fx.vfs.drop_staged(file.file(), B).await.unwrap();
        assert!(has(&file).await);
        let done = OpSeq(fx.ops(B).await.len() as u64);
        fx.vfs.ops_done(B, done).await.unwrap();
        assert!(!has(&file).await && !has(&old).await);
        fx
    });
}

#[test]
fn bytes_that_are_not_those_of_the_file_list_are_thrown_away() {
    with_rules(|fx| async {
        let file = fx.put("/two/file", A, 10).await;
        let longer = bytes(11);
        let other = PreparedBytes {
            crc32: 1,
            ..bytes(10)
        };
        for wrong in [longer, other] {
            assert!(!fx.vfs.add_copy(file.file(), B, wrong).await.unwrap());
        }
        let newer = fx.put("/two/file", A, 10).await;
        assert!(!fx.vfs.add_copy(file.file(), B, bytes(10)).await.unwrap());
        fx.vfs.delete(&path("/two/file"), None).await.unwrap();
        assert!(!fx.vfs.add_copy(newer.file(), B, bytes(10)).await.unwrap());
        let discarded = |op: &RootOp| matches!(op, RootOp::DiscardStaged { .. });
        let ops = fx.ops(B).await;
        assert_eq!(ops.iter().filter(|op| discarded(op)).count(), 4, "{ops:?}");
        assert!(ops.iter().all(|op| !matches!(op, RootOp::Publish { .. })));
        assert!(fx.vfs.copied(file.id).await.unwrap().is_none());
        fx
    });
}

#[test]
fn what_was_put_off_is_due_when_it_says_and_at_once_when_there_is_a_new_reason() {
    with_rules(|fx| async {
        let file = fx.put("/two/file", A, 10).await;
        let later = CopyJob {
            due: NOW + 60,
            tries: 3,
            why: Some("the slave is away".into()),
            ..due(&fx).await.remove(0)
        };
        fx.vfs
            .settle_copies(Vec::new(), vec![later.clone()])
            .await
            .unwrap();
        assert_eq!(due(&fx).await, []);
        assert_eq!(fx.vfs.next_copy_due(NOW).await.unwrap(), Some(NOW + 60));
        let jobs = fx.vfs.copy_jobs(NodeId(0), 10).await.unwrap();
        let count = fx.vfs.count_copy_jobs().await.unwrap();
        assert_eq!((jobs, count), (vec![later], 1));
        assert_eq!(fx.vfs.copy_jobs(file.id, 10).await.unwrap(), []);
        fx.vfs.want_copies(vec![file.id]).await.unwrap();
        let job = due(&fx).await.remove(0);
        assert_eq!((job.due, job.tries), (NOW, 3));
        fx
    });
}

#[test]
fn looking_through_all_files_tells_where_each_is_and_who_has_it() {
    with_rules(|fx| async {
        fx.dir("/two/below").await;
        let mut files = Vec::new();
        for at in ["/one", "/two/a", "/two/below/b", "/two/c"] {
            files.push(fx.put(at, A, 10).await);
        }
        fx.vfs
            .add_copy(files[3].file(), B, bytes(10))
            .await
            .unwrap();
        let (mut found, mut after) = (Vec::new(), NodeId(0));
        loop {
            let (page, last) = fx.vfs.held(after, 2).await.unwrap();
            found.extend(page);
            match last {
                Some(last) => after = last,
                None => break,
            }
        }
        let seen = found.iter().map(|file| {
            let roots = file.holders.iter().map(|holder| holder.root);
            (file.node, file.directory.to_string(), roots.collect())
        });
        let seen: Vec<(NodeId, String, Vec<RootId>)> = seen.collect();
        let dirs = ["/", "/two", "/two/below", "/two"];
        let all = files.iter().zip(dirs).enumerate();
        let expected = all.map(|(n, (file, dir))| {
            let roots = if n == 3 { vec![A, B] } else { vec![A] };
            (file.id, dir.to_owned(), roots)
        });
        assert_eq!(seen, expected.collect::<Vec<_>>());
        fx
    });
}

#[test]
fn a_copy_too_many_goes_if_enough_good_ones_stay() {
    with_rules(|fx| async {
        let file = fx.put("/two/file", A, 10).await;
        let remove =
            async |root, least| fx.vfs.remove_copy(file.file(), root, least).await.unwrap();
        assert!(!remove(A, 1).await && !remove(A, 0).await, "the last one");
        fx.vfs.add_copy(file.file(), B, bytes(10)).await.unwrap();
        assert!(!remove(A, 2).await);
        assert!(remove(A, 1).await);
        assert!(!remove(A, 1).await && !remove(B, 1).await);
        let gone =
            |op: &RootOp| matches!(op, RootOp::Delete { file: it, .. } if *it == file.file());
        assert_eq!(fx.ops(A).await.iter().filter(|op| gone(op)).count(), 1);
        assert!(!fx.ops(B).await.iter().any(gone));
        let copied = fx.vfs.copied(file.id).await.unwrap().unwrap();
        assert_eq!(holders(&copied), [B]);
        // One of an older generation is no copy of this one.
        let newer = fx.put("/two/file", A, 10).await;
        fx.vfs.add_copy(newer.file(), B, bytes(10)).await.unwrap();
        assert!(!remove(A, 1).await);
        fx
    });
}

#[test]
fn an_upload_that_two_roots_have_prepared_is_published_on_both_in_one_batch() {
    with_rules(|fx| async {
        let old = fx.put("/two/file", B, 5).await;
        let upload = fx.begin("/two/file", UploadMode::Store, A).await.unwrap();
        let (file, nobody) = (upload.file, RootId([99; 16]));
        let unknown = fx.vfs.commit_copies(file, (A, Some(nobody)), bytes(10), 0);
        assert!(matches!(unknown.await, Err(VfsError::UnknownRoot(it)) if it == nobody));
        assert_eq!(fx.stat("/two/file").await.unwrap().file(), old.file());
        let before = fx.ops(B).await.len();
        let committed = fx.vfs.commit_copies(file, (A, Some(B)), bytes(10), 0).await;
        let copied = fx.vfs.copied(committed.unwrap().id).await.unwrap().unwrap();
        assert_eq!(holders(&copied), [A, B]);
        let ops = fx.ops(B).await;
        assert!(
            matches!(&ops[before..], [
                RootOp::Delete { file: gone, .. },
                RootOp::Publish { file: there, .. },
            ] if (*gone, *there) == (old.file(), file)),
            "{ops:?}"
        );
        // Its slave tells the end again after the master was killed.
        fx.vfs.settle_orphan(file, B, Some(10)).await.unwrap();
        assert_eq!(fx.ops(B).await.len(), ops.len());
        fx
    });
}

#[test]
fn what_a_second_root_has_of_an_upload_is_left_alone_while_that_runs_and_thrown_away_after_it() {
    with_rules(|fx| async {
        let upload = fx.begin("/two/file", UploadMode::Store, A).await.unwrap();
        let file = upload.file;
        let told = async || {
            let staged = StagedEntry {
                file,
                size: 10,
                prepared: Some(bytes(10).crc32),
            };
            fx.vfs.merge_staged(B, vec![staged]).await.unwrap();
            fx.vfs.settle_orphan(file, B, Some(10)).await.unwrap();
            let ops = fx.ops(B).await;
            let discards = |op: &&RootOp| matches!(op, RootOp::DiscardStaged { .. });
            ops.iter().filter(discards).count()
        };
        assert_eq!(told().await, 0);
        fx.vfs.break_upload(file, A, Some(4)).await.unwrap();
        assert_eq!(told().await, 2);
        assert_eq!(fx.stat("/two/file").await.unwrap().size, 4);
        fx
    });
}
