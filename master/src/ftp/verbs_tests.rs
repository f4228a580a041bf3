//! What each verb does, seen by clients of a site with a real file list.

use drftpd_actors::testkit::sim;
use drftpd_protocol::wire::{Algorithm, Checksum, ChecksumDone, FaultCode};
use proptest::prelude::*;

use super::testkit::{FtpScript, Site};
use super::verbs::VERBS;

/// Sends lines one by one and expects a code for each.
async fn all(user: &mut FtpScript, lines: &[(&str, u16)]) {
    for (line, code) in lines {
        user.ask(line, *code).await;
    }
}

#[test]
fn directories_are_made_entered_and_removed() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let mut user = site.user().await;
        assert_eq!(user.ask("MKD pub", 257).await, "257 \"/pub\" created\r\n");
        let again = user.ask("MKD /pub", 550).await;
        assert!(again.contains("already exists"), "{again}");
        all(
            &mut user,
            &[
                ("CWD pub", 250),
                ("XMKD a", 257),
                ("MKD b/c/d", 550),
                ("CWD a", 250),
                ("XPWD", 257),
                ("CDUP", 250),
                ("XCUP", 250),
                ("CDUP", 250),
                ("CWD nosuch", 550),
                ("RMD pub", 550),
                ("DELE pub", 550),
                ("XRMD pub/a", 250),
                ("RMD pub", 250),
                ("RMD pub", 550),
                ("RMD /", 550),
                ("CWD", 501),
                ("MKD", 501),
            ],
        )
        .await;
        assert!(user.ask("PWD", 257).await.contains("\"/\" "));
    });
}

#[test]
fn a_quote_in_a_directory_is_doubled() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let mut user = site.user().await;
        user.ask("MKD say \"hi\"", 257).await;
        user.ask("CWD say \"hi\"", 250).await;
        assert_eq!(
            user.ask("PWD", 257).await,
            "257 \"/say \"\"hi\"\"\" is the current directory\r\n"
        );
    });
}

#[test]
fn names_that_could_hurt_are_553_for_every_verb_that_makes_one() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let mut user = site.user().await;
        let long = "x".repeat(256);
        for name in [".drftpd", ".drftpd-x", long.as_str()] {
            user.ask(&format!("MKD {name}"), 553).await;
            site.file("/f", b"x", None).await;
            user.ask("RNFR /f", 350).await;
            user.ask(&format!("RNTO {name}"), 553).await;
            user.ask("DELE /f", 250).await;
        }
        user.ask("MKD ..", 550).await;
        let deep = "/a".repeat(200);
        user.ask(&format!("CWD {deep}"), 553).await;
    });
}

#[test]
fn sizes_and_times_of_files_are_told_and_set() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let mut user = site.user().await;
        site.file("/a file", b"hello", None).await;
        user.ask("MKD dir", 257).await;
        assert_eq!(user.ask("SIZE a file", 213).await, "213 5\r\n");
        all(
            &mut user,
            &[
                ("SIZE dir", 550),
                ("SIZE nosuch", 550),
                ("SIZE", 501),
                ("MDTM nosuch", 550),
                ("MFMT 20200102030405 nosuch", 550),
                ("MFMT yesterday a file", 501),
            ],
        )
        .await;
        assert_eq!(
            user.ask("MFMT 20200102030405 a file", 213).await,
            "213 Modify=20200102030405; a file\r\n"
        );
        assert_eq!(user.ask("MDTM a file", 213).await, "213 20200102030405\r\n");
        user.ask("MDTM 19990102030405 a file", 213).await;
        assert_eq!(user.ask("MDTM a file", 213).await, "213 19990102030405\r\n");
        // A file that is called like a time and a name is meant itself.
        site.file("/20010102030405 x", b"", None).await;
        let told = user.ask("MDTM 20010102030405 x", 213).await;
        assert_ne!(told, "213 20010102030405\r\n");
    });
}

#[test]
fn a_rename_needs_both_verbs_one_directly_after_the_other() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let mut user = site.user().await;
        site.file("/a", b"1", None).await;
        user.ask("MKD d", 257).await;
        all(
            &mut user,
            &[
                ("RNTO b", 503),
                ("RNFR nosuch", 550),
                ("RNTO b", 503),
                ("RNFR a", 350),
                ("NOOP", 200),
                ("RNTO b", 503),
                ("RNFR a", 350),
                ("RNTO d/b", 250),
                ("RNTO c", 503),
                ("SIZE d/b", 213),
                ("SIZE a", 550),
                ("RNFR d", 350),
                ("RNTO d/e", 553),
                ("RNFR d", 350),
                ("RNTO e", 250),
                ("SIZE e/b", 213),
                ("RNFR /", 550),
            ],
        )
        .await;
    });
}

#[test]
fn a_file_gives_way_to_a_renamed_one_and_a_directory_does_not() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let mut user = site.user().await;
        site.file("/a", b"1", None).await;
        site.file("/b", b"22", None).await;
        user.ask("MKD d", 257).await;
        all(
            &mut user,
            &[("RNFR a", 350), ("RNTO b", 250), ("RNFR b", 350)],
        )
        .await;
        let taken = user.ask("RNTO d", 553).await;
        assert!(taken.contains("File exists"), "{taken}");
        assert_eq!(user.ask("SIZE b", 213).await, "213 1\r\n");
    });
}

#[test]
fn a_stored_checksum_is_answered_at_once_and_no_other_without_a_slave() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let mut user = site.user().await;
        site.file("/f 1", b"hello", Some(0x3610_A686)).await;
        assert_eq!(user.ask("XCRC f 1", 250).await, "250 3610A686\r\n");
        assert_eq!(user.ask("XCRC \"f 1\" 0 5", 250).await, "250 3610A686\r\n");
        user.ask("OPTS HASH CRC32", 200).await;
        assert_eq!(
            user.ask("HASH f 1", 213).await,
            "213 CRC32 0-5 3610A686 f 1\r\n"
        );
        all(
            &mut user,
            &[
                ("XCRC nosuch", 550),
                ("XCRC /", 550),
                ("XCRC \"f 1\" 0 6", 554),
                ("XCRC \"f 1\" 1 5", 450),
                ("XMD5 f 1", 450),
                ("XSHA f 1", 450),
                ("XSHA1 f 1", 450),
                ("XSHA256 f 1", 450),
                ("XSHA512 f 1", 450),
                ("HASH", 501),
            ],
        )
        .await;
    });
}

#[test]
fn a_slave_that_holds_the_file_makes_the_checksum() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let mut slave = site.slaves.slave("a", &[1]).await;
        let mut user = site.user().await;
        site.file("/f", b"hello", None).await;
        user.send("XSHA256 f 1 4\r\n").await;
        let got = slave.call::<Checksum>().await;
        assert_eq!(got.call.algorithm, Algorithm::Sha256);
        assert_eq!((got.call.offset, got.call.length), (1, Some(3)));
        let done = |bytes| ChecksumDone {
            sum: vec![0xAB; 2],
            bytes,
        };
        slave.answer(&got, &done(3));
        assert_eq!(user.expect(250).await, "250 ABAB\r\n");
        // One that read something else is not believed.
        user.send("HASH f\r\n").await;
        let got = slave.call::<Checksum>().await;
        slave.answer(&got, &done(4));
        user.expect(451).await;
        user.send("XMD5 f\r\n").await;
        let got = slave.call::<Checksum>().await;
        slave.fault(&got, FaultCode::DISK);
        user.expect(451).await;
        // A long one is cut by ABOR, and NOOP need not wait for it.
        user.send("XSHA512 f\r\n").await;
        slave.call::<Checksum>().await;
        user.ask("NOOP", 200).await;
        user.ask("ABOR", 426).await;
        user.expect(226).await;
        user.ask("PWD", 257).await;
    });
}

#[test]
fn whoever_may_see_nothing_hears_the_same_of_what_is_and_what_is_not() {
    sim(async {
        let site = Site::start(|_| {}).await;
        site.user().await.ask("MKD secret", 257).await;
        site.file("/f", b"x", Some(1)).await;
        let mut guest = site.client().await;
        guest.log_in("guest").await;
        for verb in ["CWD", "SIZE", "MDTM", "DELE", "RMD", "RNFR", "XCRC", "HASH"] {
            let absent = guest.ask(&format!("{verb} nosuch"), 550).await;
            for there in ["secret", "f"] {
                let hidden = guest.ask(&format!("{verb} {there}"), 550).await;
                assert_eq!(hidden, absent, "{verb} {there}");
            }
        }
        let mut user = site.user().await;
        all(&mut user, &[("CWD secret", 250), ("SIZE /f", 213)]).await;
    });
}

#[test]
fn a_restart_position_holds_for_the_next_transfer_only() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let mut user = site.user().await;
        for (between, kept) in [("NOOP", true), ("TYPE I", true), ("PWD", false)] {
            user.ask("XTESTREST 100", 350).await;
            user.ask(between, if between == "PWD" { 257 } else { 200 })
                .await;
            let state = user.ask("XTESTSTATE", 200).await;
            assert_eq!(state.contains("Some(100)"), kept, "{between}: {state}");
            let state = user.ask("XTESTSTATE", 200).await;
            assert!(state.contains("None"), "{state}");
        }
    });
}

/// Lines of verbs that work on the tree, with names that may be there or not.
fn lines() -> impl Strategy<Value = Vec<String>> {
    let tree = [
        "CWD", "CDUP", "PWD", "MKD", "RMD", "DELE", "RNFR", "RNTO", "SIZE", "MDTM", "MFMT", "XCRC",
        "HASH", "SITE", "OPTS", "HELP", "FEAT", "TYPE", "NOOP", "REIN",
    ];
    let verb = proptest::sample::select(tree.to_vec());
    let arg = prop_oneof![
        Just(String::new()),
        proptest::sample::select(vec![
            "a",
            "b",
            "/a",
            "/a/b",
            "..",
            "/",
            ".",
            "a/../b",
            "20200101000000 a",
            "\"a\" 0 1",
            "MLST size;",
            "HASH MD5",
            "UTF8 ON",
            "HELP",
        ])
        .prop_map(str::to_owned),
        "[ -~]{0,30}",
        "\\PC{0,20}",
    ];
    proptest::collection::vec(
        (verb, arg).prop_map(|(verb, arg)| format!("{verb} {arg}")),
        0..25,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_lines_break_a_session_after_login(lines in lines()) {
        sim(async {
            let site = Site::start(|_| {}).await;
            let mut user = site.user().await;
            for line in &lines {
                user.send(format!("{line}\r\n")).await;
                let reply = user.reply().await;
                assert!(!reply.starts_with("421"), "{line:?}: {reply}");
            }
            user.ask("QUIT", 221).await;
            user.closed().await;
        });
    }
}

#[test]
fn every_verb_answers_without_an_argument() {
    sim(async {
        let site = Site::start(|_| {}).await;
        for verb in VERBS {
            let mut user = site.user().await;
            if verb.name.starts_with("XTEST") {
                continue;
            }
            user.send(format!("{}\r\n", verb.name)).await;
            let reply = user.reply().await;
            assert!(
                !reply.contains("Something failed"),
                "{}: {reply}",
                verb.name
            );
        }
    });
}
