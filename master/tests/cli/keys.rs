//! Certificates and keys as other programs make them. Here, where every test has its processes: a program that is being
//! started holds for a moment what is open in its parent, locks of roots and stores among it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use drftpd_actors::tls::{DATA_PROTOCOLS, FtpServer};
use drftpd_master::tls::identity::{Files, IdentityError};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};

/// A certificate for each form of key, made by somebody else's program.
fn made(dir: &Path, key: &[&str], text: &str) -> Files {
    let files = Files {
        certificate: dir.join(format!("{text}.crt")),
        key: dir.join(format!("{text}.key")),
    };
    let openssl = |args: &[&str]| {
        let mut command = std::process::Command::new("openssl");
        let output = command.args(args).current_dir(dir).output().unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
    };
    let name = format!("{text}.key");
    openssl(&[key, &["-out", &name]].concat());
    let certificate = format!("{text}.crt");
    openssl(&[
        "req",
        "-x509",
        "-new",
        "-key",
        &name,
        "-subj",
        "/CN=ftp",
        "-days",
        "2",
        "-out",
        &certificate,
    ]);
    fs::set_permissions(&files.key, fs::Permissions::from_mode(0o640)).unwrap();
    files
}

#[test]
fn every_usual_form_of_a_key_is_taken_and_handed_on_as_pkcs8() {
    let dir = tempfile::tempdir().unwrap();
    for (text, key, header) in [
        (
            "pkcs1",
            &["genrsa", "-traditional"][..],
            "BEGIN RSA PRIVATE KEY",
        ),
        ("rsa", &["genrsa"][..], "BEGIN PRIVATE KEY"),
        (
            "sec1",
            &["ecparam", "-genkey", "-noout", "-name", "secp384r1"][..],
            "BEGIN EC PRIVATE KEY",
        ),
        (
            "ed25519",
            &["genpkey", "-algorithm", "ed25519"][..],
            "BEGIN PRIVATE KEY",
        ),
    ] {
        let files = made(dir.path(), key, text);
        let pem = fs::read_to_string(&files.key).unwrap();
        assert!(pem.contains(header), "{text}");
        let identity = files.understand(&files.read().unwrap()).unwrap();
        let handed = PrivatePkcs8KeyDer::from(identity.wire.key.0.clone());
        let chain = vec![CertificateDer::from(identity.wire.chain[0].0.clone())];
        let server = FtpServer::new(chain, handed.into(), DATA_PROTOCOLS);
        assert!(server.is_ok(), "{text}");
    }
}

#[test]
fn a_key_of_another_certificate_is_found_out() {
    let dir = tempfile::tempdir().unwrap();
    let one = made(dir.path(), &["genpkey", "-algorithm", "ed25519"], "one");
    let other = made(dir.path(), &["genpkey", "-algorithm", "ed25519"], "other");
    let mixed = Files {
        certificate: one.certificate,
        key: other.key,
    };
    let why = mixed.understand(&mixed.read().unwrap()).unwrap_err();
    assert!(matches!(why, IdentityError::Tls(..)), "{why}");
}

#[test]
fn what_is_no_certificate_or_no_secret_is_named_by_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let files = made(dir.path(), &["genpkey", "-algorithm", "ed25519"], "x");
    let swapped = Files {
        certificate: files.key.clone(),
        key: files.key.clone(),
    };
    let why = swapped.understand(&swapped.read().unwrap()).unwrap_err();
    assert!(
        why.to_string().contains("x.key has no certificate"),
        "{why}"
    );
    let half = Files {
        key: files.certificate.clone(),
        ..files.clone()
    };
    fs::set_permissions(&half.key, fs::Permissions::from_mode(0o600)).unwrap();
    let why = half.understand(&half.read().unwrap()).unwrap_err();
    assert!(matches!(why, IdentityError::Pem(..)), "{why}");
    fs::set_permissions(&files.key, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(files.read(), Err(IdentityError::Open(_, 0o644))));
    fs::remove_file(&files.key).unwrap();
    assert!(matches!(files.read(), Err(IdentityError::Read(..))));
}
