//! The first words on a link: hello and welcome, or a machine that joins the cluster.

use serde::{Deserialize, Serialize};

use super::notices::RootStatus;
use crate::ids::{Epoch, SlaveId, StoreId, TransferId};

/// A slave's first message. Its name must be the one in its certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Oldest revision it speaks.
    pub oldest: u16,
    /// Newest revision it speaks.
    pub newest: u16,
    /// Optional abilities, for those a revision number is too coarse for.
    #[serde(default)]
    pub features: Vec<String>,
    /// Its name.
    pub name: SlaveId,
    /// Its version, for the log.
    pub build: String,
    /// The highest epoch it ever saw, with that store; `None` for a new slave.
    #[serde(default)]
    pub seen: Option<(Epoch, StoreId)>,
    /// Its roots as they are now.
    pub roots: Vec<RootStatus>,
    /// Transfers that still run, or whose end the master has not yet acknowledged.
    #[serde(default)]
    pub transfers: Vec<TransferId>,
}

/// The master's answer to a [`Hello`] it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The revision that both use from here on.
    pub revision: u16,
    /// The master's epoch; a slave that saw a higher one parts.
    pub epoch: Epoch,
    /// The master's store.
    pub store: StoreId,
    /// How often the slave must be heard, in milliseconds.
    pub heartbeat_ms: u64,
    /// The master's version, for the log.
    pub build: String,
}

/// The master's answer to a [`Hello`] or a [`Join`] that it does not take. The link ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// For the slave's operator.
    pub why: String,
    /// Whether trying again later may help.
    pub retry: bool,
}

/// A machine asks to become a slave. It has no certificate yet, but proves the master by the
/// fingerprint in its token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join {
    /// The secret half of the token.
    #[serde(with = "serde_bytes")]
    pub secret: Vec<u8>,
    /// Certificate signing request (PKCS #10, DER) over the key that the slave keeps.
    #[serde(with = "serde_bytes")]
    pub request: Vec<u8>,
    /// Its version, for the log.
    pub build: String,
}

impl std::fmt::Debug for Join {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Join")
            .field("build", &self.build)
            .finish_non_exhaustive()
    }
}

/// The machine is a slave now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joined {
    /// The name that the token was made for.
    pub name: SlaveId,
    /// Its certificate (DER).
    #[serde(with = "serde_bytes")]
    pub certificate: Vec<u8>,
    /// The cluster's authority (DER).
    #[serde(with = "serde_bytes")]
    pub authority: Vec<u8>,
}
