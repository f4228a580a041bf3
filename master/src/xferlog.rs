//! `[log] xferlog`: one line for each transfer, in the format of wu-ftpd that every log reader knows.
//!
//! An actor hears the events and hands lines to one task that writes them, a batch at a time, on the pool for disk
//! work. When the disk is too slow lines are dropped and counted; transfers never wait for it. A reload of the
//! configuration opens the file anew, for log rotation.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use actix::{Actor, Context, Handler, Supervised};
use drftpd_actors::Blocking;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::sync::watch;
use tracing::{error, warn};

use crate::events::TransferLogged;
use crate::transfer::Direction;

/// Lines that may wait for the disk.
const WAITING: usize = 4096;
/// Lines written at once.
const BATCH: usize = 256;
/// The file is opened for its owner and group.
const MODE: u32 = 0o640;

/// Hears of transfers and writes them down.
pub struct XferLog {
    lines: mpsc::Sender<String>,
    dropped: u64,
}

impl XferLog {
    /// Opens the file, and begins the task that writes; it ends with this value. `again` says when to open anew.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open<T: Send + Sync + 'static>(
        path: PathBuf,
        blocking: Blocking,
        again: Option<watch::Receiver<T>>,
    ) -> io::Result<Self> {
        let file = append(&path)?;
        let (lines, waiting) = mpsc::channel(WAITING);
        tokio::task::spawn_local(write(waiting, file, path, blocking, again));
        Ok(Self { lines, dropped: 0 })
    }
}

impl Actor for XferLog {
    type Context = Context<Self>;
}

impl Supervised for XferLog {}

impl Handler<TransferLogged> for XferLog {
    type Result = ();

    fn handle(&mut self, event: TransferLogged, _: &mut Self::Context) {
        drftpd_actors::panicpoint("actor.xferlog");
        match self.lines.try_send(line(&event)) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                self.dropped += 1;
                if self.dropped.is_power_of_two() {
                    warn!(
                        dropped = self.dropped,
                        "transfer log is too slow, lines dropped"
                    );
                }
            }
            Err(TrySendError::Closed(_)) => error!("transfer log is not written any more"),
        }
    }
}

fn append(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(MODE).open(path)
}

async fn write<T>(
    mut waiting: mpsc::Receiver<String>,
    mut file: File,
    path: PathBuf,
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
        let (text, name) = (batch.concat(), path.clone());
        batch.clear();
        let work = move || {
            if anew {
                match append(&name) {
                    Ok(fresh) => file = fresh,
                    Err(why) => error!(%why, "transfer log not opened anew"),
                }
            }
            let written = file.write_all(text.as_bytes());
            (file, written)
        };
        match blocking.run(work).await {
            Ok((same, written)) => {
                file = same;
                if let Err(why) = written {
                    error!(%why, "transfer log not written");
                }
            }
            Err(why) => return error!(%why, "transfer log ended"),
        }
    }
}

/// One line: time, seconds, client, bytes, file, type, action, direction, access, user, service, method, id, status.
fn line(event: &TransferLogged) -> String {
    let direction = match event.direction {
        Direction::Upload => 'i',
        Direction::Download => 'o',
    };
    format!(
        "{} {} {} {} {} b _ {direction} r {} ftp 0 * {}\n",
        ctime(event.ended),
        event.took.as_millis().div_ceil(1000),
        event.client,
        event.bytes,
        one_word(&event.path.to_bytes()),
        one_word(event.user.as_bytes()),
        if event.complete { 'c' } else { 'i' },
    )
}

/// As readers of the format expect it: what would end the word, or is no printable text, becomes `_`.
fn one_word(bytes: &[u8]) -> String {
    let word = |c: char| {
        if c.is_whitespace() || c.is_control() || c == char::REPLACEMENT_CHARACTER {
            '_'
        } else {
            c
        }
    };
    String::from_utf8_lossy(bytes).chars().map(word).collect()
}

/// `Thu Jan  1 00:00:00 1970`, UTC.
fn ctime(unix: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let at = u64::try_from(unix).unwrap_or(0);
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(at);
    let text = humantime::format_rfc3339_seconds(time).to_string();
    let number = |from: usize, to: usize| text.get(from..to).and_then(|part| part.parse().ok());
    let month: usize = number(5, 7).unwrap_or(1);
    let day: usize = number(8, 10).unwrap_or(1);
    let clock = text.get(11..19).unwrap_or("00:00:00");
    let year = text.get(..4).unwrap_or("1970");
    let weekday = usize::try_from(at / 86_400 % 7).unwrap_or(0);
    let month = MONTHS.get(month.saturating_sub(1)).unwrap_or(&"Jan");
    format!("{} {month} {day:2} {clock} {year}", DAYS[weekday])
}

#[cfg(test)]
mod tests {
    use super::*;
    use drftpd_protocol::{SessionId, SlaveId, VfsPath};
    use std::time::Duration;

    fn event(path: &[u8]) -> TransferLogged {
        TransferLogged {
            session: SessionId(7),
            user: "some body".to_owned(),
            client: [192, 0, 2, 1].into(),
            path: VfsPath::absolute(path).unwrap(),
            direction: Direction::Upload,
            slave: SlaveId::new("s1").unwrap(),
            bytes: 1234,
            took: Duration::from_millis(1500),
            ended: 1_798_761_599,
            complete: true,
            tls: None,
        }
    }

    #[test]
    fn a_line_has_the_fourteen_fields_of_the_format() {
        assert_eq!(
            line(&event(b"/a dir/f\xFF.bin")),
            "Thu Dec 31 23:59:59 2026 2 192.0.2.1 1234 /a_dir/f_.bin b _ i r some_body ftp 0 * c\n"
        );
        let mut broken = event(b"/x");
        broken.direction = Direction::Download;
        broken.complete = false;
        assert!(line(&broken).ends_with("/x b _ o r some_body ftp 0 * i\n"));
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(ctime(0), "Thu Jan  1 00:00:00 1970");
        assert_eq!(ctime(951_782_400), "Tue Feb 29 00:00:00 2000");
    }

    #[test]
    fn lines_are_appended_and_a_rotated_file_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("xferlog");
        std::fs::write(&path, "before\n").unwrap();
        drftpd_actors::testkit::sim(async {
            let (again, hears) = watch::channel(());
            let mut log = XferLog::open(path.clone(), Blocking::inline(), Some(hears)).unwrap();
            let mut ctx = Context::new();
            log.handle(event(b"/one"), &mut ctx);
            drftpd_actors::testkit::settle().await;
            std::fs::rename(&path, dir.path().join("old")).unwrap();
            again.send_replace(());
            log.handle(event(b"/two"), &mut ctx);
            drftpd_actors::testkit::settle().await;
        });
        let old = std::fs::read_to_string(dir.path().join("old")).unwrap();
        assert!(old.starts_with("before\n") && old.contains(" /one ") && !old.contains(" /two "));
        let new = std::fs::read_to_string(&path).unwrap();
        assert!(new.contains(" /two ") && new.lines().count() == 1, "{new}");
    }
}
