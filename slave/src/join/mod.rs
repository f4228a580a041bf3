//! Joining a cluster: a machine with a token becomes a slave with a certificate.
//!
//! The machine makes its own key, which never leaves it. The token proves the master (by the
//! fingerprint of its authority) and proves the machine to the master (by its secret). Whatever
//! can be found wrong before the token is used up is found then: the files that must not exist,
//! the roots that must be markable, the folder that must be writable.

mod document;
mod files;
mod pin;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use drftpd_actors::{Dice, Net};
use drftpd_protocol::SlaveId;
use drftpd_protocol::wire::{
    Envelope, FrameCodec, FrameError, Join, JoinToken, Joined, Refused, kinds,
};
use futures_util::{SinkExt, StreamExt};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use tokio::time::timeout;
use tokio_util::codec::Framed;

use crate::link::tls::{master_name, subject_name};
use crate::link::{DialError, MasterAddress, Way, connect};
use crate::storage::Roots;

pub use pin::PinError;

/// Limit of each step; an operator waits.
const LIMIT: Duration = Duration::from_secs(15);

/// What an operator says to join.
#[derive(Debug, Clone)]
pub struct JoinOrder {
    /// Where the master listens for slaves.
    pub master: MasterAddress,
    /// The token that the master printed.
    pub token: JoinToken,
    /// The storage folders.
    pub roots: Vec<PathBuf>,
    /// The configuration to write.
    pub config: PathBuf,
}

/// Why the machine did not become a slave; each in one line.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// It is a slave already, perhaps.
    #[error("{} exists already and is not overwritten", .0.display())]
    Exists(PathBuf),
    /// A folder cannot be a root.
    #[error("{} cannot be a root: {why}", path.display())]
    Root {
        /// The folder.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// A file could not be written.
    #[error("{} cannot be written", path.display())]
    Write {
        /// Which one.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A path has bytes that a configuration cannot hold.
    #[error("{} cannot be written into a configuration: it is not UTF-8", .0.display())]
    Path(PathBuf),
    /// The master was not reached.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The master did not prove itself.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// The master says no: the token is used up, expired or unknown.
    #[error("the master refuses: {0}")]
    Refused(String),
    /// The master said something that makes no sense.
    #[error("the master's answer cannot be used: {0}")]
    Answer(&'static str),
    /// The key or the request could not be made.
    #[error("the key could not be made: {0}")]
    Key(#[from] rcgen::Error),
}

impl JoinError {
    /// Whether it lies in what the operator typed, and not in what happened.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            JoinError::Exists(_) | JoinError::Root { .. } | JoinError::Path(_)
        )
    }
}

impl From<FrameError> for JoinError {
    fn from(error: FrameError) -> Self {
        JoinError::Dial(error.into())
    }
}

/// Makes this machine a slave and writes its configuration. Gives the name that the token was
/// made for. Blocks for the few files it writes: for a command, not for a service.
///
/// # Errors
/// [`JoinError`]. Before the master was asked, nothing but identity files of roots was written, and the folder of the
/// configuration made.
pub async fn join(order: &JoinOrder, net: Arc<dyn Net>, dice: &Dice) -> Result<SlaveId, JoinError> {
    let files = files::Files::beside(&order.config);
    files.check()?;
    order.roots.iter().try_for_each(|root| is_there(root))?;
    files.make_folder()?;
    let roots = order.roots.iter().map(|root| mark(root, dice));
    let roots = roots.collect::<Result<Vec<_>, _>>()?;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let held = files.hold_key(&key.serialize_pem())?;
    let request = CertificateParams::default().serialize_request(&key)?;
    let joined = ask(order, net, request.der().to_vec()).await?;
    let proof = check(&joined, &order.token, &key)?;
    let text = document::fill(&joined.name, &order.master, &files, &roots)?;
    held.keep()?;
    files.write(&proof, &text)?;
    Ok(joined.name)
}

/// A folder that is not there is a slip of the pen, or a disk that is not mounted.
fn is_there(root: &Path) -> Result<(), JoinError> {
    let wrong = |why: &str| JoinError::Root {
        path: root.to_owned(),
        why: why.to_owned(),
    };
    match root.metadata() {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(wrong("it is no folder")),
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => Err(wrong(
            "there is no such folder; make it, or mount its disk, first",
        )),
        Err(why) => Err(wrong(&why.to_string())),
    }
}

/// Marks a folder as a root and gives its absolute path.
fn mark(root: &Path, dice: &Dice) -> Result<PathBuf, JoinError> {
    let wrong = |why: String| JoinError::Root {
        path: root.to_owned(),
        why,
    };
    Roots::create(root, dice).map_err(|error| wrong(error.to_string()))?;
    root.canonicalize()
        .map_err(|error| wrong(error.to_string()))
}

/// Dials the master without a certificate, proves it by the token, and asks.
async fn ask(order: &JoinOrder, net: Arc<dyn Net>, request: Vec<u8>) -> Result<Joined, JoinError> {
    let way = Way {
        net: Arc::clone(&net),
        address: order.master.clone(),
        tls: None,
        limit: LIMIT,
    };
    let mut io = connect(&way).await?;
    if net.proves_peers() {
        let config = pin::client_config(order.token.authority)?;
        let proved = timeout(LIMIT, net.dial_tls(io, config, master_name())).await;
        let proved = proved.map_err(|_| DialError::TooSlow("the TLS handshake", LIMIT))?;
        io = proved.map_err(pin::explain)?.io;
    }
    let join = Join {
        secret: order.token.secret.to_vec(),
        request,
        build: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let mut frames = Framed::new(io, FrameCodec);
    let asked = async {
        frames.send(Envelope::new(0, kinds::JOIN, &join)?).await?;
        let answer = frames.next().await.ok_or(DialError::HungUp)?;
        answer.map_err(DialError::from)
    };
    let answer = timeout(LIMIT, asked).await;
    let answer = answer.map_err(|_| DialError::TooSlow("the master's answer", LIMIT))??;
    match answer.kind {
        kinds::JOINED => Ok(answer.open()?),
        kinds::REFUSED => Err(JoinError::Refused(answer.open::<Refused>()?.why)),
        kind => Err(DialError::Strange(kind).into()),
    }
}

/// The master's answer must fit the token and the key, else the slave would fail at its first start.
fn check(joined: &Joined, token: &JoinToken, key: &KeyPair) -> Result<files::Proof, JoinError> {
    if pin::fingerprint(&joined.authority) != token.authority {
        return Err(JoinError::Answer("its authority is not the token's"));
    }
    let certificate = joined.certificate.clone().into();
    if subject_name(&certificate).as_ref() != Some(&joined.name) {
        return Err(JoinError::Answer(
            "the certificate is made for another name",
        ));
    }
    if !pin::fits(&certificate, key) {
        return Err(JoinError::Answer(
            "the certificate is not for this machine's key",
        ));
    }
    Ok(files::Proof {
        certificate,
        authority: joined.authority.clone().into(),
    })
}

#[cfg(test)]
mod tests;
