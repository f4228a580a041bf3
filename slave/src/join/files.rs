//! The files that a slave keeps: its key, its certificate, the authority, and the configuration
//! that names them. None is overwritten, and a power loss leaves whole files or none.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;

use super::JoinError;

/// Characters in a line of PEM.
const PEM_LINE: usize = 64;

/// Where everything goes, all beside the configuration and named after it.
#[derive(Debug, Clone)]
pub(super) struct Files {
    pub(super) config: PathBuf,
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    pub(super) authority: PathBuf,
    pub(super) seen: PathBuf,
}

/// What proves a slave, but for its key.
#[derive(Debug)]
pub(super) struct Proof {
    pub(super) certificate: CertificateDer<'static>,
    pub(super) authority: CertificateDer<'static>,
}

/// A key that is on the disk, but not at its place yet. Dropped, it is gone.
#[derive(Debug)]
pub(super) struct HeldKey<'a> {
    files: &'a Files,
    fresh: PathBuf,
}

impl Files {
    /// The files of a configuration `slave.toml`: `slave-key.pem` and so on.
    pub(super) fn beside(config: &Path) -> Self {
        let stem = config.file_stem().unwrap_or(config.as_os_str());
        let named = |ending: &str| {
            let mut name = stem.to_owned();
            name.push(ending);
            config.with_file_name(name)
        };
        Files {
            config: config.to_owned(),
            certificate: named("-cert.pem"),
            key: named("-key.pem"),
            authority: named("-authority.pem"),
            seen: named("-seen"),
        }
    }

    /// None of them may exist.
    pub(super) fn check(&self) -> Result<(), JoinError> {
        let all = [&self.config, &self.certificate, &self.key, &self.authority];
        match all.into_iter().find(|path| path.symlink_metadata().is_ok()) {
            Some(path) => Err(JoinError::Exists(path.clone())),
            None => Ok(()),
        }
    }

    /// Makes the folder of the configuration, for its owner only, where it is not there yet.
    pub(super) fn make_folder(&self) -> Result<(), JoinError> {
        let folder = self.config.parent().unwrap_or(Path::new(""));
        if folder.as_os_str().is_empty() || folder.is_dir() {
            return Ok(());
        }
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::DirBuilderExt;
            builder.mode(0o700);
        }
        builder
            .create(folder)
            .map_err(|source| wrong(folder, source))
    }

    /// Writes the key beside its place, for its owner only: that the folder can be written is
    /// known before the token is used up.
    pub(super) fn hold_key(&self, pem: &str) -> Result<HeldKey<'_>, JoinError> {
        let fresh = self.key.with_extension("pem.new");
        write(&fresh, pem.as_bytes(), true)?;
        Ok(HeldKey { files: self, fresh })
    }

    /// Writes the rest, the configuration last: once it is there, everything is.
    pub(super) fn write(&self, proof: &Proof, config: &str) -> Result<(), JoinError> {
        write(&self.authority, pem(&proof.authority).as_bytes(), false)?;
        write(&self.certificate, pem(&proof.certificate).as_bytes(), false)?;
        let fresh = self.config.with_extension("toml.new");
        write(&fresh, config.as_bytes(), false)?;
        put(&fresh, &self.config)
    }
}

impl HeldKey<'_> {
    /// Puts it at its place.
    pub(super) fn keep(self) -> Result<(), JoinError> {
        put(&self.fresh, &self.files.key)
    }
}

impl Drop for HeldKey<'_> {
    fn drop(&mut self) {
        // It is gone already when it was kept.
        drop(fs::remove_file(&self.fresh));
    }
}

/// A new file, on the disk when this returns.
fn write(path: &Path, bytes: &[u8], secret: bool) -> Result<(), JoinError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(if secret { 0o600 } else { 0o644 });
    }
    let written = options.open(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|source| wrong(path, source))
}

/// Gives a file its name, durably, where nothing has that name.
fn put(fresh: &Path, place: &Path) -> Result<(), JoinError> {
    let folder = match place.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::hard_link(fresh, place)
        .and_then(|()| fs::remove_file(fresh))
        .and_then(|()| File::open(folder)?.sync_all())
        .map_err(|source| wrong(place, source))
}

fn wrong(path: &Path, source: io::Error) -> JoinError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::AlreadyExists => JoinError::Exists(path),
        _ => JoinError::Write { path, source },
    }
}

fn pem(certificate: &CertificateDer<'_>) -> String {
    let text = STANDARD.encode(certificate);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in text.as_bytes().chunks(PEM_LINE) {
        pem.extend(line.iter().map(|byte| char::from(*byte)));
        pem.push('\n');
    }
    pem + "-----END CERTIFICATE-----\n"
}
