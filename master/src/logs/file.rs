//! A log file: whoever has it hands over lines, one task writes them, a batch at a time, on the pool for disk work.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use drftpd_actors::Blocking;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::sync::{oneshot, watch};
use tracing::{error, warn};

/// Pieces that may wait for the disk.
const WAITING: usize = 4096;
/// Pieces written at once.
const BATCH: usize = 256;
/// The file is for its owner and group.
const MODE: u32 = 0o640;

/// A log file. Clones are the same; it is closed with the last of them.
#[derive(Clone)]
pub struct LogFile {
    name: &'static str,
    pieces: mpsc::Sender<Piece>,
    dropped: Arc<AtomicU64>,
}

/// Whole lines, and who waits until they are written.
struct Piece {
    text: String,
    written: Option<oneshot::Sender<bool>>,
}

impl LogFile {
    /// Opens the file, and begins the task that writes. `again` says when to open anew; `name` is for messages.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open<T: Send + Sync + 'static>(
        name: &'static str,
        path: PathBuf,
        blocking: Blocking,
        again: Option<watch::Receiver<T>>,
    ) -> io::Result<Self> {
        let file = append(&path)?;
        let (pieces, waiting) = mpsc::channel(WAITING);
        let writer = Writer {
            name,
            file,
            path,
            torn: false,
        };
        tokio::task::spawn_local(write(waiting, writer, blocking, again));
        Ok(Self {
            name,
            pieces,
            dropped: Arc::default(),
        })
    }

    /// Hands over whole lines; where too many wait they are dropped and counted.
    pub fn add(&self, text: String) {
        let written = None;
        match self.pieces.try_send(Piece { text, written }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                let dropped = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
                if dropped.is_power_of_two() {
                    warn!(log = self.name, dropped, "log is too slow, lines dropped");
                }
            }
            Err(TrySendError::Closed(_)) => error!(log = self.name, "log is not written any more"),
        }
    }

    /// Hands over whole lines and waits; whether they were written.
    pub async fn written(&self, text: String) -> bool {
        let (written, hears) = oneshot::channel();
        let written = Some(written);
        let given = self.pieces.send(Piece { text, written }).await;
        given.is_ok() && hears.await.unwrap_or(false)
    }
}

fn append(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(MODE).open(path)
}

struct Writer {
    name: &'static str,
    file: File,
    path: PathBuf,
    /// The last line may be a piece of one.
    torn: bool,
}

impl Writer {
    fn open_anew(&mut self) {
        match append(&self.path) {
            Ok(fresh) => (self.file, self.torn) = (fresh, false),
            Err(why) => error!(log = self.name, %why, "log not opened anew"),
        }
    }

    fn write(&mut self, mut text: String) -> bool {
        if self.torn {
            text.insert(0, '\n');
        }
        let written = self.file.write_all(text.as_bytes());
        self.torn = written.is_err();
        if let Err(why) = written {
            error!(log = self.name, %why, "log not written");
        }
        !self.torn
    }
}

async fn write<T>(
    mut waiting: mpsc::Receiver<Piece>,
    mut writer: Writer,
    blocking: Blocking,
    mut again: Option<watch::Receiver<T>>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        let anew = again.as_mut().is_some_and(|again| {
            let changed = again.has_changed().unwrap_or(false);
            again.mark_unchanged();
            changed
        });
        let mut text = String::new();
        let mut who_waits = Vec::new();
        for piece in batch.drain(..) {
            text += &piece.text;
            who_waits.extend(piece.written);
        }
        let work = move || {
            if anew {
                writer.open_anew();
            }
            let written = writer.write(text);
            (writer, written)
        };
        match blocking.run(work).await {
            Ok((same, written)) => {
                writer = same;
                // Whoever waited may be gone.
                for waits in who_waits {
                    waits.send(written).ok();
                }
            }
            Err(why) => return error!(%why, "log ended"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use drftpd_actors::testkit::{settle, sim};

    #[test]
    fn lines_are_appended_and_a_rotated_file_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        std::fs::write(&path, "before\n").unwrap();
        sim(async {
            let (again, hears) = watch::channel(());
            let log = LogFile::open("test", path.clone(), Blocking::inline(), Some(hears)).unwrap();
            log.add("one\n".to_owned());
            settle().await;
            std::fs::rename(&path, dir.path().join("old")).unwrap();
            again.send_replace(());
            assert!(log.written("two\n".to_owned()).await);
        });
        let old = std::fs::read_to_string(dir.path().join("old")).unwrap();
        assert_eq!(old, "before\none\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two\n");
    }

    #[test]
    fn whoever_waits_hears_that_nothing_was_written() {
        sim(async {
            let full = PathBuf::from("/dev/full");
            let again = None::<watch::Receiver<()>>;
            let log = LogFile::open("test", full, Blocking::inline(), again).unwrap();
            assert!(!log.written("one\n".to_owned()).await);
        });
    }

    #[test]
    fn a_piece_of_a_line_does_not_spoil_the_next_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        std::fs::write(&path, "a piece").unwrap();
        let mut writer = Writer {
            name: "test",
            file: append(&path).unwrap(),
            path: path.clone(),
            torn: true,
        };
        assert!(writer.write("one\n".to_owned()) && writer.write("two\n".to_owned()));
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "a piece\none\ntwo\n"
        );
    }
}
