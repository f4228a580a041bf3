//! What plugins are asked, and when, as clients see it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Actor, Context, Handler, ResponseFuture};
use drftpd_actors::testkit::{Stub, sim};
use drftpd_actors::{Clock, Verdict};

use super::hooks::Terms;
use super::*;
use crate::ftp::testkit::{FtpScript, Site, path};
use crate::store::StoreError;
use crate::vfs::testkit::TestVfs;

const LIMIT: Duration = Duration::from_secs(2);

/// What was asked, as text.
type Seen = Arc<Mutex<Vec<String>>>;

/// A judge that notes what it is asked, and refuses paths with "bad" in them.
fn judge(seen: &Seen) -> Stub<Asked> {
    let seen = Arc::clone(seen);
    Stub::start(move |asked: Asked| {
        let from = asked
            .from
            .map(|from| format!(" from {from}"))
            .unwrap_or_default();
        let entry = asked.entry.map(|_| " there").unwrap_or_default();
        let (what, path) = (asked.what, asked.path);
        seen.lock()
            .unwrap()
            .push(format!("{what:?} {path}{from}{entry}"));
        match path.to_string().contains("bad") {
            true => Verdict::Refuse("not bad things".to_owned()),
            false => Verdict::Allow,
        }
    })
}

fn gated(acts: &[Act], judge: &Stub<Asked>) -> Plugins {
    let gates = Gates::default();
    gates.add("judge", acts, &judge.recipient(), LIMIT);
    Plugins::for_test(gates, Hooks::default())
}

async fn all(user: &mut FtpScript, lines: &[(&str, u16)]) {
    for (line, code) in lines {
        user.ask(line, *code).await;
    }
}

#[test]
fn whatever_is_about_to_happen_is_asked_on_the_resolved_target_by_every_way() {
    sim(async {
        let seen = Seen::default();
        let judge = judge(&seen);
        let site = Site::with_plugins(gated(&Act::ALL, &judge)).await;
        site.file("/file", b"bytes", None).await;
        let mut user = site.user().await;
        let (vfs, bob) = (&site.files.vfs, crate::ftp::testkit::bob());
        vfs.make_dir(&path("/dir"), bob.clone()).await.unwrap();
        vfs.make_link(&path("/link"), b"/dir", bob).await.unwrap();
        seen.lock().unwrap().clear();
        all(
            &mut user,
            &[
                ("MKD link/../link/bad", 550),
                ("MKD dir/good", 257),
                ("PRET STOR link/bad", 553),
                ("PRET STOR dir/x", 200),
                ("STOR link/bad", 553),
                ("APPE dir/bad", 553),
                ("RNFR file", 350),
                ("RNTO link/bad", 553),
                ("RNFR file", 350),
                ("RNTO dir/file", 250),
                ("PRET RETR link/file", 450), // nobody shows its root
                ("RMD dir/good", 250),
                ("DELE link/file", 250),
            ],
        )
        .await;
        let expected = [
            "MakeDir /dir/bad",
            "MakeDir /dir/good",
            "Upload /dir/bad",
            "Upload /dir/x",
            "Upload /dir/bad",
            "Upload /dir/bad",
            "Rename /dir/bad from /file there",
            "Rename /dir/file from /file there",
            "Download /dir/file there",
            "RemoveDir /dir/good there",
            "Delete /dir/file there",
        ];
        assert_eq!(*seen.lock().unwrap(), expected);
    });
}

#[test]
fn who_may_not_do_it_anyway_is_not_asked_about() {
    sim(async {
        let seen = Seen::default();
        let judge = judge(&seen);
        let site = Site::with_plugins(gated(&[Act::MakeDir], &judge)).await;
        site.permits("upload * *");
        let mut user = site.user().await;
        all(&mut user, &[("MKD bad", 550), ("PRET STOR bad", 200)]).await;
        assert!(seen.lock().unwrap().is_empty());
    });
}

/// Takes every question and answers none.
struct Mute;

impl Actor for Mute {
    type Context = Context<Self>;
}

impl Handler<Asked> for Mute {
    type Result = ResponseFuture<Verdict>;

    fn handle(&mut self, _: Asked, _: &mut Self::Context) -> Self::Result {
        Box::pin(std::future::pending())
    }
}

impl Handler<Before> for Mute {
    type Result = ResponseFuture<Result<(), String>>;

    fn handle(&mut self, _: Before, _: &mut Self::Context) -> Self::Result {
        Box::pin(std::future::pending())
    }
}

#[test]
fn what_a_plugin_has_a_say_in_that_does_not_answer_is_refused_and_nothing_else() {
    sim(async {
        let mute = Mute.start();
        let gates = Gates::default();
        gates.add("mute", &[Act::LogIn], &mute.clone().recipient(), LIMIT);
        let site = Site::with_plugins(Plugins::for_test(gates, Hooks::default())).await;
        let mut user = site.client().await;
        user.ask("USER bob", 331).await;
        let reply = user.ask("PASS secret", 530).await;
        assert!(reply.contains("Not now"), "{reply}");
        let (gates, mut hooks) = (Gates::default(), Hooks::default());
        gates.add("mute", &[Act::MakeDir], &mute.clone().recipient(), LIMIT);
        hooks.before("NOOP", terms("mute", 0), mute.recipient());
        let site = Site::with_plugins(Plugins::for_test(gates, hooks)).await;
        let mut user = site.user().await;
        let lines = [("NOOP", 450), ("MKD x", 450), ("PRET STOR x", 200)];
        all(&mut user, &lines).await;
    });
}

fn terms(name: &'static str, priority: i32) -> Terms {
    Terms {
        name,
        priority,
        limit: LIMIT,
    }
}

#[test]
fn hooks_are_called_by_priority_and_the_first_refusal_ends_it() {
    sim(async {
        let seen = Seen::default();
        let before = |name: &'static str| {
            let seen = Arc::clone(&seen);
            Stub::<Before>::start(move |Before(called)| {
                let arg = String::from_utf8_lossy(&called.arg).into_owned();
                seen.lock()
                    .unwrap()
                    .push(format!("{name} {} {arg}", called.name));
                match arg == name {
                    true => Err(format!("{name} does not want it")),
                    false => Ok(()),
                }
            })
        };
        let after = Stub::<After>::start(|after: After| Ok(vec![format!("it was {}", after.code)]));
        let (one, two, three) = (before("one"), before("two"), before("three"));
        let mut hooks = Hooks::default();
        for (name, priority, hook) in [("c", 5, &three), ("a", -5, &one), ("b", 0, &two)] {
            for on in ["MKD", "PASS"] {
                hooks.before(on, terms(name, priority), hook.recipient());
            }
        }
        hooks.after("MKD", terms("d", 0), after.recipient());
        let site = Site::with_plugins(Plugins::for_test(Gates::default(), hooks)).await;
        let mut user = site.user().await;
        // Nobody is told a password.
        assert_eq!(
            *seen.lock().unwrap(),
            ["one PASS ", "two PASS ", "three PASS "]
        );
        seen.lock().unwrap().clear();
        let made = user.ask("XMKD x", 257).await;
        assert!(made.starts_with("257-it was 257\r\n257 "), "{made}");
        let refused = user.ask("MKD two", 550).await;
        assert_eq!(refused, "550 two does not want it\r\n");
        let expected = [
            "one MKD x",
            "two MKD x",
            "three MKD x",
            "one MKD two",
            "two MKD two",
        ];
        assert_eq!(*seen.lock().unwrap(), expected);
    });
}

#[test]
fn rows_of_a_plugin_are_its_own_and_come_in_pages() {
    sim(async {
        let files = TestVfs::start(&Clock::manual(1_000)).await;
        let (mine, other) = (
            Shelf::new("mine", files.store.clone()),
            Shelf::new("other", files.store.clone()),
        );
        for (key, value) in [("a/1", 1_u64), ("a/2", 2), ("b/1", 3)] {
            mine.put(key, value).await.unwrap();
        }
        other.put("a/1", 9_u64).await.unwrap();
        assert_eq!(mine.get::<u64>("a/1").unwrap(), Some(1));
        let page = |after: &str| mine.page::<u64>("a/", after).unwrap();
        assert_eq!(page(""), [("a/1".to_owned(), 1), ("a/2".to_owned(), 2)]);
        assert_eq!(page("a/1"), [("a/2".to_owned(), 2)]);
        let removed = mine.change(|shelf, batch| shelf.remove_in(batch, "a/1"));
        removed.await.unwrap();
        assert_eq!(mine.get::<u64>("a/1").unwrap(), None);
        assert_eq!(other.get::<u64>("a/1").unwrap(), Some(9));
        let wrong = mine.get::<String>("a/2");
        assert!(matches!(wrong, Err(StoreError::Damaged(why)) if why.contains("mine a/2")));
    });
}

#[test]
fn two_of_one_name_are_noticed() {
    static TWICE: Plugin = Plugin {
        name: "nuke",
        about: "there is one already",
        commands: &[],
        check: |_| Ok(()),
        start: |_| Ok(()),
    };
    assert_eq!(Extensions::new().twice(), [""; 0]);
    let filter = crate::transfer::FILTERS[0];
    let more = Extensions::new().plugin(&TWICE).filter(filter);
    let more = more.command(crate::admin::COMMANDS[0]);
    assert_eq!(
        more.twice(),
        [
            "plugin nuke",
            "SITE AUDIT",
            "audit list",
            "filter bandwidth"
        ]
    );
}
