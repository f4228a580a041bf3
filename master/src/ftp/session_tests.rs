//! What a session does with lines, verbs, time and limits, seen by clients over a network in memory.

use std::sync::Arc;
use std::time::Duration;

use drftpd_actors::testkit::{settle, sim};
use drftpd_protocol::ftp::Reply;
use futures_util::future::LocalBoxFuture;
use tokio::time::{Instant, sleep};

use super::site::{SiteCall, SiteEntry, SiteTable};
use super::testkit::Site;
use crate::accounts::Account;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn before_login_a_client_may_look_around_and_no_more() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let mut client = site.client().await;
        for (line, code) in [
            ("SYST", 215),
            ("NOOP", 200),
            ("OPTS UTF8 ON", 200),
            ("CLNT test", 200),
            ("HELP", 214),
            ("HELP SIZE", 214),
            ("AUTH TLS", 502),
            ("PWD", 530),
            ("XPWD", 530),
            ("SITE HELP", 530),
            ("PASS x", 503),
            ("USER", 501),
            ("ACCT x", 202),
            ("BOGUS", 502),
        ] {
            client.ask(line, code).await;
        }
        let feat = client.ask("FEAT", 211).await;
        assert!(feat.contains("\r\n UTF8\r\n") && feat.contains("\r\n SIZE\r\n"));
        assert!(!feat.contains("AUTH"));
        client.ask("QUIT", 221).await;
        client.closed().await;
    });
}

#[test]
fn replies_before_login_hold_nothing_that_the_client_sent() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let mut client = site.client().await;
        for line in [
            "<script> x",
            "HELP <script>",
            "OPTS MLST <script>;",
            "OPTS HASH <script>",
            "OPTS <script>",
            "CLNT <script>",
            "USER <script>",
            "AUTH <script>",
            "SIZE <script>",
        ] {
            client.send(format!("{line}\r\n")).await;
            let reply = client.reply().await;
            assert!(!reply.contains("script"), "{line}: {reply}");
        }
    });
}

#[test]
fn settings_of_type_mode_and_structure_change_nothing_but_are_checked() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let mut user = site.user().await;
        for (line, code) in [
            ("TYPE A", 200),
            ("TYPE A N", 200),
            ("type i", 200),
            ("TYPE L 8", 200),
            ("TYPE E", 504),
            ("TYPE", 501),
            ("MODE S", 200),
            ("MODE B", 504),
            ("STRU F", 200),
            ("STRU R", 504),
            ("OPTS MLST size;bogus;", 200),
            ("OPTS HASH MD5", 200),
            ("OPTS HASH", 200),
            ("OPTS HASH ROT13", 501),
            ("OPTS NOOP x", 501),
        ] {
            user.ask(line, code).await;
        }
        let feat = user.ask("FEAT", 211).await;
        assert!(feat.contains("MD5*;"), "{feat}");
        assert!(user.ask("PWD", 257).await.contains("\"/\" "));
    });
}

#[test]
fn pipelined_lines_are_answered_in_their_order_however_many_there_are() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let mut user = site.user().await;
        let pairs = 500;
        user.send("NOOP\r\nPWD\r\n".repeat(pairs)).await;
        for _ in 0..pairs {
            user.expect(200).await;
            user.expect(257).await;
        }
        user.ask("QUIT", 221).await;
    });
}

#[test]
fn a_client_that_only_closes_its_side_still_hears_the_answers() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let mut user = site.user().await;
        user.send("NOOP\r\nPWD\r\nXTESTWAIT 5\r\n").await;
        user.finish().await;
        user.expect(200).await;
        user.expect(257).await;
        user.expect(425).await;
        user.closed().await;
    });
}

#[test]
fn too_many_lines_behind_a_transfer_end_the_session() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let mut user = site.user().await;
        user.ask("XTESTWAIT 100", 150).await;
        user.send("PWD\r\n".repeat(33)).await;
        user.expect(421).await;
        user.closed().await;
    });
}

#[test]
fn faulty_lines_are_answered_and_a_long_one_ends_the_session() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let mut user = site.user().await;
        user.ask("", 500).await;
        user.ask(" NOOP", 500).await;
        user.ask("CWD a\0b", 501).await;
        user.ask("CWD a\rb", 501).await;
        user.ask("NOOP", 200).await;
        user.send("MKD ").await;
        user.send(vec![b'x'; 9_000]).await;
        user.expect(500).await;
        user.closed().await;
    });
}

#[test]
fn lines_are_short_before_login_and_longer_after_it() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let long = format!("NOOP {}", "x".repeat(600));
        let mut user = site.user().await;
        user.ask(&long, 200).await;
        let mut client = site.client().await;
        client.ask(&long, 500).await;
        client.closed().await;
    });
}

#[test]
fn telnet_options_are_refused_and_abor_comes_through_them() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let mut user = site.user().await;
        user.send(b"\xFF\xFB\x03").await;
        user.read().await;
        assert_eq!(user.seen().chars().count(), 3);
        let mut user = site.user().await;
        user.ask("XTESTWAIT 100", 150).await;
        user.send(b"\xFF\xF4\xFF\xF2ABOR\r\n").await;
        user.expect(426).await;
        user.expect(226).await;
    });
}

#[test]
fn abor_cuts_a_transfer_after_what_it_held_was_given_back() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let mut user = site.user().await;
        user.ask("XTESTWAIT 100", 150).await;
        let before = Instant::now();
        user.ask("ABOR", 426).await;
        user.expect(226).await;
        assert_eq!(before.elapsed(), SECOND);
        user.ask("NOOP", 200).await;
        user.ask("ABOR", 226).await;
    });
}

#[test]
fn an_abor_sent_twice_is_answered_twice_and_one_that_comes_late_once() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let mut user = site.user().await;
        user.ask("XTESTWAIT 100", 150).await;
        user.send("ABOR\r\nABOR\r\n").await;
        for code in [426, 226, 226] {
            user.expect(code).await;
        }
        // This one comes while the transfer, which is over, gives back what it held.
        user.ask("XTESTWAIT 5", 150).await;
        sleep(5 * SECOND + SECOND / 2).await;
        user.send("ABOR\r\n").await;
        for code in [226, 226] {
            user.expect(code).await;
        }
        user.ask("NOOP", 200).await;
    });
}

#[test]
fn noop_overtakes_a_transfer_and_quit_waits_for_its_end() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let mut user = site.user().await;
        user.ask("XTESTWAIT 100", 150).await;
        let before = Instant::now();
        user.ask("NOOP", 200).await;
        assert_eq!(before.elapsed(), Duration::ZERO);
        user.send("QUIT\r\n").await;
        user.expect(226).await;
        assert_eq!(before.elapsed(), 101 * SECOND);
        user.expect(221).await;
        user.closed().await;
    });
}

#[test]
fn the_last_reply_of_a_transfer_never_comes_with_its_first() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let mut user = site.user().await;
        user.send("XTESTWAIT 0\r\n").await;
        user.read().await;
        assert_eq!(user.seen(), "150 Opening data connection\r\n");
    });
}

#[test]
fn a_lost_client_ends_its_transfer_at_once() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let mut user = site.user().await;
        user.ask("XTESTWAIT 1000", 150).await;
        assert_eq!(site.drain.holders("transfers").len(), 1);
        drop(user);
        settle().await;
        assert!(site.drain.holders("transfers").is_empty());
        settle().await;
        assert!(site.server.sessions.list().await.unwrap().is_empty());
    });
}

#[test]
fn a_panic_ends_one_session_with_421_and_no_other() {
    sim(async {
        let mut site = Site::start(|_| {}).await;
        let (mut one, mut two) = (site.user().await, site.user().await);
        two.ask("XTESTWAIT 10", 150).await;
        one.ask("XTESTPANIC", 421).await;
        one.closed().await;
        two.expect(226).await;
        site.user().await.ask("NOOP", 200).await;
        assert!(site.down.drain().is_empty());
    });
}

/// Two commands, one of them for operators.
struct Commands;

impl SiteTable for Commands {
    fn commands(&self, who: &Account) -> Vec<SiteEntry> {
        let entry = |name: &str| SiteEntry {
            name: name.to_owned(),
            syntax: "text".to_owned(),
            help: "says it again".to_owned(),
        };
        let mut all = vec![entry("ECHO")];
        if who.name == "root" {
            all.push(entry("SHUTDOWN"));
        }
        all
    }

    fn run(&self, name: &str, call: SiteCall) -> Option<LocalBoxFuture<'static, Reply>> {
        (name == "ECHO").then(|| {
            let text = format!("{}: {}", call.account.name, call.arg.escape_ascii());
            Box::pin(std::future::ready(Reply::new(200, text))) as LocalBoxFuture<'static, Reply>
        })
    }
}

#[test]
fn site_is_what_its_table_says() {
    sim(async {
        let site = Site::with(|_| {}, Arc::new(Commands)).await;
        let mut user = site.user().await;
        assert_eq!(user.ask("site echo a  b", 200).await, "200 bob: a  b\r\n");
        let help = user.ask("SITE HELP", 214).await;
        assert!(help.contains("ECHO") && !help.contains("SHUTDOWN"));
        let help = user.ask("SITE HELP echo", 214).await;
        assert!(help.contains("SITE ECHO text"));
        user.ask("SITE HELP SHUTDOWN", 502).await;
        user.ask("SITE CHMOD 644 x", 502).await;
        user.ask("SITE", 501).await;
    });
}

mod any_bytes {
    use super::*;
    use crate::ftp::verbs::VERBS;
    use proptest::prelude::*;

    /// Bytes as a hostile client might send them: lines that are nearly right, and noise.
    fn pieces() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let names: Vec<&str> = VERBS
            .iter()
            .map(|verb| verb.name)
            .filter(|name| !name.starts_with("XTEST") && *name != "PASS")
            .collect();
        let piece = prop_oneof![
            4 => proptest::sample::select(names).prop_map(|name| name.as_bytes().to_vec()),
            3 => Just(b"\r\n".to_vec()),
            1 => Just(b"\n".to_vec()),
            2 => Just(b" ".to_vec()),
            1 => Just(b"\xFF\xF4\xFF\xF2".to_vec()),
            1 => Just(b"\xFF\xFD".to_vec()),
            2 => proptest::collection::vec(any::<u8>(), 0..20),
            1 => (1usize..700).prop_map(|count| vec![b'x'; count]),
        ];
        proptest::collection::vec(piece, 0..60)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_bytes_break_a_session_before_login(pieces in pieces()) {
            sim(async {
                let site = Site::start(|_| {}).await;
                let mut client = site.client().await;
                client.send(pieces.concat()).await;
                client.finish().await;
                let said = client.rest().await;
                for line in said.split_terminator("\r\n") {
                    assert!(!line.contains("Something failed"), "{line}");
                }
                drop(client);
                sleep(5 * SECOND).await;
                assert!(site.server.sessions.list().await.unwrap().is_empty());
                site.client().await.ask("NOOP", 200).await;
            });
        }
    }
}
