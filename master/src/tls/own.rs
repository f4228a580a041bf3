//! The certificate that a master makes for itself at its first start, where the operator has named none: signed by its
//! own key, for the names and addresses at which clients will look for it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::time::Duration;

use drftpd_actors::{Clock, Dice};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair,
    KeyUsagePurpose, SerialNumber,
};

use super::identity::Files;
use crate::acme::AcmeConfig;
use crate::acme::files::Folder;
use crate::config::MasterConfig;
use crate::slaves::secret_file::{self, SecretFileError};

/// A certificate is valid this long before it was made: clocks of machines differ.
const BACKDATED: Duration = Duration::from_secs(24 * 3600);
/// Ten years: clients that were told to believe it would have to be told again.
const LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Why no certificate was made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OwnError {
    /// Its files.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// The certificate itself.
    #[error("a certificate could not be made")]
    Make(#[from] rcgen::Error),
}

/// The files that count: those that an authority gave, those of the configuration, else the master's own, which may not
/// be there yet.
pub fn of(config: &MasterConfig) -> Files {
    let ordered = ordered(config).filter(Files::exist);
    ordered.unwrap_or_else(|| named(config))
}

/// Where the certificate of an authority is, as soon as there is one (`tls.acme`).
pub fn ordered(config: &MasterConfig) -> Option<Files> {
    let acme = config.tls.acme.as_ref();
    acme.map(|_| Folder::of(config).certificate())
}

/// The files of the configuration, else the master's own.
pub fn named(config: &MasterConfig) -> Files {
    match (&config.tls.certificate, &config.tls.key) {
        (Some(certificate), Some(key)) => Files {
            certificate: certificate.clone(),
            key: key.clone(),
        },
        _ => files(config),
    }
}

/// Where it is kept.
pub fn files(config: &MasterConfig) -> Files {
    let folder = config.master.dir.join("tls");
    Files {
        certificate: folder.join("certificate.pem"),
        key: folder.join("key.pem"),
    }
}

/// Makes both files where there are none. One without the other is left alone, and found out when they are read.
///
/// # Errors
/// [`OwnError`].
pub fn make(
    files: &Files,
    names: Vec<String>,
    clock: &Clock,
    dice: &Dice,
) -> Result<bool, OwnError> {
    if exists(&files.certificate) || exists(&files.key) {
        return Ok(false);
    }
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let now = clock.now();
    let mut serial = dice.token();
    serial[0] &= 0x7F; // a serial number is positive
    let mut params = CertificateParams::new(names)?;
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, "drftpd");
    params.distinguished_name = name;
    params.serial_number = Some(SerialNumber::from_slice(&serial[..16]));
    params.not_before = (now - BACKDATED).into();
    params.not_after = (now + LIFE).into();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let made = params.self_signed(&key)?;
    // The key first: a crash between both leaves no certificate that looks whole.
    secret_file::write(&files.key, key.serialize_pem().as_bytes())?;
    secret_file::write(&files.certificate, made.pem().as_bytes())?;
    Ok(true)
}

fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// The names and addresses by which clients may reach this master, each once.
pub fn names(config: &MasterConfig, host: Option<String>) -> Vec<String> {
    let listened = config.ftp.listen.iter().chain(&config.tls.listen_implicit);
    let addresses = listened.map(|at| at.ip().to_canonical());
    let announced = config.passive.announce_address;
    let told = addresses.chain(announced).filter(|ip| !ip.is_unspecified());
    let told = told.map(|ip| ip.to_string());
    let loopback: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    let mut names = vec!["localhost".to_owned()];
    names.extend(host.filter(|host| is_host_name(host)));
    names.extend(loopback.map(|ip| ip.to_string()));
    names.extend(told);
    names.extend(config.tls.names.iter().cloned());
    names.extend(config.tls.acme.iter().flat_map(AcmeConfig::names));
    let mut each = Vec::new();
    for name in names {
        if !each.contains(&name) {
            each.push(name);
        }
    }
    each
}

/// What this machine calls itself, where it says so in a file (Linux).
pub fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned())
}

fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;
    use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

    #[test]
    fn it_is_for_where_clients_look_and_is_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = MasterConfig::default();
        config.master.dir = dir.path().to_owned();
        config.ftp.listen = vec!["[::]:21".parse().unwrap(), "192.0.2.7:21".parse().unwrap()];
        config.passive.announce_address = Some("203.0.113.5".parse().unwrap());
        config.tls.names = vec!["ftp.example.net".to_owned(), "localhost".to_owned()];
        let names = names(&config, Some("box".to_owned()));
        let want = [
            "localhost",
            "box",
            "127.0.0.1",
            "::1",
            "192.0.2.7",
            "203.0.113.5",
            "ftp.example.net",
        ];
        assert_eq!(names, want);
        let (files, clock, dice) = (files(&config), Clock::system(), Dice::seeded(1));
        assert!(make(&files, names.clone(), &clock, &dice).unwrap());
        assert!(!make(&files, names, &clock, &dice).unwrap());
        let identity = files.understand(&files.read().unwrap()).unwrap();
        let (_, parsed) = X509Certificate::from_der(&identity.wire.chain[0].0).unwrap();
        let alternative = parsed.subject_alternative_name().unwrap().unwrap();
        let is_ip = |name: &&GeneralName<'_>| matches!(name, GeneralName::IPAddress(_));
        let names = &alternative.value.general_names;
        assert_eq!((names.len(), names.iter().filter(is_ip).count()), (7, 4));
        assert!(identity.until > clock.unix() + 9 * 365 * 24 * 3600);
    }

    #[test]
    fn a_machine_without_a_good_name_is_left_out() {
        for host in [None, Some("".to_owned()), Some("not a name".to_owned())] {
            assert_eq!(names(&MasterConfig::default(), host).len(), 3);
        }
    }
}
