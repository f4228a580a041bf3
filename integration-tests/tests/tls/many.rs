//! Fifty uploads of 1 MiB by each client, explicit and implicit, all with their session resumed or none: all whole.
//! Uploads over TLS 1.3 arrive cut where the server says anything behind their handshake (`tickets`), which clients
//! that never read there lose.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use drftpd_integration_tests::client::folder;
use drftpd_integration_tests::ftps::{Ftps, Handshake};
use drftpd_integration_tests::{Bytes, Cluster, Mode, Tool};

use crate::gnutls::gnutls;
use crate::lftp::Lftp;
use crate::python::python;
use crate::{certificate, cluster, on_disk, with_password};

const MANY: usize = 50;

#[test]
fn fifty_uploads_by_each_client_are_all_whole_over_explicit_tls_with_resumed_sessions() -> Result<()>
{
    fifty(false, true)
}

#[test]
fn fifty_uploads_by_each_client_are_all_whole_over_explicit_tls_without_resuming() -> Result<()> {
    fifty(false, false)
}

#[test]
fn fifty_uploads_by_each_client_are_all_whole_over_implicit_tls_with_resumed_sessions() -> Result<()>
{
    fifty(true, true)
}

#[test]
fn fifty_uploads_by_each_client_are_all_whole_over_implicit_tls_without_resuming() -> Result<()> {
    fifty(true, false)
}

fn fifty(implicit: bool, resumed: bool) -> Result<()> {
    // What is required is proven.
    let resumption = match resumed {
        true => "tls.data_resumption=\"required\"",
        false => "tls.data_resumption=\"offered\"",
    };
    // Many logins, whose passwords are not what is tested.
    let cheap = ["accounts.hash_memory_kib=64", "accounts.hash_rounds=1"];
    let cluster = cluster(&["tls.data=\"required\"", resumption, cheap[0], cheap[1]])?;
    let (_gone, dir) = folder()?;
    let mut all = Vec::new();
    for number in 1..=MANY {
        let bytes = Bytes::vec(1000 + number as u64, 1 << 20);
        fs::write(dir.join(format!("f{number}.bin")), &bytes)?;
        all.push(bytes);
    }
    let work = Work {
        cluster: &cluster,
        dir: &dir,
        implicit,
        resumed,
    };
    let mut done = vec![work.lftp()?, work.curl()?, work.python()?, work.ours(&all)?];
    if !resumed {
        done.push(work.gnutls()?);
    }
    for by in done {
        for (number, bytes) in (1..).zip(&all) {
            on_disk(&cluster, &format!("{by}/f{number}.bin"), bytes)?;
        }
    }
    Ok(())
}

/// What each client does; each answers the name of the directory where its files are.
struct Work<'a> {
    cluster: &'a Cluster,
    dir: &'a Path,
    implicit: bool,
    resumed: bool,
}

impl Work<'_> {
    /// lftp, with GnuTLS.
    fn lftp(&self) -> Result<&'static str> {
        let lftp = match self.implicit {
            true => Lftp::implicit(self.cluster)?,
            false => Lftp::explicit(self.cluster),
        };
        let resumed = match self.resumed {
            true => "",
            false => "set ftp:ssl-copy-sid no;",
        };
        lftp.run(self.dir, resumed, "mkdir by-lftp; cd by-lftp; mput f*.bin")?;
        Ok("by-lftp")
    }

    /// curl, with OpenSSL: all on one connection, or each on its own, because it uses a ticket of TLS 1.3 once and an
    /// upload brings no other.
    fn curl(&self) -> Result<&'static str> {
        let scheme = if self.implicit { "ftps" } else { "ftp" };
        let url = with_password(scheme, self.cluster.at(scheme)?);
        let authority = certificate(self.cluster);
        let curl = |how: &[&str], files: &str| {
            let curl =
                Tool::new("curl", self.dir).args(["-sS", "--ssl-reqd", "--cacert", &authority]);
            let to = format!("{url}/by-curl/");
            let curl = curl
                .args(how)
                .args(["--fail-early", "--ftp-create-dirs", "-T", files, &to]);
            curl.run().map(drop)
        };
        match self.resumed {
            true => (1..=MANY).try_for_each(|number| curl(&[], &format!("f{number}.bin")))?,
            false => curl(&["--no-sessionid"], &format!("f[1-{MANY}].bin"))?,
        }
        Ok("by-curl")
    }

    /// Python's ftplib, with OpenSSL.
    fn python(&self) -> Result<&'static str> {
        let of = |it: bool| if it { "True" } else { "False" };
        python(
            self.cluster,
            &format!(
                "f = session(reuse={}, implicit={})\nf.mkd('by-python'); f.cwd('by-python')\n\
                 for number in range(1, {MANY} + 1):\n    \
                 f.storbinary(f'STOR f{{number}}.bin', open(f'{}/f{{number}}.bin', 'rb'))\n",
                of(self.resumed),
                of(self.implicit),
                self.dir.display()
            ),
        )?;
        Ok("by-python")
    }

    /// Our own client, with rustls. Its tickets are good for once, and an upload brings none: it lists before each.
    fn ours(&self, all: &[Vec<u8>]) -> Result<&'static str> {
        let handshake = match self.resumed {
            true => Handshake::Resumed,
            false => Handshake::Full,
        };
        let mut ftp = match self.implicit {
            true => Ftps::implicit(self.cluster.at("ftps")?.parse()?, handshake)?,
            false => Ftps::explicit(self.cluster.ftp, handshake)?,
        };
        ftp.ask("MKD by-ours", 257)?;
        ftp.ask("CWD by-ours", 250)?;
        for (number, bytes) in (1..).zip(all) {
            let listed = ftp.download(Mode::Pasv, "NLST", "")?;
            let lines = listed.split(|byte| *byte == b'\n').count();
            ensure!(lines == number, "{}", String::from_utf8_lossy(&listed));
            let name = format!("f{number}.bin");
            ftp.put(Mode::Pret, &name, bytes).context(name)?;
        }
        Ok("by-ours")
    }

    /// libcurl with GnuTLS.
    fn gnutls(&self) -> Result<&'static str> {
        let site = if self.implicit {
            "implicit"
        } else {
            "explicit"
        };
        gnutls(
            self.cluster,
            self.dir,
            &format!(
                "for number in range(1, {MANY} + 1):\n    \
                 up(f'{{{site}}}/by-gnutls/f{{number}}.bin', open(f'f{{number}}.bin', 'rb').read())\n"
            ),
        )?;
        Ok("by-gnutls")
    }
}
