//! Tokens are good once, in time, and for nobody who was removed.

use rcgen::{CertificateParams, KeyPair};

use super::*;
use crate::store::{Case, StoreConfig};

struct Rig {
    enroll: Enroll,
    clock: Clock,
    dir: tempfile::TempDir,
}

fn open(dir: &tempfile::TempDir, clock: &Clock, authority: &Arc<Authority>) -> Enroll {
    let (dice, config) = (Dice::seeded(1), StoreConfig::default());
    let store = Store::inline(dir.path(), &config, Case::default(), clock, &dice).unwrap();
    let lifetime = Duration::from_secs(3600);
    Enroll::new(
        store,
        Arc::clone(authority),
        clock.clone(),
        Dice::system(),
        lifetime,
    )
}

fn rig() -> Rig {
    let clock = Clock::manual(1_800_000_000);
    let authority = Authority::in_memory(clock.clone(), Dice::seeded(1)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let enroll = open(&dir, &clock, &Arc::new(authority));
    Rig { enroll, clock, dir }
}

fn name(name: &str) -> SlaveId {
    SlaveId::new(name).unwrap()
}

fn join_with(token: &JoinToken) -> Join {
    let key = KeyPair::generate().unwrap();
    let request = CertificateParams::default().serialize_request(&key);
    Join {
        secret: token.secret.to_vec(),
        request: request.unwrap().der().to_vec(),
        build: "test".to_owned(),
    }
}

#[tokio::test]
async fn a_token_makes_one_machine_a_slave() {
    let rig = rig();
    let enroll = &rig.enroll;
    let token = enroll.add(&name("a"), false).await.unwrap();
    assert_eq!(token.authority, enroll.authority().fingerprint());
    let joined = enroll.join(&join_with(&token)).await.unwrap();
    assert_eq!(joined.name, name("a"));
    let certificate = CertificateDer::from(joined.certificate);
    assert!(enroll.check(&name("a"), Some(&certificate), true).is_ok());
    let again = enroll.join(&join_with(&token)).await;
    assert!(matches!(again, Err(EnrollError::BadToken)));
}

#[tokio::test]
async fn a_token_ends_with_its_lifetime_and_survives_a_restart_before() {
    let Rig { enroll, clock, dir } = rig();
    let token = enroll.add(&name("a"), false).await.unwrap();
    let late = enroll.add(&name("b"), false).await.unwrap();
    let authority = Arc::clone(enroll.authority());
    drop(enroll);
    let enroll = open(&dir, &clock, &authority);
    clock.advance(Duration::from_secs(3599));
    assert!(enroll.join(&join_with(&token)).await.is_ok());
    clock.advance(Duration::from_secs(1));
    let expired = enroll.join(&join_with(&late)).await;
    assert!(matches!(expired, Err(EnrollError::BadToken)));
}

#[tokio::test]
async fn a_name_in_use_gets_another_token_only_when_asked_and_then_the_older_one_is_void() {
    let rig = rig();
    let enroll = &rig.enroll;
    let first = enroll.add(&name("a"), false).await.unwrap();
    let refused = enroll.add(&name("a"), false).await;
    assert!(matches!(refused, Err(EnrollError::Exists(_))));
    let second = enroll.add(&name("a"), true).await.unwrap();
    assert!(enroll.join(&join_with(&first)).await.is_err());
    let joined = enroll.join(&join_with(&second)).await.unwrap();

    let third = enroll.add(&name("a"), true).await.unwrap();
    let old = CertificateDer::from(joined.certificate);
    assert!(enroll.check(&name("a"), Some(&old), true).is_ok());
    enroll.join(&join_with(&third)).await.unwrap();
    let checked = enroll.check(&name("a"), Some(&old), true);
    assert!(matches!(checked, Err(EnrollError::OldCertificate(_))));
}

#[tokio::test]
async fn a_removed_slave_is_refused_with_certificate_and_with_token() {
    let rig = rig();
    let enroll = &rig.enroll;
    let token = enroll.add(&name("a"), false).await.unwrap();
    let joined = enroll.join(&join_with(&token)).await.unwrap();
    let unused = enroll.add(&name("a"), true).await.unwrap();
    enroll.remove(&name("a")).await.unwrap();
    let certificate = CertificateDer::from(joined.certificate);
    let checked = enroll.check(&name("a"), Some(&certificate), true);
    assert!(matches!(checked, Err(EnrollError::NotOurs(_))));
    assert!(enroll.join(&join_with(&unused)).await.is_err());
    let twice = enroll.remove(&name("a")).await;
    assert!(matches!(twice, Err(EnrollError::Unknown(_))));
    assert!(enroll.list().unwrap()[0].revoked.is_some());

    enroll.add(&name("a"), false).await.unwrap();
    let checked = enroll.check(&name("a"), Some(&certificate), true);
    assert!(matches!(checked, Err(EnrollError::OldCertificate(_))));
}

#[tokio::test]
async fn the_name_comes_from_the_list_and_not_from_who_asks() {
    let rig = rig();
    let enroll = &rig.enroll;
    for slave in ["a", "b"] {
        enroll.add(&name(slave), false).await.unwrap();
    }
    let token = enroll.add(&name("a"), true).await.unwrap();
    let joined = enroll.join(&join_with(&token)).await.unwrap();
    let of_a = CertificateDer::from(joined.certificate);
    assert!(enroll.check(&name("b"), Some(&of_a), true).is_err());
    assert!(enroll.check(&name("a"), None, true).is_err());
}
