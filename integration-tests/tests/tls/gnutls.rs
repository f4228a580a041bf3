//! curl as Debian builds it with GnuTLS: the library, driven by Python's pycurl. (The program curl has OpenSSL.)

use std::path::Path;

use anyhow::{Result, ensure};
use drftpd_integration_tests::client::folder;
use drftpd_integration_tests::cluster::{PASSWORD, USER};
use drftpd_integration_tests::{Cluster, Tool};

use crate::{HALF, certificate, cluster, files};

/// Debian's own, for which its packages are.
const PYTHON: &str = "/usr/bin/python3";

/// Runs a script in `dir`; `curl(url, …)` does one transfer, `up(url, bytes, …)` an upload, with these options.
pub fn gnutls(cluster: &Cluster, dir: &Path, script: &str) -> Result<String> {
    let head = format!(
        r#"
import io, pycurl
assert "GnuTLS" in pycurl.version, pycurl.version
HALF = {HALF}
explicit, implicit = "ftp://{ftp}", "ftps://{ftps}"
only_tls_1_2 = (pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2 | pycurl.SSLVERSION_MAX_TLSv1_2)
pret = (188, 1)                                     # CURLOPT_FTP_USE_PRET, for which pycurl has no name

def curl(url, *options):
    c, got = pycurl.Curl(), io.BytesIO()
    always = [(pycurl.URL, url), (pycurl.USERNAME, "{USER}"), (pycurl.PASSWORD, "{PASSWORD}"), (pycurl.TIMEOUT, 60),
              (pycurl.USE_SSL, pycurl.USESSL_ALL), (pycurl.CAINFO, "{authority}"), (pycurl.WRITEDATA, got),
              (pycurl.FTP_CREATE_MISSING_DIRS, 1)]
    for key, value in [*always, *options]: c.setopt(key, value)
    c.perform()
    c.close()
    return got.getvalue()

def up(url, data, *options):
    file = io.BytesIO(data)
    def seek(at, whence):
        file.seek(at, whence)
        return pycurl.SEEKFUNC_OK
    curl(url, (pycurl.UPLOAD, 1), (pycurl.READDATA, file), (pycurl.SEEKFUNCTION, seek),
         (pycurl.INFILESIZE_LARGE, len(data)), *options)
"#,
        ftp = cluster.at("ftp")?,
        ftps = cluster.at("ftps")?,
        authority = certificate(cluster),
    );
    Tool::new(PYTHON, dir)
        .args(["-c", &format!("{head}{script}")])
        .run()
}

#[test]
fn curl_with_gnutls_does_everything_explicit_and_implicit() -> Result<()> {
    let cluster = cluster(&[])?;
    let (_gone, dir) = folder()?;
    files(&dir, 26)?;
    let script = r#"
whole = open("whole.bin", "rb").read()
for site in (explicit, implicit):
    for options in ([], [only_tls_1_2], [pret]):
        at = lambda name: f"{site}/g/{name}"
        up(at("whole.bin"), whole, *options)
        assert curl(at("whole.bin"), *options) == whole
        assert b" whole.bin" in curl(at(""), *options)
        assert curl(at("whole.bin"), (pycurl.RESUME_FROM_LARGE, HALF), *options) == whole[HALF:]
        up(at("part.bin"), whole[:HALF], *options)
        up(at("part.bin"), whole, (pycurl.RESUME_FROM_LARGE, -1), *options)
        assert curl(at("part.bin"), *options) == whole
        gone = ["DELE g/part.bin", "DELE g/whole.bin", "RMD g"]
        curl(f"{site}/", (pycurl.QUOTE, gone), (pycurl.NOBODY, 1), *options)
"#;
    gnutls(&cluster, &dir, script).map(drop)
}

#[test]
fn curl_with_gnutls_asks_for_no_tickets_so_where_resumption_is_required_it_is_refused() -> Result<()>
{
    let cluster = cluster(&["tls.data_resumption=\"required\""])?;
    let (_gone, dir) = folder()?;
    let script = r#"
for options in ([], [only_tls_1_2]):
    for refused in (lambda: curl(f"{explicit}/", *options), lambda: up(f"{explicit}/x", b"x" * 100_000, *options)):
        try:
            refused(); raise SystemExit("served without its session")
        except pycurl.error as why:
            assert why.args[0] in (pycurl.E_RECV_ERROR, pycurl.E_SEND_ERROR, pycurl.E_SSL_CONNECT_ERROR, pycurl.E_PARTIAL_FILE), why
"#;
    gnutls(&cluster, &dir, script)?;
    ensure!(
        cluster.login()?.ask("SIZE x", 550).is_ok(),
        "it left something"
    );
    Ok(())
}
