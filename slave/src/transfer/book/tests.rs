//! What the book of channels says after each thing that can happen to one.

use drftpd_protocol::ids::{Generation, NodeId};

use super::*;

const ROOT: RootId = RootId([1; 16]);

fn file(node: u64) -> FileId {
    FileId {
        node: NodeId(node),
        generation: Generation(1),
    }
}

fn book(most: u32, channels: u64) -> Book<u64> {
    let mut book = Book::new(most);
    for n in 1..=channels {
        book.enter(TransferId(n), n, Arc::new(Meter::new(Arc::default())));
    }
    book
}

fn end(transfer: u64, upload: bool) -> TransferEnded {
    TransferEnded {
        transfer: TransferId(transfer),
        upload: upload.then(|| (ROOT, file(transfer))),
        outcome: Outcome::Sent { bytes: 0 },
        took_ms: 0,
        tls: None,
        space: None,
    }
}

fn code(result: Result<(), Fault>) -> FaultCode {
    result.unwrap_err().code
}

#[test]
fn beyond_the_limit_a_slave_is_busy() {
    let mut book = book(2, 2);
    assert_eq!(code(book.admit(TransferId(3))), FaultCode::BUSY);
    book.over(TransferId(1), None);
    assert_eq!(book.admit(TransferId(3)), Ok(()));
}

#[test]
fn a_number_is_not_used_twice_while_its_end_is_unacknowledged() {
    let mut book = book(9, 1);
    assert_eq!(code(book.admit(TransferId(1))), FaultCode::BAD_REQUEST);
    book.over(TransferId(1), Some(end(1, false)));
    assert_eq!(code(book.admit(TransferId(1))), FaultCode::BAD_REQUEST);
    book.seen(TransferId(1));
    assert_eq!(book.admit(TransferId(1)), Ok(()));
}

#[test]
fn ends_are_kept_until_they_are_acknowledged() {
    let mut book = book(9, 2);
    book.over(TransferId(1), Some(end(1, true)));
    book.over(TransferId(2), Some(end(2, false)));
    assert_eq!(book.ends().len(), 2);
    book.seen(TransferId(1));
    assert_eq!(book.ends(), [end(2, false)]);
}

#[test]
fn the_oldest_downloads_are_dropped_first_and_uploads_never() {
    let mut book = book(1, 0);
    for n in 1..=40 {
        book.over(TransferId(n), Some(end(n, true)));
    }
    for n in 41..=80 {
        book.over(TransferId(n), Some(end(n, false)));
    }
    let kept: Vec<u64> = book.ends().iter().map(|end| end.transfer.0).collect();
    assert_eq!(kept, (1..=40).chain(57..=80).collect::<Vec<_>>());
    for n in 81..=104 {
        book.over(TransferId(n), Some(end(n, true)));
    }
    assert_eq!(book.ends().len(), 64);
    assert!(book.ends().iter().all(|end| end.upload.is_some()));
    assert_eq!(code(book.admit(TransferId(999))), FaultCode::BUSY);
}

#[test]
fn a_download_finds_the_upload_of_its_file_while_it_runs() {
    let mut book = book(9, 5);
    let mut grows = |transfer, node, receives| {
        let file = (ROOT, file(node));
        let booked = book.book(TransferId(transfer), file, receives);
        booked.map(|(_, growth)| growth).map_err(|fault| fault.code)
    };
    assert!(matches!(grows(1, 7, true), Ok(Growing::Tell(_))));
    assert!(matches!(grows(2, 7, false), Ok(Growing::Follow(_))));
    assert!(matches!(grows(3, 8, false), Ok(Growing::Not)));
    assert_eq!(grows(4, 7, true).err(), Some(FaultCode::BUSY));
    assert_eq!(grows(3, 7, false).err(), Some(FaultCode::BAD_REQUEST));
    let nobody = grows(99, 7, false).err();
    assert_eq!(nobody, Some(FaultCode::NO_SUCH_TRANSFER));
    assert_eq!(book.files(), [file(7)]);
    assert!(book.upload((ROOT, file(7))).is_some());
    book.over(TransferId(1), None);
    assert!(book.upload((ROOT, file(7))).is_none());
}

#[test]
fn a_book_that_is_taken_over_has_all_but_uploads_without_a_channel() {
    let mut old = book(9, 3);
    old.book(TransferId(1), (ROOT, file(1)), true).unwrap();
    old.book(TransferId(2), (ROOT, file(2)), true).unwrap();
    old.over(TransferId(3), Some(end(3, true)));
    // Its owner failed between two steps.
    old.channels.remove(&TransferId(2));
    let mut new = Book::new(9);
    new.take_over(old);
    assert_eq!(new.unfinished(), [TransferId(1), TransferId(3)]);
    assert_eq!(new.files(), [file(1)]);
    assert_eq!(new.actor(TransferId(1)), Some(1));
    assert_eq!(new.ends(), [end(3, true)]);
}

#[test]
fn only_transfers_that_moved_are_told() {
    let mut book = book(9, 0);
    let meters = [1, 2, 3].map(|_| Arc::new(Meter::new(Arc::default())));
    for (n, meter) in (1..).zip(&meters) {
        book.enter(TransferId(n), n, Arc::clone(meter));
    }
    book.book(TransferId(1), (ROOT, file(1)), false).unwrap();
    book.book(TransferId(2), (ROOT, file(2)), false).unwrap();
    meters[0].sent(10);
    meters[2].sent(10);
    let moved = book.moved();
    assert_eq!(moved, [(TransferId(1), 10)]);
    assert_eq!(book.moved(), moved, "it was not told yet");
    book.told(&moved);
    assert_eq!(book.moved(), []);
}

#[test]
fn an_actor_that_fails_is_told_of_only_if_its_transfer_had_begun() {
    let mut book = book(9, 2);
    book.book(TransferId(1), (ROOT, file(1)), false).unwrap();
    let end = book.failed(TransferId(1)).unwrap();
    assert!(
        matches!(end.outcome, Outcome::Broken { fault, .. } if fault.code == FaultCode::FAILED)
    );
    assert_eq!(book.ends().len(), 1);
    assert_eq!(book.failed(TransferId(2)), None);
    assert_eq!(book.failed(TransferId(2)), None);
    assert_eq!(book.count(), 0);
}
