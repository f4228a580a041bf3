//! What the authority signs is what TLS accepts, and nothing else is.

use rcgen::SanType;
use rustls::pki_types::UnixTime;
use rustls::server::danger::ClientCertVerifier;

use super::*;

fn now() -> (Clock, Dice) {
    (Clock::manual(1_800_000_000), Dice::seeded(1))
}

fn memory() -> Authority {
    let (clock, dice) = now();
    Authority::in_memory(clock, dice).unwrap()
}

fn request(common_name: &str) -> (KeyPair, Vec<u8>) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    params.distinguished_name = name;
    params.subject_alt_names = vec![SanType::DnsName(MASTER_NAME.try_into().unwrap())];
    let request = params.serialize_request(&key).unwrap();
    (key, request.der().to_vec())
}

fn verifier(of: &Authority) -> Arc<dyn ClientCertVerifier> {
    let mut roots = RootCertStore::empty();
    roots.add(of.certificate().clone()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .unwrap()
}

fn accepted(by: &Authority, certificate: &CertificateDer<'_>, at: u64) -> bool {
    let at = UnixTime::since_unix_epoch(Duration::from_secs(at));
    verifier(by)
        .verify_client_cert(certificate, &[], at)
        .is_ok()
}

#[test]
fn the_authority_is_the_same_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("authority");
    let open = || {
        let (clock, dice) = now();
        Authority::open(&folder, clock, dice)
    };
    let first = open().unwrap();
    let (_, request) = request("x");
    let name = SlaveId::new("one").unwrap();
    let issued = first.issue(&name, &request).unwrap();
    let again = open().unwrap();
    assert_eq!(first.fingerprint(), again.fingerprint());
    assert!(accepted(&again, &issued, 1_800_000_000));
}

#[test]
fn an_authority_without_its_key_or_with_a_foreign_one_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let open = |folder: &str| {
        let (clock, dice) = now();
        Authority::open(&dir.path().join(folder), clock, dice)
    };
    open("a").unwrap();
    open("b").unwrap();
    let key = |folder: &str| dir.path().join(folder).join(KEY_FILE);
    std::fs::copy(key("b"), key("a")).unwrap();
    assert!(open("a").is_err(), "the key of another authority");
    std::fs::remove_file(key("a")).unwrap();
    assert!(matches!(open("a"), Err(AuthorityError::KeyMissing(_))));
}

#[test]
fn a_certificate_is_accepted_by_clocks_that_are_some_minutes_off() {
    let authority = memory();
    let (_, request) = request("x");
    let name = SlaveId::new("one").unwrap();
    let issued = authority.issue(&name, &request).unwrap();
    for off in [-3_000_i64, 0, 3_000] {
        let at = 1_800_000_000_u64.saturating_add_signed(off);
        assert!(accepted(&authority, &issued, at), "{off}");
    }
    assert!(!accepted(&authority, &issued, 1_800_000_000 - 4_000));
}

#[test]
fn a_certificate_has_the_name_of_the_token_and_is_no_masters() {
    let authority = memory();
    let (_, request) = request("root");
    let name = SlaveId::new("disk-7").unwrap();
    let issued = authority.issue(&name, &request).unwrap();
    let text = String::from_utf8_lossy(&issued).into_owned();
    assert!(text.contains("disk-7.slave.drftpd.internal"));
    assert!(!text.contains("root") && !text.contains(MASTER_NAME));
}

#[test]
fn a_certificate_of_another_authority_is_not_accepted() {
    let (ours, theirs) = (memory(), memory());
    let (_, request) = request("x");
    let name = SlaveId::new("one").unwrap();
    let issued = theirs.issue(&name, &request).unwrap();
    assert!(accepted(&theirs, &issued, 1_800_000_000));
    assert!(!accepted(&ours, &issued, 1_800_000_000));
}

#[test]
fn a_request_that_was_changed_after_it_was_signed_is_refused() {
    let (_, mut request) = request("x");
    let last = request.len() - 1;
    request[last] ^= 1;
    let name = SlaveId::new("one").unwrap();
    let issued = memory().issue(&name, &request);
    assert!(matches!(issued, Err(AuthorityError::BadRequest(_))));
    assert!(memory().issue(&name, b"no request").is_err());
}
