//! What the doctor says of machines and configurations that are made up.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;

use super::*;

/// A machine on which these addresses and ports are taken.
#[derive(Default)]
struct MadeUp {
    taken: BTreeSet<u16>,
    foreign: Option<&'static str>,
    greets: Option<&'static str>,
    outgoing: Option<(u16, u16)>,
    open_files: Option<u64>,
}

impl Machine for MadeUp {
    fn can_listen(&self, at: SocketAddr) -> io::Result<()> {
        if self.taken.contains(&at.port()) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        match self.foreign.is_some_and(|ip| at.ip().to_string() == ip) {
            true => Err(io::ErrorKind::AddrNotAvailable.into()),
            false => Ok(()),
        }
    }

    fn greeting(&self, _: SocketAddr) -> io::Result<String> {
        let line = self.greets.ok_or(io::ErrorKind::ConnectionRefused)?;
        Ok(line.to_owned())
    }

    fn outgoing_ports(&self) -> Option<(u16, u16)> {
        self.outgoing
    }

    fn open_files(&self) -> Option<u64> {
        self.open_files
    }
}

const NOW: i64 = 1_800_000_000;

fn config(text: &str) -> MasterConfig {
    let mut config: MasterConfig = drftpd_actors::parse(text, None).unwrap();
    config.master.dir = "/nonexistent".into();
    config
}

/// An authority's certificate that was valid for a day from then on.
fn authority(from: i64) -> Vec<u8> {
    let clock = drftpd_actors::Clock::manual(from);
    let dice = drftpd_actors::Dice::seeded(1);
    let made = crate::slaves::Authority::in_memory(clock, dice).unwrap();
    made.certificate().to_vec()
}

fn known() -> Known {
    Known {
        authority: Some(authority(NOW)),
        now: NOW,
        began: NOW - 5,
        ..Known::default()
    }
}

/// What is wrong, or worth a note, each as `area: what`.
fn said(config: &MasterConfig, machine: &MadeUp, known: &Known, severity: Severity) -> Vec<String> {
    let found = examine(config, machine, known);
    for finding in &found {
        let needs_remedy = finding.severity != Severity::Good;
        assert_eq!(needs_remedy, !finding.remedy.is_empty(), "{finding:?}");
    }
    let of = found.into_iter().filter(|it| it.severity == severity);
    of.map(|it| format!("{}: {}", it.area, it.what)).collect()
}

fn wrong(config: &MasterConfig, machine: &MadeUp, known: &Known) -> Vec<String> {
    said(config, machine, known, Severity::Wrong)
}

#[track_caller]
fn says(said: &[String], part: &str) {
    assert!(said.iter().any(|it| it.contains(part)), "{part}: {said:?}");
}

#[test]
fn with_a_sound_machine_nothing_is_wrong() {
    let said = wrong(&config(""), &MadeUp::default(), &known());
    assert_eq!(said, Vec::<String>::new());
}

#[test]
fn taken_ports_and_foreign_addresses_are_named_with_their_keys() {
    let config = config(
        "[ftp]\nlisten = [\"192.0.2.7:21\"]\n[passive]\naddress = \"192.0.2.8\"\nports = \"2122-2123\"",
    );
    let machine = MadeUp {
        taken: [2122, 2123].into(),
        foreign: Some("192.0.2.8"),
        ..MadeUp::default()
    };
    let said = wrong(&config, &machine, &known());
    says(&said, "addresses: slaves.listen: 127.0.0.1:2122");
    says(&said, "addresses: passive.address: 192.0.2.8:0");
    says(
        &said,
        "ports: slaves.listen: port 2122 lies in passive.ports",
    );
    says(&said, "ports: none of the 2 passive ports is free");
    assert!(!said.iter().any(|it| it.contains("ftp.listen")), "{said:?}");
}

#[test]
fn announced_addresses_that_lead_nowhere_are_found() {
    let wild = "[ftp]\nlisten = [\"0.0.0.0:21\"]\n[passive]\nannounce_address = \"127.0.0.1\"\n\
                [clients]\nnetworks = [ { clients = [\"10.0.0.0/8\"], slaves = [ { slave = \"x\" } ] } ]";
    let said = wrong(&config(wild), &MadeUp::default(), &known());
    says(&said, "clients elsewhere go to themselves");
    says(&said, "clients.networks names x, and no such slave");
    let private = config("[ftp]\nlisten = [\"10.0.0.1:21\"]");
    let noted = self::said(&private, &MadeUp::default(), &known(), Severity::Note);
    says(&noted, "227 names a private address");
}

#[test]
fn a_running_master_is_asked_for_its_greeting_and_its_limits() {
    let mut known = known();
    known.serving = Some(vec!["0.0.0.0:21".parse().unwrap()]);
    let mut machine = MadeUp {
        greets: Some("220 ready"),
        open_files: Some(1024),
        outgoing: Some((32_768, 60_999)),
        ..MadeUp::default()
    };
    assert!(wrong(&config(""), &machine, &known).is_empty());
    let noted = said(&config(""), &machine, &known, Severity::Note);
    says(&noted, "1024 open files for 10000 connections");
    says(
        &noted,
        "1000 passive ports are also given to outgoing connections",
    );
    machine.greets = Some("421 Too many connections");
    says(&wrong(&config(""), &machine, &known), "does not greet: 421");
    machine.greets = None;
    says(
        &wrong(&config(""), &machine, &known),
        "is not reached from this machine",
    );
}

#[test]
fn a_clock_that_is_behind_shows_in_the_store_and_in_certificates() {
    let mut known = known();
    known.began = NOW + 3600;
    says(
        &wrong(&config(""), &MadeUp::default(), &known),
        "3600 s behind the last start",
    );
    known.authority = Some(authority(NOW + 10 * 86_400));
    says(
        &wrong(&config(""), &MadeUp::default(), &known),
        "authority is valid only from",
    );
    known.now = 1_000_000_000;
    says(
        &wrong(&config(""), &MadeUp::default(), &known),
        "before 2026",
    );
    known.now = NOW + 100 * 365 * 86_400;
    known.began = NOW;
    says(
        &wrong(&config(""), &MadeUp::default(), &known),
        "authority was valid until",
    );
    known.authority = None;
    says(
        &wrong(&config(""), &MadeUp::default(), &known),
        "has no authority",
    );
}

#[test]
fn a_certificate_that_an_authority_does_not_give_is_said_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = config("[tls.acme]\nagree_to_terms = true\ndomains = [\"ftp.example.net\"]");
    config.master.dir = dir.path().into();
    let machine = MadeUp {
        taken: [80].into(),
        ..MadeUp::default()
    };
    says(
        &wrong(&config, &machine, &known()),
        "tls.acme.http_listen: [::]:80",
    );
    let machine = MadeUp::default();
    let noted = said(&config, &machine, &known(), Severity::Note);
    says(&noted, "has not given a certificate yet");
    let folder = crate::acme::files::Folder::of(&config);
    let record = crate::acme::plan::Record {
        failures: 4,
        failing_since: NOW - 3600,
        why: "ftp.example.net: connection refused".to_owned(),
        next_try: NOW + 600,
        ..Default::default()
    };
    folder.store_record(&record).unwrap();
    let said_wrong = wrong(&config, &machine, &known());
    says(&said_wrong, "orders fail, 4 times since");
    says(&said_wrong, "ftp.example.net: connection refused");
    std::fs::write(dir.path().join("acme/certificate.pem"), "no certificate").unwrap();
    says(&wrong(&config, &machine, &known()), "certificate.pem");
}

#[test]
fn keys_that_others_can_read_and_missing_certificates_are_found() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let mut config = config("");
    config.master.dir = dir.path().into();
    let folder = config.master.authority();
    std::fs::create_dir_all(&folder).unwrap();
    let key = folder.join("key.pem");
    std::fs::write(&key, "x").unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    says(
        &wrong(&config, &MadeUp::default(), &known()),
        "key.pem can be read by others (mode 644)",
    );
    config.tls.certificate = Some(dir.path().join("none.pem"));
    config.tls.key = Some(dir.path().join("none.key"));
    says(&wrong(&config, &MadeUp::default(), &known()), "none.pem");
    config.api.certificate = Some(dir.path().join("api.pem"));
    config.api.key = Some(dir.path().join("api.key"));
    says(&wrong(&config, &MadeUp::default(), &known()), "api.pem");
}

#[test]
fn accounts_that_need_a_certificate_are_named_where_nobody_is_asked_for_one() {
    let two = Known {
        need_certificate: 2,
        ..known()
    };
    let said = wrong(&config(""), &MadeUp::default(), &two);
    says(&said, "certificates: 2 accounts need a certificate");
    let asked = config("[tls]\nclient_certificates = true");
    assert_eq!(
        wrong(&asked, &MadeUp::default(), &two),
        Vec::<String>::new()
    );
}
