//! Where TLS must, may or must not be, and who sees what there is.

use anyhow::{Result, ensure};
use drftpd_integration_tests::client::folder;
use drftpd_integration_tests::cluster::{PASSWORD, USER};
use drftpd_integration_tests::{Ftp, Mode, Tool};

use crate::{certificate, cluster, who};

#[test]
fn a_network_may_be_let_in_without_tls_where_all_others_need_it() -> Result<()> {
    let strict = "tls.login=\"required\"";
    let files = "tls.data=\"required\"";
    let closed = cluster(&[strict, files])?;
    let mut ftp = Ftp::connect(closed.ftp)?;
    let said = ftp.ask(&format!("USER {USER}"), 530)?;
    ensure!(said.contains("AUTH TLS"), "{said}");
    let scanners =
        "tls.networks=[{ from = [\"127.0.0.0/8\"], login = \"allowed\", data = \"allowed\" }]";
    let open = cluster(&[strict, files, scanners])?;
    let mut ftp = open.login()?;
    ftp.put(Mode::Pret, "scan.pdf", b"%PDF")?;
    ensure!(ftp.get(Mode::Pasv, "scan.pdf")? == b"%PDF");
    Ok(())
}

#[test]
fn who_shows_what_a_session_has_of_tls() -> Result<()> {
    let cluster = cluster(&[])?;
    let (_gone, dir) = folder()?;
    let script = format!(
        "set ssl:ca-file {}; set ftp:ssl-protect-list yes; open -u {USER},\"{PASSWORD}\" ftp://{}; ls; \
         site WHO",
        certificate(&cluster),
        cluster.ftp
    );
    let said = Tool::new("lftp", &dir).args(["-c", &script]).run()?;
    ensure!(said.contains("1.3, data resumed"), "{said}");
    ensure!(who(&cluster)?.is_null());
    Ok(())
}
