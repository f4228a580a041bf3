//! Transfers between servers that are both ours.

use anyhow::Result;

use crate::cluster;
use crate::python::python;

#[test]
fn between_servers_one_side_begins_the_handshake_and_ours_know_each_other() -> Result<()> {
    let cluster = cluster(&["accounts.administrators_fxp=true", "tls.data=\"required\""])?;
    python(
        &cluster,
        r#"
def pasv(f, verb): return ftplib.parse227(f.sendcmd(verb))
def port(f, at):
    host, number = at
    f.sendcmd("PORT " + ",".join(host.split(".") + [str(number >> 8), str(number & 255)]))

source, target = session(), session()
source.storbinary("STOR x", io.BytesIO(whole))
for number, (pret, client) in enumerate([(True, "CPSV"), (True, "SSCN"), (False, "CPSV"), (False, "SSCN"), (True, "SSCN target")]):
    name = f"y{number}"
    if pret: source.sendcmd("PRET RETR x")
    if client == "SSCN": source.sendcmd("SSCN ON")
    if client == "SSCN target": target.sendcmd("SSCN ON")
    at = pasv(source, "CPSV" if client == "CPSV" else "PASV")
    port(target, at)
    assert target.sendcmd("STOR " + name).startswith("150")
    assert source.sendcmd("RETR x").startswith("150")
    assert target.getresp().startswith("226") and source.getresp().startswith("226")
    source.sendcmd("SSCN OFF"); target.sendcmd("SSCN OFF")
    assert fetch(source, name) == whole
# The other way round: the target listens.
target.sendcmd("PRET STOR z")
port(source, pasv(target, "CPSV"))
assert source.sendcmd("RETR x").startswith("150")
assert target.sendcmd("STOR z").startswith("150")
assert target.getresp().startswith("226") and source.getresp().startswith("226")
assert fetch(source, "z") == whole
"#,
    )
    .map(drop)
}
