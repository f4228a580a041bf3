//! What the configuration refuses, and that its document is whole.

use std::collections::BTreeSet;

use super::document::DOCUMENT;
use super::*;

/// `key` errors of a text, in the order of the keys.
fn errors(text: &str) -> Vec<(String, String)> {
    let file = Path::new("m.toml");
    let read = drftpd_actors::parse::<MasterConfig>(text, Some(file));
    let mut errors: Vec<_> = read
        .expect_err(text)
        .into_iter()
        .inspect(|error| assert_eq!(error.file.as_deref(), Some(file), "{error}"))
        .map(|error| (error.key, error.why))
        .collect();
    errors.sort();
    errors
}

#[test]
fn every_wrong_value_is_named_by_its_key() {
    let table: &[(&str, &[&str])] = &[
        ("[ftp]\nlisten = []", &["ftp.listen"]),
        ("[ftp]\nlisten = [\"localhost\"]", &["ftp.listen[0]"]),
        ("[ftp]\nlistn = [\"127.0.0.1:1\"]", &["ftp.listn"]),
        ("[ftpd]\nlisten = 1", &["ftpd"]),
        ("[ftp]\nidle_timeout = \"soon\"", &["ftp.idle_timeout"]),
        (
            "[store]\ndurability = \"maybe\"\nqueue = 1",
            &["store.durability", "store.queue"],
        ),
        ("[tls]\ncertificate = \"c.pem\"", &["tls.key"]),
        ("[tls]\nlogin = \"maybe\"", &["tls.login"]),
        (
            "[tls.acme]\ndomains = [\"*.example.net\"]\ndirectory = \"acme\"",
            &[
                "tls.acme.agree_to_terms",
                "tls.acme.directory",
                "tls.acme.domains[0]",
            ],
        ),
        (
            "[slaves]\nlisten = \"127.0.0.1:80\"\n[tls.acme]\nagree_to_terms = true\ndomains = [\"a.example\"]",
            &["tls.acme.http_listen"],
        ),
        (
            "[tls]\nlisten_implicit = [\"x:990\"]\nrules = [{ networks = [\"10/8\"] }]",
            &["tls.listen_implicit[0]", "tls.rules[0].networks[0]"],
        ),
        ("[names]\ncase = \"both\"", &["names.case"]),
        ("[admin]\nlisten = \"0.0.0.0:8021\"", &["admin.listen"]),
        (
            "[admin]\nlisten = \"[::ffff:10.0.0.1]:8021\"",
            &["admin.listen"],
        ),
        ("[admin]\nalive_within = \"1ms\"", &["admin.alive_within"]),
        (
            "[api]\ntls = false\nlisten = [\"10.0.0.1:8022\", \"127.0.0.1:8021\"]",
            &["api.listen", "api.tls"],
        ),
        (
            "[master]\ndir = \"\"\ndisk_threads = 0\nlink_threads = 513",
            &["master.dir", "master.disk_threads", "master.link_threads"],
        ),
        ("[log]\nlevel = \"=,=\"", &["log.level"]),
        ("[log]\nformat = \"xml\"", &["log.format"]),
        ("[log]\nlevel = \"loud\"", &["log.level"]),
        (
            "[ftp]\nlisten = [\"127.0.0.1:0\", \"127.0.0.1:7\"]\n[slaves]\nlisten = \"127.0.0.1:7\"",
            &["ftp.listen"],
        ),
        (
            "[ftp]\nlisten = [\"[::]:7\"]\n[slaves]\nlisten = \"127.0.0.1:7\"",
            &["ftp.listen"],
        ),
        ("[accounts]\nhash_queue = 0", &["accounts.hash_queue"]),
        ("[shutdown]\ndrain = 60", &["shutdown.drain"]),
        ("[ftp\n", &["line 1"]),
        (
            "a = 1\n[shutdown]\nx = 1\n[log]\ny = 1",
            &["a", "log.y", "shutdown.x"],
        ),
    ];
    for (text, keys) in table {
        let found: Vec<_> = errors(text).into_iter().map(|(key, _)| key).collect();
        assert_eq!(found, *keys, "{text}");
    }
}

#[test]
fn loopback_addresses_of_both_families_are_good_for_plain_http() {
    for listen in [
        "127.0.0.1:0",
        "127.8.9.1:80",
        "[::1]:8021",
        "[::ffff:127.0.0.1]:1",
    ] {
        let text = format!("[admin]\nlisten = \"{listen}\"");
        assert!(
            drftpd_actors::parse::<MasterConfig>(&text, None).is_ok(),
            "{listen}"
        );
    }
}

#[test]
fn the_document_says_the_defaults() {
    let read = drftpd_actors::parse::<MasterConfig>(DOCUMENT, None);
    assert_eq!(read.unwrap(), MasterConfig::default());
}

/// The names that serde would have accepted in place of one that nobody knows.
fn known(text: &str) -> BTreeSet<String> {
    let errors = errors(text);
    let unknown = errors
        .iter()
        .find(|(_, why)| why.starts_with("unknown field"));
    let why = &unknown.unwrap_or_else(|| panic!("{text}: {errors:?}")).1;
    let quoted = why.split('`').skip(1).step_by(2);
    quoted.skip(1).map(str::to_owned).collect()
}

#[test]
fn the_document_has_every_key_with_a_sentence() {
    let sections = known("nobody_knows = 1");
    assert!(
        sections.contains("ftp") && sections.len() >= 8,
        "{sections:?}"
    );
    // What sections of plugins have is known to them alone, and tested there.
    for section in sections.iter().filter(|section| *section != "plugins") {
        section_is_whole(section);
    }
}

fn section_is_whole(section: &str) {
    let lines: Vec<&str> = DOCUMENT.lines().collect();
    let header = format!("[{section}]");
    let is_header = |line: &&str| line.trim_start_matches('#') == header;
    let begin = lines.iter().position(is_header);
    let begin = begin.unwrap_or_else(|| panic!("{header} is not in the document")) + 1;
    let end = lines[begin..].iter().position(|line| line.starts_with('['));
    let of_section = &lines[begin..end.map_or(lines.len(), |end| begin + end)];
    for key in known(&format!("{header}\nnobody_knows = 1")) {
        let inner = format!("[{section}.{key}]");
        // One that is off when it is absent stands in a comment.
        let is_there = |line: &&str| line.trim_start_matches('#') == inner;
        if lines.iter().any(is_there) {
            section_is_whole(&format!("{section}.{key}"));
            continue;
        }
        let begins = format!("{key} = ");
        let sets = |line: &&str| line.trim_start_matches('#').starts_with(&begins);
        let at = of_section.iter().position(sets);
        let at = at.unwrap_or_else(|| panic!("{section}.{key} is not in the document"));
        let before = at.checked_sub(1).map_or("", |before| of_section[before]);
        let sentence = before.starts_with("# ") && before.ends_with('.');
        assert!(sentence, "{section}.{key}: {before}");
    }
}

#[test]
fn relative_paths_are_taken_from_the_folder_of_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("m.toml");
    std::fs::write(
        &file,
        "[log]\nxferlog = \"xfer\"\n[tls]\ncertificate = \"c.pem\"\nkey = \"/k.pem\"\n[master]\ndir = \"/srv/d\"",
    )
    .unwrap();
    let config = MasterConfig::read(&file, &["names.case=insensitive".into()]).unwrap();
    assert_eq!(
        config.log.xferlog.as_deref(),
        Some(dir.path().join("xfer").as_path())
    );
    let tls = (config.tls.certificate.unwrap(), config.tls.key.unwrap());
    assert_eq!(tls, (dir.path().join("c.pem"), "/k.pem".into()));
    assert_eq!(config.master.store(), Path::new("/srv/d/store"));
    assert_eq!(config.names.case, crate::store::Case::Insensitive);
}

#[test]
fn the_section_that_is_off_says_its_defaults_too() {
    let begin = DOCUMENT.find("#[tls.acme]").unwrap();
    let section = DOCUMENT[begin..].split("\n\n").next().unwrap();
    let lines = section.lines().map(|line| match line.starts_with("# ") {
        true => "",
        false => line.trim_start_matches('#'),
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    let config: MasterConfig = drftpd_actors::parse(&text, None).unwrap();
    let acme = config.tls.acme.unwrap();
    let named = AcmeConfig {
        authority: acme.authority.clone(),
        agree_to_terms: true,
        domains: vec!["ftp.example.net".to_owned()],
        contacts: vec!["mailto:ops@example.net".to_owned()],
        profile: acme.profile.clone(),
        external_account: acme.external_account.clone(),
        external_account_key: acme.external_account_key.clone(),
        ..AcmeConfig::default()
    };
    assert_eq!(acme, named);
}

#[test]
fn files_that_an_authority_needs_are_looked_for_beside_the_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("m.toml");
    let text =
        "[tls.acme]\nagree_to_terms = true\ndomains = [\"a.example\"]\nauthority = \"ca.pem\"";
    std::fs::write(&file, text).unwrap();
    let errors = MasterConfig::read(&file, &[]).unwrap_err();
    let keys: Vec<_> = errors.iter().map(|error| error.key.as_str()).collect();
    assert_eq!(keys, ["tls.acme.authority"]);
    std::fs::write(dir.path().join("ca.pem"), "").unwrap();
    assert!(MasterConfig::read(&file, &[]).is_ok());
}

#[test]
fn a_file_that_is_not_there_is_an_error_with_its_name() {
    let errors = MasterConfig::read(Path::new("/nowhere/m.toml"), &[]).unwrap_err();
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0].to_string().starts_with("/nowhere/m.toml: "),
        "{}",
        errors[0]
    );
}

#[test]
fn a_log_of_transfers_in_a_folder_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("m.toml");
    std::fs::write(&file, "[log]\nxferlog = \"none/xferlog\"").unwrap();
    let errors = MasterConfig::read(&file, &[]).unwrap_err();
    assert_eq!((errors.len(), errors[0].key.as_str()), (1, "log.xferlog"));
    assert_eq!(errors[0].file.as_deref(), Some(file.as_path()));
    assert!(errors[0].why.contains("none/xferlog"), "{}", errors[0]);
    std::fs::create_dir(dir.path().join("none")).unwrap();
    assert!(MasterConfig::read(&file, &[]).is_ok());
}
