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

/// A keeper, and what reads the configuration again.
fn start(
    config: &MasterConfig,
    clock: &Clock,
) -> Result<(watch::Sender<Arc<MasterConfig>>, Keeper), CannotSecure> {
    let (current, reads) = watch::channel(Arc::new(config.clone()));
    let keeper = Keeper::start(reads, clock, &Dice::seeded(1), Blocking::inline())?;
    Ok((current, keeper))
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
        let (config, clock) = (config(dir.path()), Clock::system());
        let (current, keeper) = start(&config, &clock).unwrap();
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
        let clock = Clock::system();
        let start = || start(&config, &clock).unwrap().1;
        let shown = |keeper: &Keeper| keeper.certificates.borrow().fingerprint;
        let keeper = start();
        let own = shown(&keeper);
        let fresh = tempfile::tempdir().unwrap();
        let other = self::config(fresh.path());
        let made = prepare(&other, &clock, &Dice::seeded(2)).unwrap();
        let both =
            fs::read_to_string(made.key).unwrap() + &fs::read_to_string(made.certificate).unwrap();
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
        let (config, clock) = (config(dir.path()), Clock::system());
        let (_current, keeper) = start(&config, &clock).unwrap();
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
        let (mut config, clock) = (config(dir.path()), Clock::system());
        let (current, keeper) = start(&config, &clock).unwrap();
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
        let (config, clock) = (config(dir.path()), Clock::system());
        let (current, keeper) = start(&config, &clock).unwrap();
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
        let (config, clock) = (config(dir.path()), Clock::system());
        let (current, keeper) = start(&config, &clock).unwrap();
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
        let started = start(&config, &Clock::system());
        let why = started.err().unwrap().to_string();
        assert!(why.contains("none.pem cannot be read"), "{why}");
    });
}
