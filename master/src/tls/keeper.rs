//! Keeps the certificate: reads it at the start (or makes one), looks at its files again on a reload, which may name
//! others, when an authority has given a new one, and from time to time, and publishes each good one. A bad one is said in
//! the log, once, and the old one goes on.

use std::sync::Arc;

use drftpd_actors::{Blocking, Clock, Dice};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tracing::{error, info, warn};

use super::identity::{Contents, Files, Identity, IdentityError};
use super::own::{self, OwnError};
use super::{Certificates, Current, Tls};
use crate::config::MasterConfig;

/// A certificate that ends so soon is worth a word at the start and when it is read.
const SOON: i64 = 14 * 24 * 3600;

/// Why there is no certificate to begin with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CannotSecure {
    /// The files of the configuration, or those made before.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// None could be made.
    #[error(transparent)]
    Own(#[from] OwnError),
}

/// The certificate that counts, and the task that follows its files as long as this lives.
pub struct Keeper {
    /// For sessions.
    pub tls: Tls,
    /// For the links of slaves.
    pub certificates: Certificates,
    /// Makes it look at once.
    pub look: Look,
    task: JoinHandle<()>,
}

/// Makes a keeper look at its files at once.
#[derive(Debug, Clone, Default)]
pub struct Look(Arc<Notify>);

impl Look {
    /// There is something new.
    pub fn now(&self) {
        self.0.notify_one();
    }
}

impl Keeper {
    /// Reads the certificate or makes one, on this thread, and follows its files from now on. A configuration that is
    /// read again counts, and the files are looked at once more then.
    ///
    /// # Errors
    /// When there is none that could be shown.
    pub fn start(
        mut current: Current,
        clock: &Clock,
        dice: &Dice,
        blocking: Blocking,
    ) -> Result<Self, CannotSecure> {
        let config = current.borrow_and_update().clone();
        let (files, contents, identity) = first(&config, clock, dice)?;
        say_validity(&identity, clock);
        let (to, certificates) = watch::channel(Arc::new(identity));
        let tls = Tls::new(current.clone(), certificates.clone(), dice);
        let look = Look::default();
        let following = Following {
            current,
            files,
            seen: contents,
            to,
            clock: clock.clone(),
            dice: dice.clone(),
            blocking,
        };
        let task = tokio::task::spawn_local(following.follow(look.clone()));
        Ok(Self {
            tls,
            certificates,
            look,
            task,
        })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What is shown first. A certificate of an authority that is of no use is ordered again, and nobody shall have to wait
/// for that.
fn first(
    config: &MasterConfig,
    clock: &Clock,
    dice: &Dice,
) -> Result<(Files, Contents, Identity), CannotSecure> {
    let read = |files: Files| -> Result<_, CannotSecure> {
        let contents = files.read()?;
        let identity = files.understand(&contents)?;
        Ok((files, contents, identity))
    };
    let files = prepare(config, clock, dice)?;
    let named = own::named(config);
    let is_ordered = files != named;
    read(files).or_else(|why| match is_ordered {
        true => {
            warn!(%why, "certificate of the authority is not shown");
            read(named)
        }
        false => Err(why),
    })
}

/// The files that count: those that an authority gave, those of the configuration, else the master's own, made where they
/// are missing.
///
/// # Errors
/// When they are missing and cannot be made.
pub fn prepare(config: &MasterConfig, clock: &Clock, dice: &Dice) -> Result<Files, OwnError> {
    let files = own::named(config);
    if config.tls.certificate.is_some() {
        return Ok(files);
    }
    let names = own::names(config, own::host_name());
    if own::make(&files, names.clone(), clock, dice)? {
        let file = files.certificate.display();
        info!(%file, ?names, "certificate made, signed by itself");
    }
    Ok(own::of(config))
}

fn say_validity(identity: &Identity, clock: &Clock) {
    let (fingerprint, until) = (identity.short(), &identity.until_text);
    if identity.until < clock.unix() {
        error!(fingerprint, %until, "certificate for ftp clients has expired");
    } else if identity.until < clock.unix() + SOON {
        warn!(fingerprint, %until, "certificate for ftp clients expires soon");
    }
}

/// What the files had, and where good news go.
struct Following {
    current: Current,
    files: Files,
    seen: Contents,
    to: watch::Sender<Arc<Identity>>,
    clock: Clock,
    dice: Dice,
    blocking: Blocking,
}

impl Following {
    async fn follow(mut self, look: Look) {
        let mut said = String::new();
        loop {
            let every = self.current.borrow().tls.look_every;
            tokio::select! {
                () = told(&mut self.current) => {}
                () = look.0.notified() => {}
                () = sleep(every) => {}
            }
            match self.look().await {
                Ok(true) => said.clear(),
                Ok(false) => {}
                // Once, not at every look.
                Err(why) => {
                    let cause = std::error::Error::source(&why).map(ToString::to_string);
                    let text = format!("{why} {cause:?}");
                    if text != said {
                        error!(%why, cause, "new certificate is of no use, the old one goes on");
                        said = text;
                    }
                }
            }
        }
    }

    /// Reads the files again; tells whether something new counts now.
    async fn look(&mut self) -> Result<bool, CannotSecure> {
        let config = self.current.borrow().clone();
        let (clock, dice) = (self.clock.clone(), self.dice.clone());
        let before = self.files.clone();
        let read = move || -> Result<_, CannotSecure> {
            // One that is gone is not made again: clients know it.
            let files = match own::of(&config) {
                same if same == before => same,
                _ => prepare(&config, &clock, &dice)?,
            };
            let contents = files.read()?;
            Ok((files, contents))
        };
        let Ok(read) = self.blocking.run(read).await else {
            return Ok(false); // too much to do: the next look will see it
        };
        let (files, contents) = read?;
        self.files = files;
        if contents == self.seen {
            return Ok(false);
        }
        let identity = self.files.understand(&contents)?;
        if identity.until < self.clock.unix() {
            let file = self.files.certificate.clone();
            return Err(IdentityError::Expired(file, identity.until_text).into());
        }
        let fingerprint = identity.short();
        info!(fingerprint, until = %identity.until_text, "new certificate for ftp clients");
        say_validity(&identity, &self.clock);
        self.seen = contents;
        self.to.send_replace(Arc::new(identity));
        Ok(true)
    }
}

/// Comes back when the configuration was read again; never where nobody reads it again.
async fn told(current: &mut Current) {
    if current.changed().await.is_err() {
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests;
