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
mod tests {
    use super::*;
    use crate::tls::Policy;
    use drftpd_actors::testkit::{settle, sim};
    use std::fs;
    use std::path::Path;
    use std::time::Duration;

    fn config(dir: &Path) -> MasterConfig {
        let mut config = MasterConfig::default();
        config.master.dir = dir.to_owned();
        config
    }

    /// Another pair of files, as an operator would put them in place: the key first.
    fn replace(config: &MasterConfig, clock: &Clock, seed: u64) {
        let fresh = tempfile::tempdir().unwrap();
        let made = prepare(&self::config(fresh.path()), clock, &Dice::seeded(seed)).unwrap();
        let files = own::of(config);
        fs::copy(made.key, files.key).unwrap();
        fs::copy(made.certificate, files.certificate).unwrap();
    }

    #[test]
    fn a_new_certificate_counts_after_a_reload_and_a_bad_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        sim(async {
            let (config, clock, dice) = (config(dir.path()), Clock::system(), Dice::seeded(1));
            let (current, reads) = watch::channel(Arc::new(config.clone()));
            let keeper = Keeper::start(reads, &clock, &dice, Blocking::inline()).unwrap();
            let shown = || keeper.certificates.borrow().fingerprint;
            let first = shown();

            let files = own::files(&config);
            fs::write(&files.certificate, "no certificate").unwrap();
            current.send_modify(|_| {});
            settle().await;
            assert_eq!(shown(), first, "a bad one counts");

            replace(&config, &clock, 2);
            current.send_modify(|_| {});
            settle().await;
            let second = shown();
            assert_ne!(second, first);

            // Half of a change: the key is of another certificate.
            let certificate = fs::read(&files.certificate).unwrap();
            replace(&config, &clock, 3);
            fs::write(&files.certificate, certificate).unwrap();
            current.send_modify(|_| {});
            settle().await;
            assert_eq!(shown(), second);
        });
    }

    #[test]
    fn what_an_authority_gave_counts_at_once_and_a_bad_one_keeps_nobody_out() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config(dir.path());
        config.tls.acme = Some(crate::acme::AcmeConfig::default());
        sim(async {
            let (clock, dice) = (Clock::system(), Dice::seeded(1));
            let start = || {
                let reads = watch::channel(Arc::new(config.clone())).1;
                Keeper::start(reads, &clock, &dice, Blocking::inline()).unwrap()
            };
            let shown = |keeper: &Keeper| keeper.certificates.borrow().fingerprint;
            let keeper = start();
            let own = shown(&keeper);
            let fresh = tempfile::tempdir().unwrap();
            let other = self::config(fresh.path());
            let made = prepare(&other, &clock, &Dice::seeded(2)).unwrap();
            let both = fs::read_to_string(made.key).unwrap()
                + &fs::read_to_string(made.certificate).unwrap();
            let file = own::ordered(&config).unwrap().certificate;
            crate::slaves::secret_file::write(&file, both.as_bytes()).unwrap();
            keeper.look.now();
            settle().await;
            let given = shown(&keeper);
            assert_ne!(given, own);
            assert_eq!(shown(&start()), given, "after a restart");
            fs::write(&file, "half of it").unwrap();
            assert_eq!(shown(&start()), own);
        });
    }

    #[test]
    fn a_change_of_the_files_is_seen_without_a_word() {
        let dir = tempfile::tempdir().unwrap();
        sim(async {
            let (config, clock, dice) = (config(dir.path()), Clock::system(), Dice::seeded(1));
            let (_, reads) = watch::channel(Arc::new(config.clone()));
            let keeper = Keeper::start(reads, &clock, &dice, Blocking::inline()).unwrap();
            let mut certificates = keeper.certificates.clone();
            certificates.mark_unchanged();
            replace(&config, &clock, 2);
            let begun = tokio::time::Instant::now();
            certificates.changed().await.unwrap();
            assert_eq!(begun.elapsed(), config.tls.look_every);
        });
    }

    #[test]
    fn a_reload_may_name_other_files_and_rules_and_what_is_of_no_use_changes_no_certificate() {
        let (dir, others) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        sim(async {
            let (mut config, clock, dice) = (config(dir.path()), Clock::system(), Dice::seeded(1));
            let (current, reads) = watch::channel(Arc::new(config.clone()));
            let keeper = Keeper::start(reads, &clock, &dice, Blocking::inline()).unwrap();
            let shown = || keeper.certificates.borrow().fingerprint;
            let first = shown();
            let client = [192, 0, 2, 1].into();
            assert_eq!(keeper.tls.possible(client)[0].login, Policy::Allowed);

            config.tls.certificate = Some(others.path().join("certificate.pem"));
            config.tls.key = Some(others.path().join("key.pem"));
            config.tls.login = Policy::Required;
            config.tls.handshake_timeout = Duration::from_secs(3);
            current.send_replace(Arc::new(config.clone()));
            settle().await;
            assert_eq!(shown(), first, "there is nothing yet");
            assert_eq!(keeper.tls.possible(client)[0].login, Policy::Required);
            assert_eq!(keeper.tls.handshake_timeout().as_secs(), 3);

            replace(&config, &clock, 2);
            settle().await;
            tokio::time::sleep(config.tls.look_every).await;
            settle().await;
            let second = shown();
            assert_ne!(second, first);

            config.tls.certificate = None;
            config.tls.key = None;
            current.send_replace(Arc::new(config));
            settle().await;
            assert_eq!(shown(), first, "the master's own again");
        });
    }

    #[test]
    fn one_of_its_own_that_is_gone_is_not_made_anew_while_clients_know_it() {
        let dir = tempfile::tempdir().unwrap();
        sim(async {
            let (config, clock, dice) = (config(dir.path()), Clock::system(), Dice::seeded(1));
            let (current, reads) = watch::channel(Arc::new(config.clone()));
            let keeper = Keeper::start(reads, &clock, &dice, Blocking::inline()).unwrap();
            let first = keeper.certificates.borrow().fingerprint;
            let files = own::files(&config);
            fs::remove_file(&files.certificate).unwrap();
            fs::remove_file(&files.key).unwrap();
            current.send_modify(|_| {});
            settle().await;
            assert_eq!(keeper.certificates.borrow().fingerprint, first);
            assert!(!files.certificate.exists());
        });
    }

    #[test]
    fn a_certificate_that_is_over_is_not_taken_in_place_of_a_good_one() {
        let dir = tempfile::tempdir().unwrap();
        sim(async {
            let (config, clock, dice) = (config(dir.path()), Clock::system(), Dice::seeded(1));
            let (current, reads) = watch::channel(Arc::new(config.clone()));
            let keeper = Keeper::start(reads, &clock, &dice, Blocking::inline()).unwrap();
            let first = keeper.certificates.borrow().fingerprint;
            replace(&config, &Clock::manual(1_000_000_000), 2);
            current.send_modify(|_| {});
            settle().await;
            assert_eq!(keeper.certificates.borrow().fingerprint, first);
        });
    }

    #[test]
    fn a_named_certificate_that_is_not_there_ends_the_start() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config(dir.path());
        config.tls.certificate = Some(dir.path().join("none.pem"));
        config.tls.key = Some(dir.path().join("none.key"));
        sim(async {
            let (clock, dice) = (Clock::system(), Dice::seeded(1));
            let (_, reads) = watch::channel(Arc::new(config));
            let started = Keeper::start(reads, &clock, &dice, Blocking::inline());
            let why = started.err().unwrap().to_string();
            assert!(why.contains("none.pem cannot be read"), "{why}");
        });
    }
}
