//! The command: exit codes, and what it says about a configuration.

use std::fs;
use std::process::{Command, Output};

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

#[test]
fn a_key_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = rcgen::CertificateParams::default()
        .self_signed(&key)
        .expect("signs");
    fs::write(at("slave-cert.pem"), certificate.pem()).expect("writes");
    fs::write(at("slave-authority.pem"), certificate.pem()).expect("writes");
    fs::write(at("slave-key.pem"), key.serialize_pem()).expect("writes");
    fs::set_permissions(at("slave-key.pem"), fs::Permissions::from_mode(0o640)).expect("sets");
    let text = "[master]\naddress = \"localhost:1\"\n[[root]]\npath = \"root\"\n";
    fs::write(at("slave.toml"), text).expect("writes");
    let file = at("slave.toml");
    let output = slave(&["config", "check", "--config", file.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("link.key: "), "{}", said(&output));
    fs::set_permissions(at("slave-key.pem"), fs::Permissions::from_mode(0o600)).expect("sets");
    let output = slave(&["config", "check", "--config", file.to_str().expect("UTF-8")]);
    assert!(said(&output).contains("root.0.path: "), "{}", said(&output));
    assert!(!said(&output).contains("link.key"), "{}", said(&output));
}
