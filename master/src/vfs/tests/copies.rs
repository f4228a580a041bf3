//! Further copies: asked for in the batch that gives the reason, made once, and never of other bytes.

use super::*;
use crate::copies::CopyRule;

/// Files below `/two` have two copies.
fn rules() -> CopiesConfig {
    CopiesConfig {
        rules: vec![CopyRule {
            paths: vec!["/two".into()],
            copies: 2,
            slaves: Vec::new(),
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
    copied.holders.iter().map(|(root, _)| *root).collect()
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
        fx.vfs.delete(&path("/two/file")).await.unwrap();
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
        let (jobs, count) = fx.vfs.copy_jobs(10).await.unwrap();
        assert_eq!((jobs, count), (vec![later], 1));
        fx.vfs.want_copies(vec![file.id]).await.unwrap();
        let job = due(&fx).await.remove(0);
        assert_eq!((job.due, job.tries), (NOW, 3));
        fx
    });
}

#[test]
fn looking_through_all_files_finds_those_with_too_few_copies() {
    with_rules(|fx| async {
        let rules = Arc::new(rules());
        fx.dir("/two/below").await;
        let mut few = Vec::new();
        for at in ["/one", "/two/a", "/two/below/b", "/two/c"] {
            few.push(fx.put(at, A, 10).await);
        }
        fx.vfs.add_copy(few[3].file(), B, bytes(10)).await.unwrap();
        let (mut found, mut after) = (Vec::new(), NodeId(0));
        loop {
            let (page, last) = fx.vfs.too_few_copies(&rules, after, 2).await.unwrap();
            found.extend(page);
            match last {
                Some(last) => after = last,
                None => break,
            }
        }
        assert_eq!(found, [few[1].id, few[2].id]);
        fx
    });
}
