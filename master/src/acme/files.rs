//! What is kept in `DIR/acme`, for its owner alone: the account, the certificate with its key in one file (so that no crash
//! leaves one without the other), and what happened.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::plan::{Held, Record};
use crate::config::MasterConfig;
use crate::slaves::secret_file::{self, SecretFileError};
use crate::tls::identity::{Contents, Files, IdentityError};

/// The folder.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

/// An account as it is stored.
#[derive(Serialize, Deserialize)]
pub struct StoredAccount {
    /// The directory of the authority that knows it.
    pub directory: String,
    /// The contacts that it was told.
    pub contacts: Vec<String>,
    /// Its address and its key, as `instant-acme` writes them.
    pub credentials: serde_json::Value,
}

/// Why a file was not read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// The system, or who may read it.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// It is not what was written.
    #[error("{0} cannot be understood: {1}")]
    Json(PathBuf, serde_json::Error),
    /// It is not for what was ordered.
    #[error("the certificate that the authority gave is only for {0:?}")]
    Names(BTreeSet<String>),
    /// The certificate or its key.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

impl Folder {
    /// That of a master.
    pub fn of(config: &MasterConfig) -> Self {
        Self(config.master.dir.join("acme"))
    }

    /// Where the certificate and its key are.
    pub fn certificate(&self) -> Files {
        let file = self.0.join("certificate.pem");
        Files {
            certificate: file.clone(),
            key: file,
        }
    }

    /// Reads the certificate; nothing where there is none. Blocks.
    ///
    /// # Errors
    /// When it is of no use.
    pub fn held(&self) -> Result<Option<Held>, FolderError> {
        let files = self.certificate();
        if !files.certificate.exists() {
            return Ok(None);
        }
        Ok(Some(understand(&files, &files.read()?)?))
    }

    /// Proves that a new certificate with its key, PEM, can be shown and is for these names, and puts it in the place of
    /// the old one. Blocks.
    ///
    /// # Errors
    /// When it is of no use, or not written; the old one stays.
    pub fn replace(&self, pem: &str, wanted: &BTreeSet<String>) -> Result<Held, FolderError> {
        let files = self.certificate();
        let held = understand(&files, &Contents::of_one_file(pem.as_bytes()))?;
        if !held.names.is_superset(wanted) {
            return Err(FolderError::Names(held.names));
        }
        secret_file::write(&files.certificate, pem.as_bytes())?;
        Ok(held)
    }

    /// Reads the account. Blocks.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn account(&self) -> Result<Option<StoredAccount>, FolderError> {
        read_json(&self.account_file())
    }

    /// Stores the account. Blocks.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn store_account(&self, account: &StoredAccount) -> Result<(), FolderError> {
        write_json(&self.account_file(), account)
    }

    /// Forgets an account that the authority does not know any more. Blocks.
    pub fn forget_account(&self) {
        // Where it cannot be removed, the next order fails as this one did.
        drop(std::fs::remove_file(self.account_file()));
    }

    /// Reads what happened; nothing where nothing is stored. Blocks.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn record(&self) -> Result<Record, FolderError> {
        Ok(read_json(&self.0.join("state.json"))?.unwrap_or_default())
    }

    /// Stores what happened. Blocks.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn store_record(&self, record: &Record) -> Result<(), FolderError> {
        write_json(&self.0.join("state.json"), record)
    }

    fn account_file(&self) -> PathBuf {
        self.0.join("account.json")
    }
}

fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<Option<T>, FolderError> {
    let Some(text) = secret_file::read(path)? else {
        return Ok(None);
    };
    let read = serde_json::from_str(&text);
    read.map(Some)
        .map_err(|why| FolderError::Json(path.into(), why))
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), FolderError> {
    let text = serde_json::to_vec_pretty(value);
    let text = text.map_err(|why| FolderError::Json(path.into(), why))?;
    Ok(secret_file::write(path, &text)?)
}

fn understand(files: &Files, contents: &Contents) -> Result<Held, FolderError> {
    let identity = files.understand(contents)?;
    let bad = || IdentityError::BadCertificate(files.certificate.clone());
    let first = identity.wire.chain.first().ok_or_else(bad)?;
    let (_, parsed) = X509Certificate::from_der(&first.0).map_err(|_| bad())?;
    Ok(Held {
        from: parsed.validity().not_before.timestamp(),
        until: identity.until,
        names: names(&parsed),
        der: first.0.clone(),
    })
}

/// The host names and addresses that a certificate is for.
fn names(certificate: &X509Certificate<'_>) -> BTreeSet<String> {
    let alternative = certificate.subject_alternative_name().ok().flatten();
    let all = alternative.iter().flat_map(|it| &it.value.general_names);
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(dns) => Some(dns.to_ascii_lowercase()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let ip = v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from));
            ip.ok().map(|ip| ip.to_string())
        }
        _ => None,
    };
    all.filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acme::tests::pem;
    use std::os::unix::fs::PermissionsExt;

    fn folder(dir: &tempfile::TempDir) -> Folder {
        Folder(dir.path().join("acme"))
    }

    fn wanted() -> BTreeSet<String> {
        ["a.example".to_owned()].into()
    }

    #[test]
    fn a_certificate_is_kept_with_its_key_for_the_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let folder = folder(&dir);
        assert_eq!(folder.held().unwrap(), None);
        let stored = folder
            .replace(&pem(&["A.example", "::1", "10.0.0.1"]), &wanted())
            .unwrap();
        assert_eq!(folder.held().unwrap(), Some(stored.clone()));
        let names: Vec<_> = stored.names.iter().map(String::as_str).collect();
        assert_eq!(names, ["10.0.0.1", "::1", "a.example"]);
        let file = folder.certificate().certificate;
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let mode = std::fs::metadata(file.parent().unwrap())
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn what_cannot_be_shown_does_not_take_the_place_of_what_can() {
        let dir = tempfile::tempdir().unwrap();
        let folder = folder(&dir);
        let good = folder.replace(&pem(&["a.example"]), &wanted()).unwrap();
        let (one, other) = (pem(&["a.example"]), pem(&["a.example"]));
        let cut = one.find("-----BEGIN CERT").unwrap();
        let mixed = format!(
            "{}{}",
            &one[..cut],
            &other[other.find("-----BEGIN CERT").unwrap()..]
        );
        let other_name = pem(&["b.example"]);
        for bad in [
            "",
            "no certificate",
            &one[..cut],
            &one[cut..],
            &mixed,
            &other_name,
        ] {
            assert!(folder.replace(bad, &wanted()).is_err(), "{bad}");
            assert_eq!(folder.held().unwrap(), Some(good.clone()));
        }
    }

    #[test]
    fn what_happened_is_read_as_it_was_written_and_by_later_versions() {
        let dir = tempfile::tempdir().unwrap();
        let folder = folder(&dir);
        assert_eq!(folder.record().unwrap(), Record::default());
        let record = Record {
            failures: 3,
            why: "it is night".to_owned(),
            ..Record::default()
        };
        folder.store_record(&record).unwrap();
        assert_eq!(folder.record().unwrap(), record);
        let file = folder.0.join("state.json");
        secret_file::write(&file, b"{\"failures\": 2, \"new\": true}").unwrap();
        assert_eq!(folder.record().unwrap().failures, 2);
        secret_file::write(&file, b"{").unwrap();
        let why = folder.record().unwrap_err().to_string();
        assert!(why.contains("state.json cannot be understood"), "{why}");
    }
}
