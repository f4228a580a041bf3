//! `dump`: the whole store as JSON lines, to whoever asks or into a file of the master's folder.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use drftpd_protocol::Name;
use serde::Serialize;
use tokio::sync::mpsc;

use super::super::{AdminError, Answer, Args, Code, Command, Cx, Kind, Outcome, Param, Permission};
use crate::store::{Store, StoreError, dump};

/// `dump [NAME]`.
pub(in crate::admin) const DUMP: Command = Command {
    name: "dump",
    site: &["DUMP"],
    params: &[Param::optional(
        "name",
        Kind::Text,
        "a file to make in the folder dumps of the master, instead of an answer line by line",
    )],
    about: "writes the whole store as JSON lines: a backup that load takes back",
    permission: Permission::Operator,
    // It gives away the hashes of all passwords: noted, and not among what only reads.
    changes: true,
    run: |cx, args| Box::pin(dump_store(cx, args)),
};

#[derive(Serialize)]
struct Dumped {
    rows: u64,
    file: Option<PathBuf>,
}

async fn dump_store(cx: Cx, args: Args) -> Outcome {
    let store = cx.of.store.clone();
    let work: Box<dyn FnOnce() -> Result<Dumped, StoreError> + Send> =
        match (args.text("name"), cx.lines.clone()) {
            (Some(name), _) => {
                let name = Name::new(name.as_bytes().to_vec());
                let name = name.map_err(|why| AdminError::argument("name", why))?;
                let folder = cx.of.config.master.dir.join("dumps");
                let file = folder.join(String::from_utf8_lossy(name.as_bytes()).as_ref());
                if file.exists() {
                    return Err(AdminError {
                        code: Code::Exists,
                        ..AdminError::argument("name", "is there already")
                    });
                }
                Box::new(move || into_file(&store, file))
            }
            (None, Some(lines)) => Box::new(move || to_caller(&store, lines)),
            (None, None) => return Err(AdminError::argument("name", "is missing")),
        };
    let dumped = cx.of.blocking.run(work).await;
    let dumped = dumped.map_err(|why| AdminError::failed(&why))?;
    Answer::of(&dumped.map_err(|why| AdminError::failed(&why))?)
}

/// A file that appears when it is whole; it holds password hashes, so it is for its owner alone.
fn into_file(store: &Store, file: PathBuf) -> Result<Dumped, StoreError> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut fresh = file.clone().into_os_string();
    fresh.push(".new");
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(0o600);
    let mut out = BufWriter::new(options.open(&fresh)?);
    let rows = dump::dump(store, &mut out)?;
    let out: File = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    out.sync_all()?;
    fs::rename(&fresh, &file)?;
    Ok(Dumped {
        rows,
        file: Some(file),
    })
}

fn to_caller(store: &Store, lines: mpsc::Sender<Vec<u8>>) -> Result<Dumped, StoreError> {
    let mut out = Lines {
        lines,
        line: Vec::new(),
    };
    let rows = dump::dump(store, &mut out)?;
    Ok(Dumped { rows, file: None })
}

/// Hands on whole lines, at the pace of whoever takes them.
struct Lines {
    lines: mpsc::Sender<Vec<u8>>,
    line: Vec<u8>,
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            match part.strip_suffix(b"\n") {
                Some(end) => {
                    self.line.extend_from_slice(end);
                    let line = std::mem::take(&mut self.line);
                    let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
                    self.lines.blocking_send(line).map_err(gone)?;
                }
                None => self.line.extend_from_slice(part),
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Display for Dumped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows", self.rows)?;
        match &self.file {
            Some(file) => write!(f, " in {}", file.display()),
            None => Ok(()),
        }
    }
}
