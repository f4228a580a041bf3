//! FileZilla itself, on a screen that nobody sees: its queue is written before it starts, one key makes it begin, and it
//! ends when the queue is empty. Its log says what was said.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use drftpd_integration_tests::client::folder;
use drftpd_integration_tests::cluster::{PASSWORD, USER};
use drftpd_integration_tests::{Cluster, Running, Tool};
use rusqlite::{Connection, params};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::{HALF, SIZE, certificate, cluster, files, on_disk, same_file};

/// The tables of a queue, as version 3.63 makes them.
const QUEUE: &str = "
    CREATE TABLE servers (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, host TEXT NOT NULL, port INTEGER, user TEXT,
        password TEXT, account TEXT, keyfile TEXT, protocol INTEGER, type INTEGER, logontype INTEGER,
        timezone_offset INTEGER, transfer_mode TEXT, max_connections INTEGER, encoding TEXT, bypass_proxy INTEGER,
        post_login_commands TEXT, name TEXT, parameters TEXT, site_path TEXT DEFAULT NULL);
    CREATE TABLE files (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, server INTEGER NOT NULL, source_file TEXT,
        target_file TEXT, local_path INTEGER, remote_path INTEGER, size INTEGER, error_count INTEGER, priority INTEGER,
        flags INTEGER, default_exists_action INTEGER, extra_flags TEXT);
    CREATE TABLE local_paths (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, path TEXT NOT NULL);
    CREATE TABLE remote_paths (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, path TEXT NOT NULL);
    PRAGMA user_version = 7;";

const UPLOAD: u8 = 0;
const DOWNLOAD: u8 = 16;
/// What it does where the target is there.
const RESUME: u8 = 5;

/// How it connects, by its own number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Implicit = 3,
    Explicit = 4,
}

/// A FileZilla with a home of its own, for one server.
struct FileZilla {
    home: PathBuf,
    queue: Connection,
}

impl FileZilla {
    /// With its settings, the certificate that it trusts, and an empty queue between `home` and `/fz`.
    fn new(cluster: &Cluster, protocol: Protocol, home: &Path) -> Result<Self> {
        let config = home.join(".config/filezilla");
        fs::create_dir_all(&config)?;
        let port = match protocol {
            Protocol::Explicit => cluster.at("ftp")?,
            Protocol::Implicit => cluster.at("ftps")?,
        };
        let port = port.rsplit(':').next().context("a port")?;
        let der = CertificateDer::from_pem_file(certificate(cluster))?;
        let hex: String = der.iter().map(|byte| format!("{byte:02x}")).collect();
        let trusted = format!(
            "<FileZilla3><TrustedCerts><Certificate><Data>{hex}</Data><ActivationTime>1</ActivationTime>\
             <ExpirationTime>4102444800</ExpirationTime><Host>127.0.0.1</Host><Port>{port}</Port>\
             </Certificate></TrustedCerts></FileZilla3>"
        );
        fs::write(config.join("trustedcerts.xml"), trusted)?;
        // No welcome, one file after the other, and the end when all is done (3).
        let log = home.join("filezilla.log");
        let settings = format!(
            "<FileZilla3><Settings><Setting name=\"Greeting version\">99.0.0</Setting>\
             <Setting name=\"Update Check\">0</Setting><Setting name=\"Number of Transfers\">1</Setting>\
             <Setting name=\"Queue completion action\">3</Setting><Setting name=\"Logging file\">{}</Setting>\
             </Settings></FileZilla3>",
            log.display()
        );
        fs::write(config.join("filezilla.xml"), settings)?;
        let queue = Connection::open(config.join("queue.sqlite3"))?;
        queue.execute_batch(QUEUE)?;
        queue.execute(
            "INSERT INTO servers (id, host, port, user, password, protocol, type, logontype, timezone_offset, \
             transfer_mode, max_connections, encoding, bypass_proxy) \
             VALUES (1, '127.0.0.1', ?, ?, ?, ?, 0, 1, 0, 'Default', 1, 'Auto', 0)",
            params![port, USER, PASSWORD, protocol as u8],
        )?;
        let here = format!("{}/", home.display());
        queue.execute("INSERT INTO local_paths VALUES (1, ?)", [here])?;
        queue.execute("INSERT INTO remote_paths VALUES (1, '1 0 2 fz')", [])?;
        let home = home.to_path_buf();
        Ok(FileZilla { home, queue })
    }

    /// One more file.
    fn add(&self, direction: u8, from: &str, to: &str, size: usize) -> Result<()> {
        let size = i64::try_from(size)?;
        self.queue.execute(
            "INSERT INTO files (server, source_file, target_file, local_path, remote_path, size, error_count, \
             priority, flags, default_exists_action) VALUES (1, ?, ?, 1, 1, ?, 0, 2, ?, ?)",
            params![from, to, size, direction, RESUME],
        )?;
        Ok(())
    }

    /// Lets it do what the queue says; answers its log.
    fn run(self) -> Result<String> {
        self.queue.close().map_err(|(_, why)| why)?;
        let mut screen = Command::new("Xvfb");
        screen.args("-displayfd 1 -screen 0 1280x900x24 -nolisten tcp".split(' '));
        let screen = Running::start(screen, &self.home.join("screen.log"))?;
        let display = format!(":{}", screen.line("")?);
        let mut command = Command::new("filezilla");
        command.env("HOME", &self.home).env("DISPLAY", &display);
        let mut filezilla = Running::start(command, &self.home.join("output.log"))?;
        let begin = "search --sync --onlyvisible --name ^FileZilla$ windowfocus --sync key ctrl+p";
        let begin = Tool::new("xdotool", &self.home).args(begin.split(' '));
        begin.with("DISPLAY", &display).run()?;
        let ended = filezilla.wait();
        let log = fs::read_to_string(self.home.join("filezilla.log")).unwrap_or_default();
        let ended = ended.with_context(|| log.clone())?;
        ensure!(ended.success(), "{ended}: {log}");
        Ok(log)
    }
}

#[test]
fn filezilla_uploads_downloads_and_resumes_over_explicit_tls() -> Result<()> {
    filezilla(Protocol::Explicit)
}

#[test]
fn filezilla_uploads_downloads_and_resumes_over_implicit_tls() -> Result<()> {
    filezilla(Protocol::Implicit)
}

/// It resumes its session for every data connection, so that may be required.
fn filezilla(protocol: Protocol) -> Result<()> {
    let cluster = cluster(&["tls.data=\"required\"", "tls.data_resumption=\"required\""])?;
    let (_gone, home) = folder()?;
    let whole = files(&home, 27)?;
    let filezilla = FileZilla::new(&cluster, protocol, &home)?;
    filezilla.add(UPLOAD, "whole.bin", "whole.bin", SIZE)?;
    filezilla.add(UPLOAD, "half.bin", "part.bin", HALF)?;
    filezilla.add(UPLOAD, "whole.bin", "part.bin", SIZE)?;
    filezilla.add(DOWNLOAD, "whole.bin", "down.bin", SIZE)?;
    filezilla.add(DOWNLOAD, "part.bin", "half.bin", SIZE)?;
    let log = filezilla.run()?;
    let said = |text: &str| log.matches(text).count();
    ensure!(
        said("File transfer successful") == 5 && said("Error:") == 0,
        "{log}"
    );
    let rest = format!("Command: REST {HALF}");
    ensure!(said(&rest) == 2 && said("Command: MLSD") > 0, "{log}");
    same_file(&home.join("down.bin"), &whole)?;
    same_file(&home.join("half.bin"), &whole)?;
    on_disk(&cluster, "fz/whole.bin", &whole)?;
    on_disk(&cluster, "fz/part.bin", &whole)
}
