//! Checksum of a stored file or a part of it: read in turns on the pool, so that a long one holds no
//! thread for long, tells how far it is, and ends with the link.

mod reading;
mod sum;

use std::time::Duration;

use drftpd_actors::{Blocking, BlockingError};
use drftpd_protocol::wire::{Checksum, ChecksumDone, Fault, FaultCode};
use tokio::time::Instant;

pub(super) use self::reading::Reading;
pub(super) use self::sum::Sum;
use super::{OpCx, Operation};
use crate::storage::Roots;

/// How long the operations before it may take.
const APPLIED_WITHIN: Duration = Duration::from_secs(60);
/// How often the master hears that the work goes on.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// Most bytes of a turn on a thread.
const SHARE: u64 = 64 << 20;

impl Operation for Checksum {
    const NAME: &'static str = "checksum";

    async fn run(self, cx: OpCx) -> Result<ChecksumDone, Fault> {
        let applied = &cx.applied;
        applied
            .reached(self.root, self.after, APPLIED_WITHIN)
            .await?;
        checksum(&cx.roots, &cx.blocking, self, |done, total| {
            cx.progress.tell(done, total);
        })
        .await
    }
}

/// Reads what is asked for and sums it. `tell` hears about once a second how many bytes of how many
/// are done. Dropped, it ends after the turn that runs.
///
/// # Errors
/// Storage's faults; `BAD_REQUEST` for a start behind the end; `DISK`.
pub async fn checksum(
    roots: &Roots,
    blocking: &Blocking,
    request: Checksum,
    mut tell: impl FnMut(u64, u64),
) -> Result<ChecksumDone, Fault> {
    let roots = roots.clone();
    let failed = |error: BlockingError| Fault::new(FaultCode::FAILED, error.to_string());
    let first = blocking.run(move || open(&roots, &request)?.turn(SHARE));
    let mut reading = first.await.map_err(failed)??;
    let mut told = Instant::now();
    loop {
        if reading.is_over() {
            let bytes = reading.done();
            let sum = reading.into_sums().pop().map(Sum::finish);
            let sum = sum.ok_or_else(|| Fault::new(FaultCode::FAILED, "nothing was summed"))?;
            return Ok(ChecksumDone { sum, bytes });
        }
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            tell(reading.done(), reading.length());
        }
        let turn = blocking.run(move || reading.turn(SHARE));
        reading = turn.await.map_err(failed)??;
    }
}

fn open(roots: &Roots, request: &Checksum) -> Result<Reading, Fault> {
    let stored = roots
        .get(request.root)
        .and_then(|root| root.open_file(request.file, &request.at))
        .map_err(|error| error.fault())?;
    let begin = request.offset;
    if begin > stored.size {
        let text = format!("byte {begin} of a file of {}", stored.size);
        return Err(Fault::new(FaultCode::BAD_REQUEST, text));
    }
    let rest = stored.size - begin;
    let length = request.length.map_or(rest, |length| length.min(rest));
    let sums = vec![Sum::new(request.algorithm)];
    Ok(Reading::new(stored.file, begin, length, sums))
}

#[cfg(test)]
mod tests {
    use drftpd_actors::Clock;
    use drftpd_protocol::ids::{FileId, Generation, NodeId, OpSeq, RootId};
    use drftpd_protocol::path::Name;
    use drftpd_protocol::wire::{Algorithm, Place};

    use super::*;
    use crate::storage::Fsync;
    use crate::testkit::{one_root, prepare};

    const FILE: FileId = FileId {
        node: NodeId(7),
        generation: Generation(1),
    };

    fn roots_with(bytes: &[u8]) -> (tempfile::TempDir, Roots, RootId) {
        let (dir, roots, root) = one_root(Fsync::Never, &Clock::manual(0));
        prepare(&root, FILE, bytes);
        (dir, roots, root.id())
    }

    fn of(root: RootId, algorithm: Algorithm) -> Checksum {
        Checksum {
            root,
            file: Some(FILE),
            at: Place {
                dirs: Vec::new(),
                name: Name::new(&b"somewhere"[..]).unwrap(),
            },
            algorithm,
            offset: 0,
            length: None,
            after: OpSeq::NONE,
        }
    }

    async fn sum(roots: &Roots, request: Checksum) -> Result<ChecksumDone, Fault> {
        checksum(roots, &Blocking::inline(), request, |_, _| ()).await
    }

    #[tokio::test]
    async fn a_part_of_a_file_is_summed() {
        let (_dir, roots, root) = roots_with(b"xx123456789yy");
        for (offset, length, is) in [
            (2, Some(9), Ok((b"123456789".as_slice(), 9))),
            (11, Some(u64::MAX), Ok((b"yy", 2))),
            (13, None, Ok((b"", 0))),
            (14, None, Err(FaultCode::BAD_REQUEST)),
        ] {
            let request = Checksum {
                offset,
                length,
                ..of(root, Algorithm::Crc32)
            };
            let done = sum(&roots, request).await;
            let got = done.map(|done| (done.sum, done.bytes)).map_err(|f| f.code);
            let crc = |bytes| crc32fast::hash(bytes).to_be_bytes().to_vec();
            assert_eq!(got, is.map(|(bytes, count)| (crc(bytes), count)));
        }
    }

    #[tokio::test]
    async fn a_long_file_is_summed_in_turns() {
        let bytes: Vec<u8> = (0..SHARE + 4099).map(|n| (n % 251) as u8).collect();
        let (_dir, roots, root) = roots_with(&bytes);
        let blocking = Blocking::new(1);
        let done = checksum(&roots, &blocking, of(root, Algorithm::Blake3), |_, _| ());
        let done = done.await.unwrap();
        assert_eq!(done.bytes, bytes.len() as u64);
        assert_eq!(done.sum, blake3::hash(&bytes).as_bytes());
    }

    #[tokio::test]
    async fn what_is_not_there_has_no_checksum() {
        let (_dir, roots, root) = roots_with(b"x");
        let request = Checksum {
            file: Some(FileId {
                generation: Generation(2),
                ..FILE
            }),
            ..of(root, Algorithm::Md5)
        };
        let fault = sum(&roots, request).await.unwrap_err();
        assert_eq!(fault.code, FaultCode::NO_SUCH_FILE);
        let nowhere = of(RootId([0; 16]), Algorithm::Md5);
        let fault = sum(&roots, nowhere).await.unwrap_err();
        assert_eq!(fault.code, FaultCode::NO_SUCH_ROOT);
    }
}
