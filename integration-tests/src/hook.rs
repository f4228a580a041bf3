//! A server that is sent events: takes what is well signed, or refuses everything while it is told to.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context, Result, ensure};
use aws_lc_rs::hmac;
use serde_json::Value;

use crate::http::{Ask, Reply, speak};
use crate::process::PATIENCE;

/// The secret of both sides.
pub const SECRET: &str = "a secret of both sides";

/// The server; it listens as long as the test runs.
pub struct Hook {
    /// Where.
    pub address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    ill: bool,
    refused: usize,
    events: Vec<Value>,
    wrong: Vec<String>,
}

impl Hook {
    /// Listens; `ill`: refuses at first.
    pub fn start(ill: bool) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let seen = Arc::new(Mutex::new(Seen {
            ill,
            ..Seen::default()
        }));
        let hook = Self {
            address,
            seen: Arc::clone(&seen),
        };
        thread::spawn(move || {
            for tcp in listener.incoming().flatten() {
                // A client that broke off is none to speak of.
                drop(serve(tcp, &seen));
            }
        });
        Ok(hook)
    }

    /// Takes everything from now on.
    pub fn well(&self) {
        self.seen().ill = false;
    }

    /// Requests that were refused.
    pub fn refused(&self) -> usize {
        self.seen().refused
    }

    /// Every event in the order of its coming, twice where it came twice.
    ///
    /// # Errors
    /// When a request was not what it should be.
    pub fn events(&self) -> Result<Vec<Value>> {
        let seen = self.seen();
        ensure!(seen.wrong.is_empty(), "{:?}", seen.wrong);
        Ok(seen.events.clone())
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        locked(&self.seen)
    }
}

fn locked(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(mut tcp: TcpStream, seen: &Mutex<Seen>) -> Result<()> {
    tcp.set_read_timeout(Some(PATIENCE))?;
    speak(&mut tcp, |ask| {
        let mut seen = locked(seen);
        let status = if seen.ill {
            seen.refused += 1;
            503
        } else {
            match read(&ask) {
                Ok(events) => seen.events.extend(events),
                Err(why) => seen.wrong.push(format!("{why:#}")),
            }
            204
        };
        Reply {
            status,
            kind: "text/plain",
            headers: Vec::new(),
            body: String::new(),
        }
    })
}

fn read(ask: &Ask) -> Result<Vec<Value>> {
    ensure!(ask.method == "POST", "{}", ask.method);
    let at = ask.header("x-drftpd-timestamp").context("no time")?;
    let signature = ask.header("x-drftpd-signature").context("no signature")?;
    let signature = signature.strip_prefix("v1=").context("which version")?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let signed = [at.as_bytes(), b".", &ask.body].concat();
    let right = hmac::sign(&key, &signed);
    let right: String = right
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    ensure!(signature == right, "signed {signature} and not {right}");
    let body: Value = serde_json::from_slice(&ask.body)?;
    Ok(body["events"].as_array().context("no events")?.clone())
}
