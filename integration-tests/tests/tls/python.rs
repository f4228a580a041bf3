//! Python's ftplib, which can be made to do anything: everything that works, and ABOR.

use anyhow::{Context, Result};
use drftpd_integration_tests::client::folder;
use drftpd_integration_tests::cluster::{PASSWORD, USER};
use drftpd_integration_tests::{Cluster, Tool};

use crate::{HALF, certificate, cluster, files};

/// The beginning of every script: `session(version, reuse, implicit)` gives a client that is logged in, under PROT P.
pub fn python(cluster: &Cluster, script: &str) -> Result<String> {
    let (_gone, dir) = folder()?;
    files(&dir, 24)?;
    let head = format!(
        r#"
import ftplib, io, os, socket, ssl, struct
HALF = {HALF}
whole = open("whole.bin", "rb").read()
context = ssl.create_default_context(cafile="{authority}")

class Client(ftplib.FTP_TLS):
    reuse = True
    implicit = False
    def ntransfercmd(self, cmd, rest=None):
        conn, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        if self._prot_p:
            session = self.sock.session if self.reuse else None
            conn = self.context.wrap_socket(conn, server_hostname=self.host, session=session)
        return conn, size
    def open(self, host, port):
        if not self.implicit:
            return self.connect(host, port)
        self.host, self.port = host, port
        plain = socket.create_connection((host, port), 60)
        self.af = plain.family
        self.sock = self.context.wrap_socket(plain, server_hostname=host)
        self.file = self.sock.makefile("r", encoding=self.encoding)
        self.welcome = self.getresp()

def session(version=ssl.TLSVersion.TLSv1_3, reuse=True, implicit=False, user="{USER}"):
    context.maximum_version = version
    f = Client(context=context, timeout=60)
    f.reuse, f.implicit = reuse, implicit
    f.open("{host}", {implicit} if implicit else {port})
    f.login(user, "{PASSWORD}")
    f.prot_p()
    return f

def fetch(f, name, rest=None, into=None):
    got = io.BytesIO(into or b""); got.seek(0, 2)
    f.retrbinary("RETR " + name, got.write, rest=rest)
    return got.getvalue()
"#,
        authority = certificate(cluster),
        host = cluster.ftp.ip(),
        port = cluster.ftp.port(),
        implicit = cluster.at("ftps")?.rsplit(':').next().context("a port")?,
    );
    Tool::new("python3", &dir)
        .args(["-c", &format!("{head}{script}")])
        .run()
}

#[test]
fn python_does_everything_with_and_without_its_session_explicit_and_implicit() -> Result<()> {
    let cluster = cluster(&[])?;
    python(
        &cluster,
        r#"
for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
    for reuse in (True, False):
        for implicit in (False, True):
            for passive in (True, False):
                f = session(version, reuse, implicit)
                f.set_pasv(passive)
                f.mkd("py"); f.cwd("py")
                assert f.storbinary("STOR whole.bin", io.BytesIO(whole)).startswith("226")
                assert f.nlst() == ["whole.bin"]
                assert int(dict(f.mlsd())["whole.bin"]["size"]) == len(whole)
                lines = []; f.retrlines("LIST", lines.append)
                assert any(line.endswith(" whole.bin") for line in lines), lines
                assert fetch(f, "whole.bin") == whole
                assert fetch(f, "whole.bin", HALF, whole[:HALF]) == whole
                f.storbinary("STOR part.bin", io.BytesIO(whole[:HALF]))
                f.storbinary("STOR part.bin", io.BytesIO(whole[HALF:]), rest=HALF)
                assert fetch(f, "part.bin") == whole
                f.prot_c()
                assert fetch(f, "part.bin") == whole
                for name in ("part.bin", "whole.bin"): f.delete(name)
                f.cwd("/"); f.rmd("py")
                f.quit()
"#,
    )
    .map(drop)
}

#[test]
fn a_transfer_under_tls_is_aborted_with_and_without_an_urgent_byte() -> Result<()> {
    let cluster = cluster(&[])?;
    python(
        &cluster,
        r#"
f = session()
f.storbinary("STOR big", io.BytesIO(whole * 8))
for urgent in (False, True):
    conn = f.transfercmd("RETR big")
    conn.recv(1000)
    if urgent: socket.socket.send(f.sock, b"\xf2", socket.MSG_OOB)
    f.sock.sendall(b"ABOR\r\n")
    assert f.getmultiline().startswith("426") and f.getmultiline().startswith("226")
    conn.close()
    assert f.nlst() == ["big"]
"#,
    )
    .map(drop)
}
