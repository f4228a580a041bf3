//! `Transfers`: what the link asks about data channels. A handle; clones reach the same registry.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix::Addr;
use drftpd_actors::{AskError, Budget, ChildSpec, Place, ask, supervise, tell};
use drftpd_protocol::ids::{FileId, TransferId};
use drftpd_protocol::wire::{
    AbortTransfer, BeginTransfer, Begun, DataOpened, Fault, FaultCode, FtpCertificate, Job,
    OpenData, SetRate, TransferEnded,
};
use tokio::time::Instant;

use super::config::TransferConfig;
use super::env::Deps;
use super::messages::{
    AbortChannel, BeginJob, BookJob, Booking, ChangeRate, Configure, EndStored, EnterChannel,
    FindChannel, ListChannels, ListEnds, ListFiles, StartChannel, StopRegistry,
};
use super::meter::{Load, Speeds, Totals};
use super::registry::TransferRegistry;
use super::tls::Certificate;

/// How long answers from memory may take, and listening on a port.
const LIMIT: Duration = Duration::from_secs(10);
/// How long opening a file may take, waiting for the root's log included.
const BEGIN_LIMIT: Duration = Duration::from_secs(300);
/// Questions that wait for the registry.
const MAILBOX: usize = 1024;

/// All data channels of this slave.
#[derive(Clone)]
pub struct Transfers {
    registry: Addr<TransferRegistry>,
    totals: Arc<Totals>,
    speeds: Arc<Mutex<Speeds>>,
    certificate: Certificate,
}

impl Transfers {
    /// Starts the registry here (inside a `LocalSet`); channels run at `deps.place`.
    pub fn start(deps: Deps) -> Self {
        let parent = deps.parent.clone();
        let spec = ChildSpec::new("transfers", MAILBOX, Budget::CORE, parent);
        let totals = Arc::new(Totals::default());
        let speeds = Speeds::new(&totals, Instant::now());
        let counted = Arc::clone(&totals);
        let certificate = Certificate::default();
        let shown = certificate.clone();
        let make = move || TransferRegistry::new(deps, counted, shown);
        Transfers {
            registry: supervise(&Place::here(), spec, make),
            totals,
            speeds: Arc::new(Mutex::new(speeds)),
            certificate,
        }
    }

    /// Takes the certificate that FTP clients see, for handshakes that begin from now on.
    ///
    /// # Errors
    /// `BAD_REQUEST` for one that cannot be used.
    pub fn set_certificate(&self, given: FtpCertificate) -> Result<(), Fault> {
        self.certificate.set(given)
    }

    /// Opens a data channel. A listening one waits for its client from now on.
    ///
    /// # Errors
    /// `BUSY`, `NO_PORT`, `PEER_REFUSED`, `BAD_REQUEST` for a number that is in use.
    pub async fn open(&self, open: OpenData) -> Result<DataOpened, Fault> {
        let entered = ask(&self.registry, EnterChannel { open }, LIMIT).await;
        let channel = entered.map_err(|error| failed(&error))??;
        let started = ask(&channel, StartChannel, LIMIT).await;
        started.map_err(|error| failed(&error))?
    }

    /// Begins a channel's transfer. Answered when the file is open; its end comes as a notice.
    ///
    /// # Errors
    /// `NO_SUCH_TRANSFER`, storage's faults, `BUSY`. When its file cannot be opened the channel is
    /// gone.
    pub async fn begin(&self, begin: BeginTransfer) -> Result<Begun, Fault> {
        let transfer = begin.transfer;
        let (file, receives) = match &begin.job {
            Job::Send(job) => ((job.root, job.file), false),
            Job::Receive(job) => ((job.root, job.file), true),
        };
        let book = BookJob {
            transfer,
            file,
            receives,
        };
        let booked = ask(&self.registry, book, LIMIT).await;
        let Booking { channel, growth } = booked.map_err(|error| failed(&error))??;
        match ask(&channel, BeginJob { begin, growth }, BEGIN_LIMIT).await {
            Ok(begun) => begun,
            Err(AskError::Gone) => {
                let text = format!("channel {transfer} went away");
                Err(Fault::new(FaultCode::NO_SUCH_TRANSFER, text))
            }
            Err(error) => Err(failed(&error)),
        }
    }

    /// Ends a transfer at once, or closes a channel that has none. Its end comes as a notice if it
    /// had begun. A channel that is not there is no fault.
    ///
    /// # Errors
    /// `FAILED` when this slave does not answer itself.
    pub async fn abort(&self, abort: AbortTransfer) -> Result<(), Fault> {
        let transfer = abort.transfer;
        let found = ask(&self.registry, FindChannel { transfer }, LIMIT).await;
        let Some(channel) = found.map_err(|error| failed(&error))? else {
            return Ok(());
        };
        match ask(&channel, AbortChannel, LIMIT).await {
            Ok(()) | Err(AskError::Gone) => Ok(()),
            Err(error) => Err(failed(&error)),
        }
    }

    /// Gives a transfer another speed. A channel that is not there is no fault.
    ///
    /// # Errors
    /// `FAILED` when this slave does not answer itself.
    pub async fn set_rate(&self, set: SetRate) -> Result<(), Fault> {
        let transfer = set.transfer;
        let found = ask(&self.registry, FindChannel { transfer }, LIMIT).await;
        if let Some(channel) = found.map_err(|error| failed(&error))? {
            tell(&channel, ChangeRate(set.max_rate));
        }
        Ok(())
    }

    /// The master has stored a transfer's end: it may be forgotten.
    pub fn ended_seen(&self, transfer: TransferId) {
        tell(&self.registry, EndStored { transfer });
    }

    /// Ends that the master has not acknowledged, oldest first: told again on every new link.
    pub async fn unacknowledged(&self) -> Vec<TransferEnded> {
        let ends = ask(&self.registry, ListEnds, LIMIT).await;
        ends.unwrap_or_default()
    }

    /// Channels that are open, and those whose end the master has not acknowledged: what a hello
    /// says.
    pub async fn running(&self) -> Vec<TransferId> {
        let channels = ask(&self.registry, ListChannels, LIMIT).await;
        channels.unwrap_or_default()
    }

    /// Files that are being received; a walk leaves them out of what lies in staging.
    pub async fn running_files(&self) -> BTreeSet<FileId> {
        let files = ask(&self.registry, ListFiles, LIMIT).await;
        files.unwrap_or_default().into_iter().collect()
    }

    /// Takes another `[transfer]`: for channels that are opened from now on.
    pub fn reconfigure(&self, config: TransferConfig) {
        tell(&self.registry, Configure(config));
    }

    /// Ends the registry, once no channel is needed any more.
    pub fn stop(&self) {
        tell(&self.registry, StopRegistry);
    }

    /// How many channels there are, and how fast bytes came in and went out since this was last
    /// asked.
    pub fn load(&self) -> Load {
        let mut speeds = self.speeds.lock().unwrap_or_else(PoisonError::into_inner);
        speeds.look(&self.totals, Instant::now())
    }
}

#[cfg(test)]
impl Transfers {
    /// The registry panics at its next message, which is this one.
    pub fn panic_on_purpose(&self) {
        tell(&self.registry, super::messages::PanicOnPurpose);
    }
}

fn failed(error: &AskError) -> Fault {
    Fault::new(FaultCode::FAILED, format!("transfers: {error}"))
}
