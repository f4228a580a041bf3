//! What the authority knows: nonces, accounts, orders.

use std::collections::BTreeSet;
use std::time::Duration;

use super::jws::Key;
use super::{Script, Seen};

/// One name of an order.
pub(super) struct Proof {
    pub name: String,
    pub is_address: bool,
    pub token: String,
    /// `pending`, `processing`, `valid` or `invalid`.
    pub status: &'static str,
}

/// An order.
pub(super) struct Placed {
    pub account: usize,
    pub proofs: Vec<Proof>,
    pub replaces: Option<String>,
    /// Given when the order is looked at once more.
    pub certificate: Option<String>,
    pub looked_at: bool,
}

/// Everything.
pub(super) struct Book {
    pub script: Script,
    pub seen: Vec<Seen>,
    pub accounts: Vec<Key>,
    pub orders: Vec<Placed>,
    /// Fingerprints of the certificates, in order.
    pub given: Vec<String>,
    nonces: BTreeSet<String>,
    counter: u64,
}

impl Book {
    pub fn new(script: Script) -> Self {
        Self {
            script,
            seen: Vec::new(),
            accounts: Vec::new(),
            orders: Vec::new(),
            given: Vec::new(),
            nonces: BTreeSet::new(),
            counter: 0,
        }
    }

    /// A word that was never used.
    pub fn word(&mut self, kind: &str) -> String {
        self.counter += 1;
        format!("{kind}-{}", self.counter)
    }

    pub fn nonce(&mut self) -> String {
        let nonce = self.word("nonce");
        self.nonces.insert(nonce.clone());
        nonce
    }

    /// Whether a nonce was given and not used yet; badNonce where the script says so.
    pub fn spend(&mut self, nonce: &str) -> bool {
        let good = self.nonces.remove(nonce);
        if good && self.script.bad_nonces > 0 {
            self.script.bad_nonces -= 1;
            return false;
        }
        good
    }

    /// How long the next certificate is valid, before and after now.
    pub fn life(&mut self) -> (Duration, Duration) {
        let usual = (Duration::from_secs(3600), Duration::from_secs(90 * 86_400));
        self.script.lives.pop_front().unwrap_or(usual)
    }
}

impl Placed {
    pub fn status(&self) -> &'static str {
        let all = |status| self.proofs.iter().all(|proof| proof.status == status);
        if self.proofs.iter().any(|proof| proof.status == "invalid") {
            return "invalid";
        }
        match (all("valid"), &self.certificate, self.looked_at) {
            (true, Some(_), true) => "valid",
            (true, Some(_), false) => "processing",
            (true, None, _) => "ready",
            _ => "pending",
        }
    }
}
