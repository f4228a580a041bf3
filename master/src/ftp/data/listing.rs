//! Listings, a page of entries at a time: whoever reads slowly makes the file list wait, and no directory is ever in
//! memory as a whole.
//!
//! Entries that the user may not see are left out. Rendering is the protocol's; here is what is rendered.

use std::collections::BTreeSet;
use std::future::ready;
use std::io::ErrorKind;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use drftpd_actors::BoxIo;
use drftpd_protocol::ftp::args::Glob;
use drftpd_protocol::ftp::listing::{list_line, mlsd_line, nlst_line, total_line};
use drftpd_protocol::ftp::{EntryKind, Facts, ListEntry, Perm};
use drftpd_protocol::{DirId, Name, NodeId, RootId, VfsPath};
use futures_util::future::LocalBoxFuture;
use futures_util::poll;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::error::DataError;
use super::taken::Taken;
use crate::accounts::Action;
use crate::ftp::config::Offline;
use crate::ftp::error::FtpError;
use crate::rights::Here;
use crate::vfs::{Entry, Kind, Page, VfsClient, VfsError};

/// Entries of one page.
pub const PAGE: usize = 512;

/// What is behind the name of the entry that says that a file is offline; as DrFTPD has it.
const MARK: &[u8] = b"-OFFLINE";

/// How entries look.
#[derive(Debug, Clone)]
pub enum Style {
    /// LIST, STAT: as `ls -l` has it, at this time (Unix seconds).
    Long {
        /// Now.
        now: i64,
    },
    /// NLST: names, behind what the client put before them.
    Names {
        /// Ends with a slash, or is empty.
        prefix: Vec<u8>,
    },
    /// MLSD: these facts.
    Machine(Facts),
}

/// What is listed.
pub enum Subject {
    /// What lies in a directory.
    Inside {
        /// The directory.
        dir: Entry,
        /// Its resolved path.
        path: VfsPath,
        /// Only names that fit.
        only: Option<Glob>,
    },
    /// One entry.
    Itself {
        /// The entry.
        entry: Entry,
        /// Its resolved path.
        path: VfsPath,
        /// What it is called.
        name: Vec<u8>,
    },
}

/// A listing that is under way.
pub struct Listing {
    vfs: VfsClient,
    here: Here,
    style: Style,
    subject: Subject,
    /// How files are shown that are on none of the roots that were present when it began; nothing where that is as any
    /// other.
    offline: Option<(Offline, Arc<BTreeSet<RootId>>)>,
    next: Next,
}

enum Next {
    First,
    /// Begun already: it is read while the page before it is rendered and sent.
    Ahead(Reading),
    Over,
}

/// A page that is being read.
type Reading = LocalBoxFuture<'static, Result<(Page, BTreeSet<NodeId>), VfsError>>;

impl Listing {
    /// A listing for somebody, by the rules of the directory that its entries lie in.
    pub fn new(vfs: VfsClient, here: Here, style: Style, subject: Subject) -> Self {
        Self {
            vfs,
            here,
            style,
            subject,
            offline: None,
            next: Next::First,
        }
    }

    /// The same, with files shown in a way of their own that are on none of these roots.
    #[must_use]
    pub fn marking(self, how: Offline, present: impl FnOnce() -> BTreeSet<RootId>) -> Self {
        let offline = (how != Offline::Shown).then(|| (how, Arc::new(present())));
        Self { offline, ..self }
    }

    /// The next lines; `None` at the end. A page may be empty.
    ///
    /// # Errors
    /// What the file list says.
    pub async fn page(&mut self) -> Result<Option<BytesMut>, FtpError> {
        let mut out = BytesMut::new();
        let reading = match std::mem::replace(&mut self.next, Next::Over) {
            Next::Over => return Ok(None),
            Next::Ahead(reading) => reading,
            Next::First => {
                self.head(&mut out);
                match &self.subject {
                    Subject::Inside { dir, .. } => self.read(dir.id, None),
                    Subject::Itself { entry, path, name } => {
                        let only = std::slice::from_ref(entry);
                        let offline = offline(&self.vfs, self.offline.as_ref(), only).await?;
                        self.show(entry, &offline, path, name, &mut out);
                        return Ok(Some(out));
                    }
                }
            }
        };
        let (page, offline) = match reading.await {
            // Removed since it was looked up: there is nothing in it.
            Err(VfsError::NotFound(_)) => return Ok(Some(out)),
            page => page?,
        };
        if let Subject::Inside { dir, path, only } = &self.subject {
            if let Some(after) = page.next {
                self.next = Next::Ahead(begun(self.read(dir.id, Some(after))).await);
            }
            let fits = |name: &Name| {
                only.as_ref()
                    .is_none_or(|glob| glob.matches(name.as_bytes()))
            };
            for entry in &page.entries {
                let Some(name) = entry.name.as_ref().filter(|name| fits(name)) else {
                    continue;
                };
                let Ok(path) = path.join(name.clone()) else {
                    continue;
                };
                self.show(entry, &offline, &path, name.as_bytes(), &mut out);
            }
        }
        Ok(Some(out))
    }

    fn read(&self, dir: DirId, after: Option<Name>) -> Reading {
        let (vfs, marked) = (self.vfs.clone(), self.offline.clone());
        Box::pin(async move {
            let page = vfs.list(dir, after, PAGE).await?;
            let offline = offline(&vfs, marked.as_ref(), &page.entries).await?;
            Ok((page, offline))
        })
    }

    fn head(&self, out: &mut BytesMut) {
        let bytes = match &self.subject {
            Subject::Inside { dir, .. } if self.here.sees_all() => dir.size,
            Subject::Inside { .. } => 0,
            Subject::Itself { entry, path, name } => {
                shown(&self.here, entry, path, name, Facts::NONE).size
            }
        };
        if matches!(self.style, Style::Long { .. }) {
            total_line(bytes.div_ceil(1024), out);
        }
    }
}

/// Which entries are offline, where that is shown.
async fn offline(
    vfs: &VfsClient,
    marked: Option<&(Offline, Arc<BTreeSet<RootId>>)>,
    entries: &[Entry],
) -> Result<BTreeSet<NodeId>, VfsError> {
    match marked {
        Some((_, present)) => vfs.offline(entries, present).await,
        None => Ok(BTreeSet::new()),
    }
}

/// What was asked for is under way when this comes back, not only when somebody waits for it.
async fn begun(mut reading: Reading) -> Reading {
    match poll!(&mut reading) {
        Poll::Ready(page) => Box::pin(ready(page)),
        Poll::Pending => reading,
    }
}

impl Listing {
    /// Appends one entry, if the user may see it.
    fn show(
        &self,
        entry: &Entry,
        offline: &BTreeSet<NodeId>,
        path: &VfsPath,
        name: &[u8],
        out: &mut BytesMut,
    ) {
        if !self.here.shows(path, entry) {
            return;
        }
        let how = self.offline.as_ref().map(|(how, _)| *how);
        let how = how.filter(|_| offline.contains(&entry.id));
        if how == Some(Offline::Hidden) {
            return;
        }
        let facts = match &self.style {
            Style::Machine(facts) => *facts,
            Style::Long { .. } => Facts::NONE,
            // Names are for the next verb: there is none for a mark.
            Style::Names { prefix } => return nlst_line(prefix, name, out),
        };
        let mut line = shown(&self.here, entry, path, name, facts);
        if how.is_none() {
            return self.line(&line, out);
        }
        line.mode = 0;
        if facts.has(Facts::PERM) {
            line.perm = perm_of(&self.here, entry, path, Some(Action::Download));
        }
        self.line(&line, out);
        if how == Some(Offline::Marked) {
            let name = [name, MARK].concat();
            let mark = ListEntry {
                name: &name,
                size: 0,
                id: 0,
                perm: Perm::NONE,
                crc32: None,
                ..line
            };
            self.line(&mark, out);
        }
    }

    fn line(&self, line: &ListEntry<'_>, out: &mut BytesMut) {
        match &self.style {
            Style::Long { now } => list_line(line, *now, out),
            Style::Machine(facts) => mlsd_line(line, *facts, out),
            Style::Names { .. } => {}
        }
    }
}

/// An entry as it may be shown, with what a machine listing with these facts tells of it.
pub fn shown<'a>(
    here: &Here,
    entry: &'a Entry,
    path: &VfsPath,
    name: &'a [u8],
    facts: Facts,
) -> ListEntry<'a> {
    let sums = entry.kind != Kind::Dir || here.shows_sums(path);
    let target = entry.target.as_deref();
    ListEntry {
        name,
        kind: match entry.kind {
            Kind::File => EntryKind::File,
            Kind::Dir => EntryKind::Directory,
            Kind::Link => EntryKind::Link,
        },
        size: if sums { entry.size } else { 0 },
        modified: entry.modified,
        created: Some(entry.created),
        owner: &entry.owner,
        group: &entry.group,
        mode: entry.mode.into(),
        id: entry.id.0,
        generation: entry.generation.0,
        perm: if facts.has(Facts::PERM) {
            perm_of(here, entry, path, None)
        } else {
            Perm::NONE
        },
        crc32: entry.crc32,
        target: target.filter(|target| here.shows_target(path, target)),
    }
}

fn perm_of(here: &Here, entry: &Entry, path: &VfsPath, but: Option<Action>) -> Perm {
    let letters: &[(Action, Perm)] = match entry.kind {
        Kind::Dir => &[
            (Action::Upload, Perm::CREATE),
            (Action::Delete, Perm::DELETE | Perm::PURGE),
            (Action::View, Perm::ENTER | Perm::LIST),
            (Action::Rename, Perm::RENAME),
            (Action::MakeDir, Perm::MAKE_DIRECTORY),
        ],
        Kind::File => &[
            (Action::Resume, Perm::APPEND),
            (Action::Delete, Perm::DELETE),
            (Action::Rename, Perm::RENAME),
            (Action::Download, Perm::READ),
            (Action::Overwrite, Perm::WRITE),
        ],
        Kind::Link => &[
            (Action::Delete, Perm::DELETE),
            (Action::Rename, Perm::RENAME),
            (Action::Download, Perm::READ),
        ],
    };
    letters
        .iter()
        .filter(|(action, _)| Some(*action) != but && here.may(*action, path, &entry.owner))
        .fold(Perm::NONE, |all, (_, letter)| all | *letter)
}

/// Sends a listing over a data connection of the master's, closes our side and waits until the client has all.
///
/// # Errors
/// When the connection breaks, takes nothing for `stall`, or the file list fails.
pub async fn send(
    io: &mut BoxIo,
    listing: &mut Listing,
    stall: Duration,
    taken: &Taken,
) -> Result<u64, FtpError> {
    let mut sent = 0;
    while let Some(page) = listing.page().await? {
        let mut left = &page[..];
        while !left.is_empty() {
            let went = in_time(stall, io.write(left)).await?;
            if went == 0 {
                return Err(DataError::Broken(std::io::ErrorKind::WriteZero.into()).into());
            }
            left = left.get(went..).unwrap_or_default();
            sent += went as u64;
        }
    }
    in_time(stall, io.shutdown()).await?;
    tokio::select! {
        biased;
        closed = async { io.read(&mut [0; 64]).await } => is_end(closed)?,
        all = taken.all(stall) => all?,
    }
    Ok(sent)
}

/// Whether the client has closed its side. Many do so without the last word of TLS, which says nothing about what they
/// were sent.
fn is_end(read: std::io::Result<usize>) -> Result<(), DataError> {
    match read {
        Err(why) if why.kind() != ErrorKind::UnexpectedEof => Err(DataError::Broken(why)),
        _ => Ok(()),
    }
}

async fn in_time<T>(
    limit: Duration,
    work: impl Future<Output = std::io::Result<T>>,
) -> Result<T, DataError> {
    match timeout(limit, work).await {
        Ok(done) => done.map_err(DataError::Broken),
        Err(_elapsed) => Err(DataError::Stalled),
    }
}
