//! What is told of people: logs of a login and of transfers, the user line; whom `who` does not show; what everybody feels
//! of a ban, and of `[accounts]` that is read again.

use std::fs;
use std::io::Write;
use std::net::Shutdown;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use drftpd_integration_tests::client::folder;
use drftpd_integration_tests::cluster::edit;
use drftpd_integration_tests::{Cluster, ClusterSpec, Ftp, Mode};
use rustix::process::Signal;
use serde_json::Value;

/// Passwords that are said here; the second one is wrong.
const SECRETS: [&str; 3] = ["Qfirst-5ecret", "Qwrong-5ecret", "Qother-5ecret"];

fn cluster(master: &[String]) -> Result<Cluster> {
    Cluster::with(ClusterSpec {
        slaves: 1,
        master: master.to_vec(),
        ..ClusterSpec::default()
    })
}

/// Sends a file; all lines of 226.
fn sent(ftp: &mut Ftp, name: &str, bytes: &[u8]) -> Result<Vec<String>> {
    let data = ftp.data(Mode::Pret, "STOR", name)?;
    ftp.ask(&format!("STOR {name}"), 150)?;
    let mut stream = data.stream()?;
    stream.write_all(bytes)?;
    stream.shutdown(Shutdown::Write)?;
    ftp.expect(226)
}

#[test]
fn a_login_and_transfers_are_in_every_log_and_secrets_in_none() -> Result<()> {
    let (_gone, dir) = folder()?;
    fs::write(
        dir.join("theme.txt"),
        "transfer_line = [${user}/${group}] [Credits: ${credits}] [Ratio: ${ratio}]\n",
    )?;
    let file = |name: &str| dir.join(name).display().to_string();
    let cluster = cluster(&[
        format!("log.xferlog={:?}", file("xferlog")),
        format!("log.events={:?}", file("events.jsonl")),
        format!("log.glftpd={:?}", file("glftpd.log")),
        format!("pages.folder={:?}", dir.display().to_string()),
        "pages.user_line=\"transfers\"".to_owned(),
    ])?;
    let mut root = cluster.login()?;
    root.ask("SITE GRPADD crew", 200)?;
    root.ask(&format!("SITE GADDUSER crew ann {}", SECRETS[0]), 200)?;
    root.ask("SITE CHANGE ann ratio 3", 200)?;
    root.ask("SITE CHANGE ann tagline all is well", 200)?;
    let mut stranger = Ftp::connect(cluster.ftp)?;
    stranger.ask("USER ann", 331)?;
    stranger.ask(&format!("PASS {}", SECRETS[1]), 530)?;
    let mut ann = Ftp::login(cluster.ftp, "ann", SECRETS[0])?;
    ann.ask("MKD made here", 257)?;
    let said = sent(&mut ann, "made here/up.bin", &[7; 5000])?.join("\n");
    ensure!(
        said.contains("[ann/crew] [Credits: 14.6 KiB] [Ratio: 1:3]"),
        "{said}"
    );
    ensure!(ann.get(Mode::Pret, "made here/up.bin")?.len() == 5000);
    ann.ask("DELE made here/up.bin", 250)?;
    ann.ask("RMD made here", 250)?;
    ann.ask(&format!("SITE PASSWD {}", SECRETS[2]), 200)?;
    ann.ask("QUIT", 221)?;
    root.ask(&format!("SITE CHPASS ann {}", SECRETS[0]), 200)?;

    let read = |name: &str| fs::read_to_string(dir.join(name)).unwrap_or_default();
    cluster.wait_until("ann has gone in all logs", |_| {
        let gone = |line: &str| line.contains("login.changed") && line.contains("\"in\":false");
        Ok(read("events.jsonl").lines().any(gone)
            && read("events.jsonl").contains("dir.removed")
            && ["LOGOUT", "DELDIR"]
                .iter()
                .all(|it| read("glftpd.log").contains(it))
            && read("xferlog").lines().count() == 3)
    })?;
    has_events(&read("events.jsonl"))?;
    let glftpd = read("glftpd.log");
    for line in [
        "NEWDIR: \"/made here\" \"ann\" \"crew\" \"all is well\"",
        "DELDIR: \"/made here\" \"ann\" \"crew\" \"all is well\"",
        "LOGIN: \"*@127.0.0.1\" \"127.0.0.1\" \"ann\" \"crew\" \"all is well\"",
        "LOGOUT: \"*@127.0.0.1\" \"127.0.0.1\" \"ann\" \"crew\" \"all is well\"",
    ] {
        ensure!(glftpd.contains(line), "{line} is not in {glftpd}");
    }
    let xferlog = read("xferlog");
    for line in [
        " 127.0.0.1 5000 /made_here/up.bin b _ i r ann ftp 0 * c",
        " 127.0.0.1 5000 /made_here/up.bin b _ o r ann ftp 0 * c",
        " 127.0.0.1 5000 /made_here/up.bin b _ d r ann ftp 0 * c",
    ] {
        ensure!(xferlog.contains(line), "{line} is not in {xferlog}");
    }
    no_secret(&cluster, &dir)
}

fn has_events(text: &str) -> Result<()> {
    let events: Result<Vec<Value>, _> = text.lines().map(serde_json::from_str).collect();
    let events = events?;
    let of = |event: &'static str| events.iter().filter(move |it| it["event"] == event);
    for (event, path) in [
        ("dir.made", "/made here"),
        ("file.uploaded", "/made here/up.bin"),
        ("file.downloaded", "/made here/up.bin"),
        ("file.deleted", "/made here/up.bin"),
        ("dir.removed", "/made here"),
    ] {
        let one = of(event)
            .next()
            .with_context(|| format!("{event} in {text}"))?;
        ensure!(one["path"] == path && one["seq"].is_u64(), "{one}");
    }
    let mut logins = of("login.changed").filter(|it| it["user"] == "ann");
    ensure!(logins.next().is_some_and(|it| it["in"] == true), "{text}");
    ensure!(logins.next().is_some_and(|it| it["in"] == false), "{text}");
    ensure!(of("login.failed").count() == 1, "{text}");
    ensure!(of("transfer.ended").count() == 2, "{text}");
    Ok(())
}

/// Looks into every log, the audit log too.
fn no_secret(cluster: &Cluster, dir: &Path) -> Result<()> {
    let master = cluster.master.as_ref().context("a master")?;
    let audit = cluster.ctl(&["audit", "list", "limit=1000"])?.to_string();
    ensure!(
        audit.contains("user password") && audit.contains("passwd"),
        "{audit}"
    );
    let mut logs = vec![
        ("the log".to_owned(), master.log()),
        ("audit".to_owned(), audit),
    ];
    for name in ["xferlog", "events.jsonl", "glftpd.log"] {
        logs.push((name.to_owned(), fs::read_to_string(dir.join(name))?));
    }
    for (name, log) in logs {
        ensure!(log.contains("ann"), "{name} tells of nobody");
        for secret in SECRETS {
            ensure!(!log.contains(secret), "{secret} is in {name}");
        }
    }
    Ok(())
}

/// Permissions under which all may ask who is there, and ann is not shown.
const HIDDEN: &str = r#"
download = [{ path = "*", who = "*" }]
upload = [{ path = "*", who = "*" }]
hideinwho = [{ path = "*", who = "-ann" }]
[commands]
who = "*"
idlers = "*"
uploaders = "*"
leechers = "*"
speed = "*"
"#;

/// All lines of an answer.
fn shows(ftp: &mut Ftp, line: &str) -> Result<String> {
    ftp.send(line)?;
    Ok(ftp.expect(200)?.join("\n"))
}

#[test]
fn who_is_hidden_is_shown_to_operators_alone() -> Result<()> {
    let (_gone, dir) = folder()?;
    let rights = dir.join("permissions.toml");
    fs::write(&rights, HIDDEN)?;
    let cluster = cluster(&[format!("rights.file={:?}", rights.display().to_string())])?;
    let mut root = cluster.login()?;
    for name in ["ann", "bob"] {
        root.ask(&format!("SITE ADDUSER {name} hush4711"), 200)?;
    }
    let mut ann = Ftp::login(cluster.ftp, "ann", "hush4711")?;
    let mut bob = Ftp::login(cluster.ftp, "bob", "hush4711")?;
    let data = ann.data(Mode::Pret, "STOR", "up.bin")?;
    ann.ask("STOR up.bin", 150)?;
    let mut stream = data.stream()?;
    stream.write_all(&[7; 5000])?;
    for line in [
        "SITE WHO",
        "SITE SWHO",
        "SITE UPLOADERS",
        "SITE SPEED ann",
        "SITE IDLERS",
    ] {
        let shown = shows(&mut bob, line)?.replace("SPEED ann", "");
        ensure!(
            !shown.contains("ann") && !shown.contains("up.bin"),
            "{line}: {shown}"
        );
    }
    ensure!(shows(&mut bob, "SITE WHO")?.contains("bob"));
    for line in ["SITE WHO", "SITE UPLOADERS"] {
        let shown = shows(&mut root, line)?;
        ensure!(shown.contains("ann"), "{line}: {shown}");
    }
    let who = cluster.ctl(&["who"])?.to_string();
    ensure!(who.contains("\"ann\"") && who.contains("\"bob\""), "{who}");
    stream.shutdown(Shutdown::Write)?;
    ann.expect(226).map(drop)
}

/// What somebody hears at PASS.
fn tries(cluster: &Cluster, user: &str, code: u16) -> Result<String> {
    let mut ftp = Ftp::connect(cluster.ftp)?;
    ftp.ask(&format!("USER {user}"), 331)?;
    ftp.ask("PASS hush4711", code)
}

/// Changes a key of the master's file and has it read again.
fn reloads(cluster: &Cluster, key: &str, value: &str) -> Result<()> {
    edit(
        &cluster.master_config(),
        &[format!("accounts.{key}={value}")],
    )?;
    let master = cluster.master.as_ref().context("a master")?;
    master.signal(Signal::HUP)?;
    cluster.wait_until("it counts", |cluster| {
        let shown = cluster.ctl(&["config", "show", "accounts"])?.to_string();
        Ok(shown.contains(&format!("{key:?}:{value}"))
            || shown.contains(&format!("{key} = {value}")))
    })
}

#[test]
fn a_ban_of_everybody_and_new_rules_of_accounts_count_at_once_and_are_lifted() -> Result<()> {
    let cluster = cluster(&[])?;
    let mut root = cluster.login()?;
    for name in ["ann", "second"] {
        root.ask(&format!("SITE ADDUSER {name} hush4711"), 200)?;
    }
    root.ask("SITE CHANGE second admin yes", 200)?;
    let mut ann = Ftp::login(cluster.ftp, "ann", "hush4711")?;
    let mut second = Ftp::login(cluster.ftp, "second", "hush4711")?;
    root.ask("SITE BANALL 5 soon back", 200)?;
    for session in [&mut ann, &mut second] {
        ensure!(session.expect(421)?.concat().contains("soon back"));
    }
    for name in ["ann", "second"] {
        ensure!(tries(&cluster, name, 530)?.contains("soon back"));
    }
    let mut again = cluster.login()?;
    again.ask("SITE UNBANALL", 200)?;
    for name in ["ann", "second"] {
        tries(&cluster, name, 230)?;
    }

    let mut ann = Ftp::login(cluster.ftp, "ann", "hush4711")?;
    reloads(&cluster, "require_mask", "true")?;
    tries(&cluster, "ann", 530)?;
    ann.ask("PWD", 257)?;
    root.ask("SITE ADDIP ann *@127.*", 200)?;
    tries(&cluster, "ann", 230)?;
    reloads(&cluster, "require_mask", "false")?;
    root.ask("SITE DELIP ann *@127.*", 200)?;
    tries(&cluster, "ann", 230).map(drop)
}

#[test]
fn who_has_messages_hears_so_until_they_are_read_and_never_what_they_say() -> Result<()> {
    let cluster = cluster(&[])?;
    let mut root = cluster.login()?;
    root.ask("SITE GRPADD crew", 200)?;
    for name in ["ann", "bob"] {
        root.ask(&format!("SITE GADDUSER crew {name} {}", SECRETS[0]), 200)?;
    }
    let mut ann = Ftp::login(cluster.ftp, "ann", SECRETS[0])?;
    let mut bob = Ftp::login(cluster.ftp, "bob", SECRETS[0])?;
    let enters = |ftp: &mut Ftp| -> Result<String> {
        ftp.send("CWD /")?;
        Ok(ftp.expect(250)?.join("\n"))
    };
    ensure!(!enters(&mut ann)?.contains("message"));
    bob.ask("SITE MSG ann the tape is in the drawer", 200)?;
    cluster.ctl(&["message", "send", "=crew", "down at noon"])?;
    let heard = enters(&mut ann)?;
    ensure!(
        heard.contains("You have 2 new messages: SITE MSGS"),
        "{heard}"
    );
    ensure!(!heard.contains("drawer"), "{heard}");
    bob.ask("SITE MSG * to all of you", 501)?;
    bob.ask("SITE MSG nobody is there", 200)?;
    root.ask("SITE MSG nobody is there", 501)?;
    let shown = shows(&mut ann, "SITE MSGS")?;
    ensure!(
        shown.contains("bob") && shown.contains("the tape is in the drawer"),
        "{shown}"
    );
    ensure!(shown.contains("down at noon"), "{shown}");
    ensure!(!enters(&mut ann)?.contains("message"));
    ann.ask("SITE MSGCLEAR", 200)?;
    ensure!(!shows(&mut ann, "SITE MSGS")?.contains("drawer"));
    let mut again = Ftp::connect(cluster.ftp)?;
    again.ask("USER bob", 331)?;
    again.send(&format!("PASS {}", SECRETS[0]))?;
    let welcome = again.expect(230)?.join("\n");
    ensure!(
        welcome.contains("You have a new message: SITE MSGS"),
        "{welcome}"
    );
    Ok(())
}
