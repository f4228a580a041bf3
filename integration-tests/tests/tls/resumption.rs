//! `tls.data_resumption`: whose data connection it is.

use anyhow::{Result, ensure};
use drftpd_integration_tests::Tool;
use drftpd_integration_tests::client::folder;

use crate::curl::curl_does_everything;
use crate::lftp::Lftp;
use crate::python::python;
use crate::{HALF, certificate, cluster, files, stored, with_password};

#[test]
fn lftp_resumes_its_session_where_that_is_required() -> Result<()> {
    let cluster = cluster(&["tls.data_resumption=\"required\""])?;
    let lftp = Lftp::explicit(&cluster);
    lftp.does_everything("")
}

#[test]
fn curl_resumes_its_session_where_that_is_required_and_is_refused_where_it_must_not() -> Result<()>
{
    let cluster = cluster(&["tls.data_resumption=\"required\"", "tls.login=\"required\""])?;
    let (_gone, dir) = folder()?;
    let url = with_password("ftp", cluster.at("ftp")?);
    let authority = certificate(&cluster);
    let curl = |args: &[&str]| {
        Tool::new("curl", &dir)
            .args(["-sS", "--fail", "--cacert", &authority])
            .args(args)
            .output()
    };
    let listed = curl(&["--ssl-reqd", &format!("{url}/")])?;
    ensure!(listed.status.success(), "{listed:?}");
    let without = curl(&["--ssl-reqd", "--no-sessionid", &format!("{url}/")])?;
    ensure!(!without.status.success(), "{without:?}");
    curl_does_everything(&cluster, &url, &[])?;
    let clear = curl(&[&format!("{url}/")])?;
    ensure!(
        clear.status.code() == Some(67),
        "a login in clear: {clear:?}"
    );
    Ok(())
}

#[test]
fn curl_uses_a_ticket_of_tls_1_3_once_so_the_second_upload_of_a_connection_is_refused() -> Result<()>
{
    let cluster = cluster(&["tls.data_resumption=\"required\""])?;
    let (_gone, dir) = folder()?;
    let whole = files(&dir, 28)?;
    let (url, authority) = (
        with_password("ftp", cluster.at("ftp")?),
        certificate(&cluster),
    );
    let curl = |files: &str| {
        let curl = Tool::new("curl", &dir).args(["-sS", "--ssl-reqd", "--cacert", &authority]);
        let upload = ["--fail-early", "-T", files, &format!("{url}/")];
        curl.args(upload).output()
    };
    let refused = curl("{half.bin,whole.bin}")?;
    ensure!(!refused.status.success(), "{refused:?}");
    stored(&cluster, "half.bin", &whole[..HALF])?;
    cluster.login()?.ask("SIZE whole.bin", 550)?;
    let alone = curl("whole.bin")?;
    ensure!(alone.status.success(), "{alone:?}");
    stored(&cluster, "whole.bin", &whole)
}

#[test]
fn only_the_session_of_the_control_connection_counts_where_it_is_required() -> Result<()> {
    let cluster = cluster(&["tls.data_resumption=\"required\""])?;
    python(
        &cluster,
        r#"
def refused(work):
    try:
        work(); raise SystemExit("served without its session")
    except ftplib.error_perm as e:
        assert str(e).startswith("522"), e
    except (ssl.SSLError, ConnectionError):
        answer = f.getmultiline()
        assert answer.startswith("522"), answer

for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
    f = session(version)
    for at in range(6):
        f.storbinary("STOR mine", io.BytesIO(whole))
        assert fetch(f, "mine") == whole and f.nlst() == ["mine"]
    f.reuse = False
    refused(f.nlst)
    refused(lambda: fetch(f, "mine"))
    refused(lambda: f.storbinary("STOR other", io.BytesIO(b"x" * 100)))
    # Another control session's ticket is as good as none.
    other = session(version)
    other.nlst()
    f.reuse = True
    plain = ftplib.FTP.ntransfercmd
    def stolen(self, cmd, rest=None):
        conn, size = plain(self, cmd, rest)
        return self.context.wrap_socket(conn, server_hostname=self.host, session=other.sock.session), size
    Client.ntransfercmd, kept = stolen, Client.ntransfercmd
    refused(f.nlst)
    refused(lambda: fetch(f, "mine"))
    Client.ntransfercmd = kept
    assert fetch(f, "mine") == whole
    f.delete("mine")
"#,
    )
    .map(drop)
}
