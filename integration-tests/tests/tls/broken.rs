//! Uploads that are cut.

use anyhow::Result;

use crate::cluster;
use crate::python::python;

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
