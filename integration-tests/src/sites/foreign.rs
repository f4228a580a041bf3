//! ProFTPD and Pure-FTPd as ordinary processes, one for each control connection that the test accepts for them (as inetd
//! would): no service, no port of their own. `integration-tests/run` unpacks their packages below `target`.

use std::fs;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result, anyhow};
use rustix::process::{getgid, getuid};
use tempfile::TempDir;

use super::Site;
use crate::client::Tool;
use crate::cluster::{PASSWORD, USER};

/// `nobody` on every Linux.
const NOBODY: u32 = 65534;

/// Whether these tests may start programs as somebody else; Pure-FTPd cannot do without.
pub fn may_be_anybody() -> bool {
    getuid().is_root()
}

/// A server of others that runs until the test ends.
pub struct Foreign {
    site: Site,
    dir: TempDir,
}

impl Foreign {
    /// ProFTPD with mod_tls.
    pub fn proftpd(host: &str) -> Result<Self> {
        let place = Place::new("usr/sbin/proftpd")?;
        let hash = Tool::new("openssl", place.dir.path());
        let hash = hash.args(["passwd", "-6", PASSWORD]).run()?;
        let (uid, gid) = place.owner();
        let line = format!(
            "{USER}:{}:{uid}:{gid}::{}:/bin/sh\n",
            hash.trim(),
            place.at("files")
        );
        place.write("passwd", &line)?;
        place.write("proftpd.conf", &place.proftpd_conf())?;
        let args = ["-n".to_owned(), "-c".to_owned(), place.at("proftpd.conf")];
        place.serve("ProFTPD", host, &args, true)
    }

    /// Pure-FTPd, with other hosts allowed at the other end.
    pub fn pure_ftpd(host: &str) -> Result<Self> {
        let place = Place::new("usr/sbin/pure-ftpd")?;
        let (people, base) = (place.at("people"), place.at("people.pdb"));
        let nobody = NOBODY.to_string();
        let files = place.at("files");
        let add = [
            "useradd", USER, "-f", &people, "-F", &base, "-m", "-d", &files,
        ];
        let pure_pw = place.program.with_file_name("../bin/pure-pw");
        let add = Tool::new(&pure_pw.to_string_lossy(), place.dir.path())
            .args(add)
            .args(["-u", &nobody, "-g", &nobody])
            .with_libraries(&place.libraries());
        add.input(format!("{PASSWORD}\n{PASSWORD}\n")).run()?;
        let people = format!("puredb:{base}");
        let args = [
            "-l",
            &people,
            "-Y",
            "1",
            "-w",
            "-H",
            "-2",
            &place.at("both.pem"),
        ];
        place.serve("Pure-FTPd", host, &args.map(str::to_owned), false)
    }

    /// What a client needs to know.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// What it has under a name.
    pub fn file(&self, name: &str) -> Result<Vec<u8>> {
        let file = self.dir.path().join("files").join(name);
        fs::read(&file).with_context(|| file.display().to_string())
    }
}

/// A folder with what such a server needs.
struct Place {
    program: PathBuf,
    /// Where its package was unpacked.
    unpacked: PathBuf,
    dir: TempDir,
}

impl Place {
    fn new(program: &str) -> Result<Self> {
        let unpacked = unpacked(program)?;
        let dir = tempfile::Builder::new().prefix("drftpd-site-").tempdir()?;
        let program = unpacked.join(program);
        let place = Place {
            program,
            unpacked,
            dir,
        };
        let files = place.dir.path().join("files");
        fs::create_dir(&files)?;
        let (uid, gid) = place.owner();
        chown(&files, Some(uid), Some(gid))?;
        // The server changes to its user before it comes here.
        fs::set_permissions(place.dir.path(), fs::Permissions::from_mode(0o755))?;
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
        let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        place.write("certificate.pem", &certificate)?;
        place.write("key.pem", &key)?;
        place.write("both.pem", &format!("{key}{certificate}"))?;
        Ok(place)
    }

    /// Who owns the files.
    fn owner(&self) -> (u32, u32) {
        match may_be_anybody() {
            true => (NOBODY, NOBODY),
            false => (getuid().as_raw(), getgid().as_raw()),
        }
    }

    fn at(&self, name: &str) -> String {
        self.dir.path().join(name).to_string_lossy().into_owned()
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let file = self.dir.path().join(name);
        fs::write(&file, text)?;
        Ok(fs::set_permissions(
            file,
            fs::Permissions::from_mode(0o600),
        )?)
    }

    fn libraries(&self) -> String {
        let arch = format!("{}-linux-gnu", std::env::consts::ARCH);
        let at = |lib: &str| self.unpacked.join(lib).join(&arch).display().to_string();
        format!("{}:{}", at("usr/lib"), at("lib"))
    }

    fn proftpd_conf(&self) -> String {
        let user = match may_be_anybody() {
            true => "User nobody\nGroup nogroup",
            false => "",
        };
        format!(
            "ModulePath {modules}\nLoadModule mod_tls.c\nServerType inetd\nServerName site\n{user}\n\
             DefaultServer on\nUseReverseDNS off\nUseIPv6 off\nWtmpLog off\nDelayTable none\n\
             ScoreboardFile {dir}/scoreboard\nPidFile {dir}/pid\nSystemLog {dir}/system.log\n\
             AuthOrder mod_auth_file.c\nAuthUserFile {dir}/passwd\nRequireValidShell off\n\
             AllowForeignAddress on\nAllowOverwrite on\n\
             TLSEngine on\nTLSLog {dir}/tls.log\nTLSRequired off\nTLSECCertificateFile {dir}/certificate.pem\n\
             TLSECCertificateKeyFile {dir}/key.pem\nTLSOptions NoSessionReuseRequired\n\
             TLSVerifyClient off\nTLSVerifyServer off\n",
            modules = self.unpacked.join("usr/lib/proftpd").display(),
            dir = self.dir.path().display(),
        )
    }

    /// Accepts control connections and starts the program for each.
    fn serve(self, name: &'static str, host: &str, args: &[String], sscn: bool) -> Result<Foreign> {
        let listener = TcpListener::bind((host, 0))?;
        let site = Site {
            name,
            at: listener.local_addr()?,
            pret: false,
            passive: true,
            cpsv: false,
            sscn,
        };
        let (program, libraries) = (self.program.clone(), self.libraries());
        let args = args.to_vec();
        thread::spawn(move || {
            for tcp in listener.incoming().map_while(Result::ok) {
                let Ok(again) = tcp.try_clone() else { return };
                let started = Command::new(&program)
                    .args(&args)
                    .env("LD_LIBRARY_PATH", &libraries)
                    .stdin(Stdio::from(OwnedFd::from(tcp)))
                    .stdout(Stdio::from(OwnedFd::from(again)))
                    .stderr(Stdio::null())
                    .spawn();
                // It ends with its control connection; one that does not start closes it.
                if let Ok(mut child) = started {
                    thread::spawn(move || child.wait());
                }
            }
        });
        Ok(Foreign {
            site,
            dir: self.dir,
        })
    }
}

/// The folder below `target` (or the root of the system, where it is installed) that has this program.
fn unpacked(program: &str) -> Result<PathBuf> {
    let here = std::env::current_exe()?;
    let below = here.ancestors().map(|dir| dir.join("servers"));
    let mut all = below.chain([Path::new("/").to_path_buf()]);
    all.find(|dir| dir.join(program).is_file())
        .ok_or_else(|| anyhow!("{program} is missing: run ./integration-tests/run"))
}
