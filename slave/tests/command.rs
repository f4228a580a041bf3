//! The command: exit codes, and what it says about a configuration.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

fn slave(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_drftpd-slave"));
    command.args(arguments).output().expect("runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn wrong_usage_is_exit_code_2() {
    for arguments in [
        &[][..],
        &["run"],
        &["serve"],
        &[
            "join",
            "--master",
            "nowhere",
            "--token",
            "drftpd1.AA",
            "--root",
            "x",
            "--config",
            "y",
        ],
    ] {
        assert_eq!(slave(arguments).status.code(), Some(2), "{arguments:?}");
    }
    assert_eq!(slave(&["--help"]).status.code(), Some(0));
    assert_eq!(slave(&["--version"]).status.code(), Some(0));
}

#[test]
fn every_error_of_a_configuration_is_named_with_its_file_and_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("slave.toml");
    fs::write(
        &file,
        "[link]\nmax_calls = 0\ncolour = 1\n[storage]\nfsync = \"maybe\"\n",
    )
    .expect("writes");
    let path = file.to_str().expect("UTF-8");
    for arguments in [
        &["config", "check", "--config", path][..],
        &["run", "--config", path],
    ] {
        let output = slave(arguments);
        assert_eq!(output.status.code(), Some(2));
        let said = said(&output);
        for key in [
            "link.max_calls",
            "link.colour",
            "storage.fsync",
            "master.address",
            "root",
        ] {
            let line = said.lines().find(|line| line.contains(&format!("{key}: ")));
            assert!(
                line.is_some_and(|line| line.starts_with(path)),
                "{key} in {said}"
            );
        }
    }
}

#[test]
fn a_configuration_that_is_not_there_is_exit_code_2() {
    let output = slave(&["run", "--config", "/nonexistent/slave.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said(&output).contains("/nonexistent/slave.toml: "),
        "{}",
        said(&output)
    );
}

/// A configuration that can be used, of a slave whose master is not there.
fn lonely(folder: &Path) -> PathBuf {
    let at = |name: &str| folder.join(name);
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = rcgen::CertificateParams::default().self_signed(&key);
    let certificate = certificate.expect("signs").pem();
    fs::write(at("slave-cert.pem"), &certificate).expect("writes");
    fs::write(at("slave-authority.pem"), &certificate).expect("writes");
    fs::write(at("slave-key.pem"), key.serialize_pem()).expect("writes");
    fs::set_permissions(at("slave-key.pem"), fs::Permissions::from_mode(0o600)).expect("sets");
    let text = "[slave]\nname = \"disk-1\"\n[master]\naddress = \"127.0.0.1:1\"\n[[root]]\npath = \"root\"\n";
    fs::write(at("slave.toml"), text).expect("writes");
    at("slave.toml")
}

#[test]
fn a_slave_reloads_on_sighup_and_ends_in_peace_on_sigterm() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = lonely(folder.path());
    let mut slave = Command::new(env!("CARGO_BIN_EXE_drftpd-slave"))
        .args(["run", "--config", config.to_str().expect("UTF-8")])
        .stderr(Stdio::piped())
        .spawn()
        .expect("runs");
    let pid = Pid::from_child(&slave);
    let mut lines = BufReader::new(slave.stderr.take().expect("is piped")).lines();
    let mut until = |what: &str| {
        let line = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains(what)));
        assert!(line.is_some(), "never said: {what}");
    };
    until("slave begins");
    until("no link to the master");
    let text = fs::read_to_string(&config).expect("reads");
    fs::write(
        &config,
        text + "[storage]\nthreads = 3\n[transfer]\nmax_transfers = 5\n",
    )
    .expect("writes");
    kill_process(pid, Signal::HUP).expect("is there");
    until("count after the next start");
    until("the configuration was reloaded");
    fs::write(&config, "nonsense").expect("writes");
    kill_process(pid, Signal::HUP).expect("is there");
    until("goes on with the old configuration");
    kill_process(pid, Signal::TERM).expect("is there");
    until("slave ends");
    assert_eq!(slave.wait().expect("ends").code(), Some(0));
}

#[test]
fn a_key_that_others_may_read_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = lonely(folder.path());
    let key = folder.path().join("slave-key.pem");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).expect("sets");
    let output = slave(&["config", "check", "--config", file.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("link.key: "), "{}", said(&output));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("sets");
    let output = slave(&["config", "check", "--config", file.to_str().expect("UTF-8")]);
    assert!(said(&output).contains("root.0.path: "), "{}", said(&output));
    assert!(!said(&output).contains("link.key"), "{}", said(&output));
}
