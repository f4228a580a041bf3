//! Files that are read again: what they add up to, and who comes first.

use drftpd_actors::Clock;
use drftpd_protocol::path::Name;
use drftpd_protocol::wire::{Place, RootOp};
use drftpd_protocol::{FileId, Generation, NodeId, OpSeq};
use tokio::time::{Instant, timeout};

use super::*;
use crate::storage::Fsync;
use crate::testkit::{one_root, prepare, shared_root};

const FILE: FileId = FileId {
    node: NodeId(7),
    generation: Generation(1),
};
const MIB: u64 = 1 << 20;

fn of(root: &Root) -> Reread {
    Reread {
        root: root.id(),
        file: FILE,
        at: Place {
            dirs: Vec::new(),
            name: Name::new(&b"somewhere"[..]).unwrap(),
        },
        after: OpSeq::NONE,
        max_rate: MIB,
        busy_rate: 0,
        blake3: false,
    }
}

async fn read(roots: &Roots, request: &Reread) -> Result<RereadDone, Fault> {
    reread(roots, &Blocking::inline(), request, |_, _| ()).await
}

#[tokio::test(start_paused = true)]
async fn a_file_is_summed_at_its_pace() {
    let (_dir, roots, root) = one_root(Fsync::Never, &Clock::manual(0));
    let bytes: Vec<u8> = (0..3 * MIB).map(|n| (n % 251) as u8).collect();
    prepare(&root, FILE, &bytes);
    let since = Instant::now();
    let done = read(&roots, &of(&root)).await.unwrap();
    let crc32 = crc32fast::hash(&bytes);
    assert_eq!((done.size, done.crc32, done.blake3), (3 * MIB, crc32, None));
    let took = since.elapsed().as_secs_f64();
    assert!((3.0..3.1).contains(&took), "{took}");
    let both = Reread {
        blake3: true,
        ..of(&root)
    };
    let done = read(&roots, &both).await.unwrap();
    let blake3 = Blake3Sum(*blake3::hash(&bytes).as_bytes());
    assert_eq!((done.crc32, done.blake3), (crc32, Some(blake3)));
}

#[tokio::test(start_paused = true)]
async fn clients_come_first_and_the_master_hears_that_it_waits() {
    let (_dir, roots, root) = one_root(Fsync::Never, &Clock::manual(0));
    prepare(&root, FILE, b"bytes");
    let (one, two) = (root.used(), root.used());
    drop(one);
    let request = of(&root);
    let told = std::cell::Cell::new(0);
    let blocking = Blocking::inline();
    let reading = reread(&roots, &blocking, &request, |done, _| {
        assert_eq!(done, 0);
        told.set(told.get() + 1);
    });
    let mut reading = std::pin::pin!(reading);
    let waits = timeout(Duration::from_secs(100), &mut reading).await;
    assert!(waits.is_err(), "it read beside a transfer");
    drop(two);
    assert_eq!(reading.await.unwrap().size, 5);
    assert!(told.get() >= 100, "{}", told.get());
}

#[tokio::test(start_paused = true)]
async fn what_is_still_received_and_what_is_gone_are_no_such_file() {
    let (_dir, roots, root) = one_root(Fsync::Never, &Clock::manual(0));
    let fault = read(&roots, &of(&root)).await.unwrap_err();
    assert_eq!(fault.code, FaultCode::NO_SUCH_FILE);
    let mut staging = root
        .stage(FILE, &drftpd_protocol::wire::Base::Empty, 0)
        .unwrap();
    staging.append(b"half").unwrap();
    let fault = read(&roots, &of(&root)).await.unwrap_err();
    assert_eq!(fault.code, FaultCode::NO_SUCH_FILE);
}

#[test]
fn a_newer_reading_of_a_root_ends_the_older_one_and_no_other() {
    let rereads = Rereads::default();
    let root = |number| RootId([number; 16]);
    let first = rereads.begin(root(1));
    let other = rereads.begin(root(2));
    let second = rereads.begin(root(1));
    assert!(first.is_cancelled() && !second.is_cancelled());
    rereads.stop(root(1));
    assert!(second.is_cancelled() && !other.is_cancelled());
    rereads.stop(root(1));
}

#[tokio::test(start_paused = true)]
async fn what_somebody_writes_to_meanwhile_is_not_judged() {
    let (dir, roots, root) = shared_root(&Clock::manual(0));
    prepare(&root, FILE, b"bytes");
    let request = of(&root);
    let at = request.at.clone();
    root.apply(&RootOp::Publish { file: FILE, at }).unwrap();
    assert_eq!(read(&roots, &request).await.unwrap().size, 5);
    let blocking = Blocking::inline();
    let write = |_, _| std::fs::write(dir.path().join("somewhere"), b"BYTES").unwrap();
    let fault = reread(&roots, &blocking, &request, write)
        .await
        .unwrap_err();
    assert_eq!(fault.code, FaultCode::OTHER_IDENTITY);
}
