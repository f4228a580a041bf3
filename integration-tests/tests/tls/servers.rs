//! Transfers between servers that are both ours.

use anyhow::Result;

use crate::cluster;
use crate::python::python;

/// What all scripts begin with.
const HEAD: &str = r#"
def pasv(f, verb): return ftplib.parse227(f.sendcmd(verb))
def port(f, at):
    host, number = at
    f.sendcmd("PORT " + ",".join(host.split(".") + [str(number >> 8), str(number & 255)]))

source, target = session(), session()
source.storbinary("STOR x", io.BytesIO(whole))
"#;

#[test]
fn between_servers_one_side_begins_the_handshake_and_ours_know_each_other() -> Result<()> {
    let cluster = cluster(&["accounts.administrators_fxp=true", "tls.data=\"required\""])?;
    let script = r#"
for number, (pret, client) in enumerate([(True, "CPSV"), (True, "SSCN"), (False, "CPSV"), (False, "SSCN"), (True, "SSCN target")]):
    name = f"y{number}"
    if pret: source.sendcmd("PRET RETR x")
    if client == "SSCN": source.sendcmd("SSCN ON")
    if client == "SSCN target": target.sendcmd("SSCN ON")
    at = pasv(source, "CPSV" if client == "CPSV" else "PASV")
    port(target, at)
    # Either side may be the first to hear of its transfer.
    verbs = [(target, "STOR " + name), (source, "RETR x")]
    for f, verb in reversed(verbs) if number % 2 else verbs:
        assert f.sendcmd(verb).startswith("150")
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
# One that begins before the other was sent there.
source.sendcmd("PRET RETR x")
at = pasv(source, "CPSV")
assert source.sendcmd("RETR x").startswith("150")
port(target, at)
assert target.sendcmd("STOR early").startswith("150")
assert target.getresp().startswith("226") and source.getresp().startswith("226")
assert fetch(source, "early") == whole
# A listing goes from the master to a slave.
target.sendcmd("PRET STOR list")
at = pasv(target, "PASV")
source.sendcmd("SSCN ON")
port(source, at)
assert target.sendcmd("STOR list").startswith("150")
assert source.sendcmd("NLST").startswith("150")
assert target.getresp().startswith("226") and source.getresp().startswith("226")
source.sendcmd("SSCN OFF")
assert b"early" in fetch(source, "list")
"#;
    python(&cluster, &format!("{HEAD}{script}")).map(drop)
}

#[test]
fn a_stranger_who_comes_first_between_two_of_ours_gets_nothing_and_breaks_nothing() -> Result<()> {
    let cluster = cluster(&["accounts.administrators_fxp=true"])?;
    let script = r#"
def stranger(at, context, mine):
    plain = socket.create_connection(at, 20)
    try:
        got = context.wrap_socket(plain, server_hostname=at[0], session=mine).recv(100)
    except (ssl.SSLError, ConnectionError):
        got = b""
    assert got == b"", got

anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
for number, with_ticket in enumerate((False, True)):
    source.sendcmd("PRET RETR x")
    at = pasv(source, "PASV")
    target.sendcmd("SSCN ON")
    port(target, at)
    assert source.sendcmd("RETR x").startswith("150")
    if with_ticket: stranger(at, context, source.sock.session)
    else: stranger(at, anybody, None)
    assert target.sendcmd(f"STOR y{number}").startswith("150")
    assert target.getresp().startswith("226") and source.getresp().startswith("226")
    target.sendcmd("SSCN OFF")
    assert fetch(source, f"y{number}") == whole
"#;
    python(&cluster, &format!("{HEAD}{script}")).map(drop)
}
