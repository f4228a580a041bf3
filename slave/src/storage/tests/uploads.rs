//! Uploads: begun, resumed, broken off, prepared, and what operations do to them meanwhile.

use drftpd_protocol::wire::{Blake3Sum, FaultCode};

use super::*;
use crate::storage::StorageError;

#[test]
fn an_upload_is_prepared_with_its_identity_size_and_checksum() {
    let fixture = Fixture::new();
    let mut staging = fixture
        .root
        .stage(id(5, 1), &Base::Empty, 11)
        .expect("staged");
    staging.append(b"hello ").expect("written");
    staging.append(b"world").expect("written");
    assert_eq!(staging.crc32(), crc32fast::hash(b"hello world"));
    let crc = staging.crc32();
    assert_eq!(fixture.root.prepare(staging, crc).expect("prepared"), 11);
    let stored = fixture
        .root
        .open_file(Some(id(5, 1)), &place("x"))
        .expect("opens");
    assert!(stored.staged);
    assert_eq!((stored.size, stored.crc32), (11, Some(crc)));
    assert_eq!(fixture.reserved("staging"), ["5.1=hello world[5.1]"]);
}

#[test]
fn a_growing_upload_is_read_while_it_grows_and_has_no_checksum_yet() {
    let fixture = Fixture::new();
    let mut staging = fixture
        .root
        .stage(id(5, 1), &Base::Empty, 0)
        .expect("staged");
    staging.append(b"abc").expect("written");
    let stored = fixture
        .root
        .open_file(Some(id(5, 1)), &place("x"))
        .expect("opens");
    assert_eq!((stored.size, stored.crc32, stored.staged), (3, None, true));
}

#[test]
fn an_upload_that_broke_off_is_kept_and_resumed_with_the_checksum_of_the_whole() {
    let fixture = Fixture::new();
    let mut staging = fixture
        .root
        .stage(id(5, 1), &Base::Empty, 100)
        .expect("staged");
    staging.append(b"hello worm").expect("written");
    assert_eq!(fixture.root.keep(staging).expect("kept"), 10);
    assert_eq!(fixture.reserved("staging"), ["5.1=hello worm"]);

    let base = Base::Staged { keep: 8 };
    let mut staging = fixture.root.stage(id(5, 1), &base, 3).expect("resumed");
    assert_eq!(staging.len, 8);
    staging.append(b"rld").expect("written");
    assert_eq!(staging.crc32(), crc32fast::hash(b"hello world"));
}

#[test]
fn blake3_is_of_the_whole_file_and_stands_in_its_mark() {
    let fixture = Fixture::new();
    let staging = fixture.root.stage(id(5, 1), &Base::Empty, 0);
    let mut staging = staging.expect("staged");
    staging.append(b"hello worm").expect("written");
    assert_eq!(staging.blake3(), None);
    fixture.root.keep(staging).expect("kept");
    let base = Base::Staged { keep: 8 };
    let mut staging = fixture.root.stage(id(5, 1), &base, 3).expect("resumed");
    staging.sum_blake3().expect("read");
    staging.append(b"rld").expect("written");
    let sum = Blake3Sum(*blake3::hash(b"hello world").as_bytes());
    assert_eq!(staging.blake3(), Some(sum));
    let crc = staging.crc32();
    fixture.root.prepare(staging, crc).expect("prepared");
    let stored = fixture.root.open_file(Some(id(5, 1)), &place("x"));
    let stored = stored.expect("opens");
    let mark = mark::read(stored.file.as_fd()).expect("read").file();
    let mark = mark.expect("a file's mark");
    assert_eq!((mark.crc32, mark.blake3), (Some(crc), Some(sum)));
}

#[test]
fn a_resume_of_more_than_is_there_or_of_nothing_is_refused() {
    let fixture = Fixture::new();
    let resume = |keep| fixture.root.stage(id(5, 1), &Base::Staged { keep }, 0);
    assert!(matches!(resume(1), Err(StorageError::NoSuchFile(_))));
    let mut staging = fixture
        .root
        .stage(id(5, 1), &Base::Empty, 0)
        .expect("staged");
    staging.append(b"abc").expect("written");
    fixture.root.keep(staging).expect("kept");
    let more = resume(4).expect_err("there are fewer").fault();
    assert_eq!(
        (more.code, more.there),
        (FaultCode::OTHER_IDENTITY, Some(3))
    );
    assert_eq!(fixture.reserved("staging"), ["5.1=abc"]);
}

#[test]
fn a_resumed_file_is_not_prepared_until_it_ends_again() {
    let fixture = Fixture::new();
    fixture.prepare(id(5, 1), b"abc");
    let staging = fixture
        .root
        .stage(id(5, 1), &Base::Staged { keep: 3 }, 0)
        .expect("resumed");
    let remark = fixture
        .root
        .apply(&publish(id(5, 1), "f"))
        .expect("applied");
    assert!(remark.expect("a remark").contains("neither prepared"));
    assert!(fixture.visible().is_empty());
    drop(staging);
}

#[test]
fn an_appended_upload_begins_with_a_copy_and_leaves_the_original_alone() {
    let fixture = Fixture::new();
    fixture.publish(id(5, 1), "3:d/f", b"hello world");
    let base = Base::Copy {
        file: id(5, 1),
        at: place("3:d/f"),
        keep: 6,
    };
    let mut staging = fixture.root.stage(id(5, 2), &base, 5).expect("staged");
    staging.append(b"there").expect("written");
    let crc = staging.crc32();
    assert_eq!(crc, crc32fast::hash(b"hello there"));
    fixture.root.prepare(staging, crc).expect("prepared");
    assert_eq!(
        fixture.read(id(5, 2), "3:d/f").expect("staged"),
        b"hello there"
    );
    assert_eq!(
        fixture.read(id(5, 1), "3:d/f").expect("there"),
        b"hello world"
    );
}

#[test]
fn nothing_is_added_to_bytes_that_went_bad() {
    let fixture = Fixture::new();
    fixture.publish(id(5, 1), "3:d/f", b"hello world");
    let at = fixture.path("d/f");
    let file = std::fs::File::options().write(true).open(at).expect("open");
    std::os::unix::fs::FileExt::write_all_at(&file, b"j", 0).expect("written");
    for keep in [6, 11] {
        let base = Base::Copy {
            file: id(5, 1),
            at: place("3:d/f"),
            keep,
        };
        let staged = fixture.root.stage(id(5, 2), &base, 5);
        let fault = staged.expect_err("bad bytes").fault();
        assert_eq!(fault.code, FaultCode::OTHER_IDENTITY);
        assert!(fixture.reserved("staging").is_empty());
    }
}

#[test]
fn a_copy_of_a_file_that_is_not_there_leaves_nothing_in_staging() {
    let fixture = Fixture::new();
    let base = Base::Copy {
        file: id(5, 1),
        at: place("f"),
        keep: 6,
    };
    assert!(fixture.root.stage(id(5, 2), &base, 0).is_err());
    assert!(fixture.reserved("staging").is_empty());
}

#[test]
fn two_uploads_of_one_identity_do_not_run_at_once() {
    let fixture = Fixture::new();
    let first = fixture
        .root
        .stage(id(5, 1), &Base::Empty, 0)
        .expect("staged");
    let second = fixture
        .root
        .stage(id(5, 1), &Base::Empty, 0)
        .expect_err("busy");
    assert_eq!(second.fault().code, FaultCode::BUSY);
    drop(first);
    assert!(fixture.root.stage(id(5, 1), &Base::Empty, 0).is_ok());
}

#[test]
fn an_empty_upload_that_broke_off_leaves_nothing_and_one_that_ended_is_a_file() {
    let fixture = Fixture::new();
    let staging = fixture
        .root
        .stage(id(5, 1), &Base::Empty, 0)
        .expect("staged");
    assert_eq!(fixture.root.keep(staging).expect("kept"), 0);
    assert!(fixture.reserved("staging").is_empty());
    fixture.publish(id(5, 2), "f", b"");
    assert_eq!(fixture.visible(), ["f=[5.2]"]);
}

#[test]
fn staged_bytes_that_no_file_list_has_go_to_the_trash_unless_they_are_being_written() {
    let fixture = Fixture::new();
    fixture.prepare(id(5, 1), b"unknown");
    let mut running = fixture
        .root
        .stage(id(6, 1), &Base::Empty, 0)
        .expect("staged");
    running.append(b"runs").expect("written");
    for file in [id(5, 1), id(6, 1), id(7, 1), id(5, 1)] {
        fixture.apply(&RootOp::SetAsideStaged { file });
    }
    assert_eq!(fixture.reserved("staging"), ["6.1=runs"]);
    assert!(!running.is_revoked());
    let trash = fixture.reserved("trash");
    assert_eq!(trash, ["1800000000-0-5.1=unknown[5.1]"]);
}

#[test]
fn an_upload_whose_bytes_were_deleted_is_told_and_never_prepared() {
    let fixture = Fixture::new();
    for op in [
        RootOp::DiscardStaged { file: id(5, 1) },
        delete(id(5, 1), "3:d/f"),
    ] {
        let mut staging = fixture
            .root
            .stage(id(5, 1), &Base::Empty, 0)
            .expect("staged");
        staging.append(b"abc").expect("written");
        fixture.apply(&op);
        assert!(staging.is_revoked());
        let error = staging.append(b"def").expect_err("revoked");
        assert_eq!(error.fault().code, FaultCode::ABORTED);
        let error = fixture.root.prepare(staging, 0).expect_err("revoked");
        assert!(matches!(error, StorageError::Revoked(_)));
        assert!(fixture.reserved("staging").is_empty());
    }
}

#[test]
fn staged_bytes_that_somebody_removed_at_the_machine_are_never_prepared() {
    let fixture = Fixture::new();
    let mut staging = fixture
        .root
        .stage(id(5, 1), &Base::Empty, 0)
        .expect("staged");
    staging.append(b"abc").expect("written");
    std::fs::remove_file(fixture.path(".drftpd/staging/5.1")).expect("removed");
    std::fs::write(fixture.path(".drftpd/staging/5.1"), "xyz").expect("another");
    let crc = staging.crc32();
    let error = fixture.root.prepare(staging, crc).expect_err("not there");
    assert!(matches!(error, StorageError::Revoked(_)));
}

#[test]
fn space_is_reserved_while_an_upload_runs_and_freed_when_it_ends() {
    let fixture = Fixture::new();
    let expected = 8 << 20;
    let blocks = || {
        let seen = std::fs::metadata(fixture.path(".drftpd/staging/5.1")).expect("there");
        std::os::unix::fs::MetadataExt::blocks(&seen) * 512
    };
    let mut staging = fixture
        .root
        .stage(id(5, 1), &Base::Empty, expected)
        .expect("staged");
    staging.append(b"abc").expect("written");
    let promised = fixture.root.reserved();
    assert!(promised + blocks() >= expected, "{promised} + {}", blocks());
    fixture.root.keep(staging).expect("kept");
    assert_eq!(fixture.root.reserved(), 0);
    assert!(blocks() < 1 << 20, "{}", blocks());
}

#[test]
fn more_than_the_disk_has_is_refused_before_the_first_byte() {
    let fixture = Fixture::new();
    let total = fixture.roots.statuses()[0].total;
    let error = fixture
        .root
        .stage(id(5, 1), &Base::Empty, total)
        .expect_err("too much");
    assert_eq!(error.fault().code, FaultCode::NO_SPACE);
    assert!(fixture.reserved("staging").is_empty());
    assert_eq!(fixture.root.reserved(), 0);
}
