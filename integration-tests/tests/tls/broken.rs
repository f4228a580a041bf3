//! Uploads that are cut, and many that are not.

use std::fs;

use anyhow::Result;
use drftpd_integration_tests::client::folder;
use drftpd_integration_tests::{Bytes, Mode, Tool};

use crate::lftp::Lftp;
use crate::python::python;
use crate::{certificate, cluster, same, with_password};

/// As many small uploads by each client, all of them whole.
const MANY: usize = 50;

#[test]
fn an_upload_without_the_last_word_of_tls_is_partial_and_can_be_resumed() -> Result<()> {
    let cluster = cluster(&[])?;
    python(
        &cluster,
        r#"
def fin(conn):
    conn.shutdown(socket.SHUT_RDWR)          # of the socket: TLS says nothing
    conn.close()
def rst(conn):
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(conn.detach())

for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
    for way in ("relay", "active"):
        for cut in (fin, rst):
            f = session(version)
            f.set_pasv(way == "relay")
            conn = f.transfercmd("STOR cut.bin")
            conn.sendall(whole[:HALF])
            cut(conn)
            try:
                f.voidresp(); raise SystemExit("a stump was taken for a file")
            except ftplib.error_temp as e:
                assert str(e).startswith("426"), e
            try:
                fetch(f, "cut.bin"); raise SystemExit("a stump was served")
            except ftplib.error_temp as e:
                assert str(e).startswith("450"), e
            there = f.size("cut.bin")
            assert 0 <= there <= HALF, there
            f.storbinary("STOR cut.bin", io.BytesIO(whole[there:]), rest=there)
            assert fetch(f, "cut.bin") == whole
            f.delete("cut.bin")
            f.quit()
"#,
    )
    .map(drop)
}

#[test]
fn fifty_uploads_by_each_client_are_all_whole() -> Result<()> {
    let lftp = Lftp::explicit(cluster(&[])?);
    let (cluster, (_gone, dir)) = (&lftp.cluster, folder()?);
    let mut all = Vec::new();
    for number in 1..=MANY {
        let bytes = Bytes::vec(1000 + number as u64, 1 << 20);
        fs::write(dir.join(format!("f{number}.bin")), &bytes)?;
        all.push(bytes);
    }
    lftp.run(&dir, "", "mkdir by-lftp; cd by-lftp; mput f*.bin")?;
    let url = with_password("ftp", cluster.at("ftp")?);
    let authority = certificate(cluster);
    Tool::new("curl", &dir)
        .args(["-sS", "--fail", "--ssl-reqd", "--cacert", &authority])
        .args(["--ftp-create-dirs", "-T", &format!("f[1-{MANY}].bin")])
        .args([&format!("{url}/by-curl/")])
        .run()?;
    python(
        cluster,
        &format!(
            "f = session()\nf.mkd('by-python'); f.cwd('by-python')\n\
             for number in range(1, {MANY} + 1):\n    \
             f.storbinary(f'STOR f{{number}}.bin', open(f'{}/f{{number}}.bin', 'rb'))\n",
            dir.display()
        ),
    )?;
    for by in ["by-lftp", "by-curl", "by-python"] {
        let mut ftp = cluster.login()?;
        for (number, bytes) in (1..).zip(&all) {
            let path = format!("{by}/f{number}.bin");
            same(&ftp.get(Mode::Pret, &path)?, bytes, &path)?;
        }
    }
    Ok(())
}
