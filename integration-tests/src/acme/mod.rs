//! A scripted ACME authority (RFC 8555) over HTTPS on loopback: it proves every signature, nonce, URL and account, asks for
//! HTTP-01 itself, and fails as its script says.

mod book;
mod jws;
mod paper;
mod serve;

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process::PATIENCE;
use book::Book;
use paper::Paper;

/// What shall go wrong, and what certificates shall be like.
#[derive(Default)]
pub struct Script {
    /// So many requests are answered with badNonce.
    pub bad_nonces: u32,
    /// Orders that are answered with 429, each with these seconds of Retry-After.
    pub too_many: VecDeque<u64>,
    /// So many validations fail whatever is answered.
    pub refused: u32,
    /// How long before and after now the next certificates are valid; then one hour and ninety days.
    pub lives: VecDeque<(Duration, Duration)>,
    /// Whether there is renewal information (RFC 9773), and how many of the next answers say that it is time.
    pub renew_now: Option<u32>,
    /// So many orders find that their account is forgotten.
    pub forgets: u32,
    /// Another answer's status for everything: the authority is ill.
    pub ill: Option<u16>,
}

/// What it saw, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// An account was made.
    Account,
    /// An order, and whether it said which certificate it replaces.
    Order(bool),
    /// An order was refused with 429.
    TooMany,
    /// A name was proved over HTTP-01.
    Proved(String),
    /// A name was not.
    Refused(String),
    /// A certificate was given.
    Certificate,
    /// A request was answered with badNonce.
    BadNonce,
}

/// A running authority; it serves until the test ends.
pub struct AcmeAuthority {
    site: Arc<Site>,
    folder: tempfile::TempDir,
}

/// What all its threads share.
struct Site {
    address: SocketAddr,
    book: Mutex<Book>,
    /// The log of the master that says where HTTP-01 is answered.
    asked_at: (Mutex<Option<PathBuf>>, Condvar),
    paper: Paper,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl AcmeAuthority {
    /// Serves on a free port of loopback.
    pub fn start(script: Script) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let folder = tempfile::Builder::new().prefix("drftpd-acme-").tempdir()?;
        let paper = Paper::new()?;
        std::fs::write(folder.path().join("https.pem"), paper.https_pem())?;
        std::fs::write(folder.path().join("root.pem"), paper.root_pem())?;
        let site = Arc::new(Site {
            address: listener.local_addr()?,
            book: Mutex::new(Book::new(script)),
            asked_at: (Mutex::new(None), Condvar::new()),
            paper,
        });
        let (serving, tls) = (Arc::clone(&site), site.paper.https()?);
        thread::spawn(move || {
            for tcp in listener.incoming().map_while(Result::ok) {
                let (site, tls) = (Arc::clone(&serving), Arc::clone(&tls));
                // A client that goes is no failure; what it missed, the test misses.
                thread::spawn(move || {
                    drop(crate::http::serve(tcp, tls, |ask| {
                        serve::answer(&site, ask)
                    }))
                });
            }
        });
        Ok(Self { site, folder })
    }

    /// The master's settings for this authority and these names.
    pub fn settings(&self, domains: &[&str]) -> Vec<String> {
        let https = self.folder.path().join("https.pem");
        vec![
            format!(
                "tls.acme.directory=\"https://localhost:{}/dir\"",
                self.site.address.port()
            ),
            format!("tls.acme.authority=\"{}\"", https.display()),
            format!("tls.acme.domains={domains:?}"),
            "tls.acme.contacts=[\"mailto:ops@example.net\"]".to_owned(),
            "tls.acme.agree_to_terms=true".to_owned(),
            "tls.acme.http_listen=\"127.0.0.1:0\"".to_owned(),
            "tls.acme.retry_from=\"1s\"".to_owned(),
            "tls.acme.retry_to=\"2s\"".to_owned(),
        ]
    }

    /// The root of the certificates that it gives.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root.pem")
    }

    /// Validations ask where this log says that HTTP-01 is answered; they wait until it is told.
    pub fn asks_where_it_says(&self, log: &Path) {
        *locked(&self.site.asked_at.0) = Some(log.to_owned());
        self.site.asked_at.1.notify_all();
    }

    /// Changes what shall happen from now on.
    pub fn script(&self, change: impl FnOnce(&mut Script)) {
        change(&mut locked(&self.site.book).script);
    }

    /// SHA-256 of the certificates that it has given, in hex.
    pub fn given(&self) -> Vec<String> {
        locked(&self.site.book).given.clone()
    }

    /// What it has seen.
    pub fn seen(&self) -> Vec<Seen> {
        locked(&self.site.book).seen.clone()
    }
}

impl Site {
    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}/{path}", self.address.port())
    }

    /// Where HTTP-01 is answered now.
    fn ask_at(&self) -> Result<SocketAddr> {
        let (path, told) = &self.asked_at;
        let waited = told.wait_timeout_while(locked(path), PATIENCE, |path| path.is_none());
        let Ok((path, _)) = waited else {
            bail!("a test panicked");
        };
        let log = std::fs::read_to_string(path.as_ref().context("nobody said where to ask")?)?;
        let line = log
            .lines()
            .rfind(|line| line.contains("http-01 is answered"));
        let line = line.context("the master does not say where it answers")?;
        let at = line.split(" at=").nth(1).context("no address")?;
        Ok(at
            .split_whitespace()
            .next()
            .context("no address")?
            .parse()?)
    }
}
