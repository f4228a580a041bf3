//! Roots: recognised by their identity, absent without, refused in pairs.

use drftpd_protocol::wire::{FaultCode, RootState};

use super::*;
use crate::storage::StorageError;

fn state(roots: &Roots) -> Vec<RootState> {
    let statuses = roots.statuses().into_iter();
    statuses.map(|status| status.state).collect()
}

fn existing(paths: &[&Path]) -> Result<Roots, StorageError> {
    let configs: Vec<RootConfig> = paths
        .iter()
        .map(|path| RootConfig::existing(*path))
        .collect();
    let policy = StoragePolicy {
        fsync: Fsync::Never,
        trash_keep: KEEP,
        pretended_space: None,
    };
    Roots::open(&configs, policy, Clock::manual(NOW), Dice::seeded(1))
}

#[test]
fn a_root_keeps_its_identity_wherever_it_is_mounted() {
    let outer = tempfile::tempdir().expect("a folder");
    let (here, there) = (outer.path().join("here"), outer.path().join("there"));
    let made = Roots::create(&here, &Dice::seeded(1)).expect("made");
    std::fs::rename(&here, &there).expect("moved");
    let roots = existing(&[&there]).expect("opens");
    assert_eq!(roots.statuses()[0].root, made);
    assert!(roots.get(made).is_ok());
}

#[test]
fn a_folder_without_identity_is_absent_and_comes_when_it_shows_one() {
    let outer = tempfile::tempdir().expect("a folder");
    let path = outer.path().join("disk");
    std::fs::create_dir(&path).expect("made");
    let roots = existing(&[&path]).expect("opens");
    assert!(roots.statuses().is_empty());
    assert!(
        !path.join(".drftpd").exists(),
        "an empty folder is left alone"
    );
    let made = Roots::create(&path, &Dice::seeded(1)).expect("made");
    assert_eq!(state(&roots), [RootState::Present]);
    assert!(roots.get(made).is_ok());
}

#[test]
fn a_root_whose_disk_goes_is_absent_and_not_empty_and_comes_back() {
    let outer = tempfile::tempdir().expect("a folder");
    let (mount, away) = (outer.path().join("mount"), outer.path().join("away"));
    let made = Roots::create(&mount, &Dice::seeded(1)).expect("made");
    let roots = existing(&[&mount]).expect("opens");
    let root = roots.get(made).expect("there");
    assert_eq!(state(&roots), [RootState::Present]);

    std::fs::rename(&mount, &away).expect("unmounted");
    std::fs::create_dir(&mount).expect("an empty folder in its place");
    assert_eq!(state(&roots), [RootState::Absent]);
    assert_eq!(roots.statuses()[0].free, 0);
    let gone = roots.get(made).expect_err("absent");
    assert_eq!(gone.fault().code, FaultCode::NO_SUCH_ROOT);
    assert!(root.stage(id(5, 1), &Base::Empty, 0).is_err());
    assert!(root.apply(&delete(id(5, 1), "f")).is_err());
    assert!(root.walk(1, Default::default(), None).is_err());
    assert_eq!(std::fs::read_dir(&mount).expect("a folder").count(), 0);

    std::fs::remove_dir(&mount).expect("removed");
    std::fs::rename(&away, &mount).expect("mounted again");
    assert_eq!(state(&roots), [RootState::Present]);
    assert!(root.stage(id(5, 1), &Base::Empty, 0).is_ok());
}

#[test]
fn another_root_in_the_place_of_one_is_not_taken_for_it() {
    let outer = tempfile::tempdir().expect("a folder");
    let (mount, away) = (outer.path().join("mount"), outer.path().join("away"));
    Roots::create(&mount, &Dice::seeded(1)).expect("made");
    let roots = existing(&[&mount]).expect("opens");
    std::fs::rename(&mount, &away).expect("unmounted");
    Roots::create(&mount, &Dice::seeded(2)).expect("another");
    assert_eq!(state(&roots), [RootState::Absent]);
}

#[test]
fn two_folders_with_one_identity_are_refused_and_both_are_named() {
    let outer = tempfile::tempdir().expect("a folder");
    let (one, two) = (outer.path().join("one"), outer.path().join("two"));
    Roots::create(&one, &Dice::seeded(1)).expect("made");
    std::fs::create_dir_all(two.join(".drftpd")).expect("made");
    let copied = std::fs::copy(one.join(".drftpd/identity"), two.join(".drftpd/identity"));
    copied.expect("cloned");
    let text = existing(&[&one, &two]).expect_err("refused").to_string();
    assert!(text.contains("/one") && text.contains("/two"), "{text}");
    assert!(matches!(
        existing(&[&one, &one]),
        Err(StorageError::Twice { .. })
    ));
}

#[test]
fn a_clone_that_comes_later_is_refused_and_the_first_goes_on() {
    let outer = tempfile::tempdir().expect("a folder");
    let (one, two) = (outer.path().join("one"), outer.path().join("two"));
    Roots::create(&one, &Dice::seeded(1)).expect("made");
    let roots = existing(&[&one, &two]).expect("opens");
    assert_eq!(state(&roots), [RootState::Present]);
    std::fs::create_dir_all(two.join(".drftpd")).expect("made");
    let copied = std::fs::copy(one.join(".drftpd/identity"), two.join(".drftpd/identity"));
    copied.expect("cloned");
    assert_eq!(state(&roots), [RootState::Present]);
    assert_eq!(roots.statuses()[0].path, one.display().to_string());
}

#[test]
fn a_root_in_a_root_is_refused() {
    let outer = tempfile::tempdir().expect("a folder");
    let inner = outer.path().join("a/inner");
    Roots::create(&inner, &Dice::seeded(1)).expect("made");
    let made = Roots::create(outer.path(), &Dice::seeded(2));
    made.expect("nothing above it");
    let refused = existing(&[&inner, outer.path()]);
    assert!(matches!(refused, Err(StorageError::Nested { .. })));
    let refused = Roots::create(&outer.path().join("b"), &Dice::seeded(3));
    assert!(matches!(refused, Err(StorageError::Nested { .. })));
}

#[test]
fn two_slaves_do_not_use_one_root() {
    let dir = tempfile::tempdir().expect("a folder");
    Roots::create(dir.path(), &Dice::seeded(1)).expect("made");
    let first = existing(&[dir.path()]).expect("opens");
    let second = existing(&[dir.path()]).expect_err("refused");
    assert!(matches!(second, StorageError::Locked(_)), "{second}");
    drop(first);
    assert!(existing(&[dir.path()]).is_ok());
}

#[test]
fn a_status_says_space_and_filesystem_and_takes_promises_of_the_same_disk_off() {
    let outer = tempfile::tempdir().expect("a folder");
    let (one, two) = (outer.path().join("one"), outer.path().join("two"));
    let clock = Clock::manual(NOW);
    let roots = open_roots(&[&one, &two], Fsync::Never, &clock).expect("opens");
    let device = roots.statuses()[0].filesystem;
    let promised = roots.all()[0].0.space.promised(device);
    let all = || Ok::<u64, StorageError>(u64::MAX);
    let promise = promised.promise(u64::MAX / 2, all);
    let statuses = roots.statuses();
    assert_eq!(statuses[0].filesystem, statuses[1].filesystem);
    assert_ne!(statuses[0].filesystem, 0);
    assert!(
        statuses
            .iter()
            .all(|status| status.total > 0 && status.free == 0)
    );
    let refused = roots.all()[1].stage(id(5, 1), &Base::Empty, 1);
    assert_eq!(
        refused.expect_err("promised").fault().code,
        FaultCode::NO_SPACE
    );
    drop(promise);
    assert!(roots.statuses().iter().all(|status| status.free > 0));
}

#[test]
fn a_look_at_space_tells_of_all_roots_of_the_filesystem_and_is_later_than_a_status_before_it() {
    let outer = tempfile::tempdir().expect("a folder");
    let (one, two) = (outer.path().join("one"), outer.path().join("two"));
    let clock = Clock::manual(NOW);
    let roots = open_roots(&[&one, &two], Fsync::Never, &clock).expect("opens");
    let before = roots.statuses();
    let root = roots.all().remove(0);
    let seen = roots.space_seen(&root);
    assert!(before.iter().all(|told| told.look.is_before(seen.look)));
    let of: Vec<_> = seen.free.iter().map(|(root, _)| *root).collect();
    assert_eq!(of, [before[0].root, before[1].root]);
    assert!(seen.look.is_before(roots.statuses()[0].look));
}

#[test]
fn a_failed_write_makes_the_root_read_only_and_a_full_disk_does_not() {
    use rustix::io::Errno;
    let fixture = Fixture::new();
    fixture.publish(id(5, 1), "f", b"x");
    let failed = |errno: Errno| StorageError::Io {
        doing: "writing",
        source: errno.into(),
    };
    let judged: Result<(), _> = fixture.root.judge_write(Err(failed(Errno::NOSPC)));
    assert!(judged.is_err());
    assert_eq!(state(&fixture.roots), [RootState::Present]);
    let judged: Result<(), _> = fixture.root.judge_write(Err(failed(Errno::IO)));
    assert!(judged.is_err());
    assert_eq!(state(&fixture.roots), [RootState::ReadOnly]);
    let refused = fixture
        .root
        .stage(id(6, 1), &Base::Empty, 0)
        .expect_err("read-only");
    assert_eq!(refused.fault().code, FaultCode::DISK);
    assert!(fixture.root.apply(&delete(id(5, 1), "f")).is_err());
    assert_eq!(fixture.read(id(5, 1), "f").expect("readable"), b"x");
}
