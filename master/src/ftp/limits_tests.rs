//! Logins, limits, time-outs and the end of sessions, seen by clients over a network in memory.

use std::net::IpAddr;
use std::time::Duration;

use drftpd_actors::testkit::{settle, sim};
use tokio::time::{Instant, sleep};

use super::testkit::Site;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_client_that_does_not_read_is_closed_and_not_buffered() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let mut user = site.user().await;
        let before = Instant::now();
        user.send("XTESTTALK\r\n").await;
        while !site.server.sessions.list().await.unwrap().is_empty() {
            sleep(SECOND).await;
        }
        let waited = before.elapsed();
        assert!(waited >= 60 * SECOND && waited < 64 * SECOND, "{waited:?}");
        // What fits into the pipe of the network, and no more, had been said.
        assert!(user.rest().await.len() <= 64 * 1024);
    });
}

#[test]
fn an_idle_client_hears_421_but_not_while_a_transfer_runs() {
    sim(async {
        let site = Site::start(|config| config.idle_timeout = 100 * SECOND).await;
        let mut user = site.user().await;
        user.ask("XTESTWAIT 500", 150).await;
        user.expect(226).await;
        let before = Instant::now();
        sleep(50 * SECOND).await;
        user.ask("NOOP", 200).await;
        user.expect(421).await;
        assert!(before.elapsed().abs_diff(150 * SECOND) <= SECOND);
        user.closed().await;
    });
}

#[test]
fn who_does_not_log_in_in_time_is_closed_whatever_else_is_said() {
    sim(async {
        let site = Site::start(|config| config.login_timeout = 60 * SECOND).await;
        let mut client = site.client().await;
        let before = Instant::now();
        for _ in 0..5 {
            sleep(10 * SECOND).await;
            client.ask("NOOP", 200).await;
        }
        client.expect(421).await;
        assert_eq!(before.elapsed(), 60 * SECOND);
        let mut user = site.user().await;
        user.ask("REIN", 220).await;
        user.ask("PWD", 530).await;
        user.expect(421).await;
    });
}

#[test]
fn many_errors_before_login_and_any_verb_of_http_end_the_session() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let mut client = site.client().await;
        for _ in 0..40 {
            client.ask("BOGUS", 502).await;
        }
        client.expect(421).await;
        client.closed().await;
        for verb in ["GET", "post", "HEAD", "PUT", "OPTIONS", "CONNECT"] {
            let mut client = site.client().await;
            client
                .send(format!("{verb} / HTTP/1.1\r\nHost: x\r\n\r\n"))
                .await;
            client.expect(421).await;
            client.closed().await;
        }
        let mut user = site.user().await;
        for _ in 0..100 {
            user.ask("BOGUS", 502).await;
        }
    });
}

#[test]
fn limits_are_told_with_421_and_a_leaver_makes_room() {
    sim(async {
        let site = Site::start(|config| {
            config.max_connections = 3;
            config.max_per_address = 2;
        })
        .await;
        let (mut one, _two) = (site.user().await, site.user().await);
        let mut third = site.connect(None).await;
        third.expect(421).await;
        third.closed().await;
        let elsewhere: IpAddr = [10, 0, 0, 9].into();
        let mut other = site.connect(Some(elsewhere)).await;
        other.expect(220).await;
        site.connect(Some(elsewhere)).await.expect(421).await;
        one.ask("QUIT", 221).await;
        one.closed().await;
        drop(one);
        settle().await;
        site.connect(None).await.expect(220).await;
    });
}

#[test]
fn only_so_many_connections_may_be_without_a_login() {
    sim(async {
        let site = Site::start(|config| config.max_unauthenticated = 1).await;
        let mut first = site.client().await;
        site.connect(None).await.expect(421).await;
        first.log_in("bob").await;
        let mut second = site.client().await;
        second.log_in("eve").await;
        first.ask("REIN", 220).await;
        site.connect(None).await.expect(421).await;
    });
}

#[test]
fn draining_ends_idle_sessions_at_once_and_the_others_after_their_transfer() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let (mut idle, mut busy) = (site.user().await, site.user().await);
        busy.ask("XTESTWAIT 30", 150).await;
        site.drain.begin(100 * SECOND);
        idle.expect(421).await;
        idle.closed().await;
        site.connect(None).await.expect(421).await;
        assert_eq!(site.drain.holders("transfers").len(), 1);
        busy.expect(226).await;
        busy.expect(421).await;
        busy.closed().await;
        let deadline = Instant::now() + 10 * SECOND;
        site.drain.wait("sessions", deadline).await.unwrap();
    });
}

#[test]
fn when_the_drain_is_overdue_transfers_are_cut() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let mut busy = site.user().await;
        busy.ask("XTESTWAIT 1000", 150).await;
        let before = Instant::now();
        site.drain.begin(100 * SECOND);
        busy.expect(421).await;
        assert_eq!(before.elapsed(), 100 * SECOND);
        busy.closed().await;
    });
}

#[test]
fn sessions_are_seen_and_can_be_ended() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let _greeted = site.client().await;
        let mut user = site.user().await;
        user.ask("CLNT tester", 200).await;
        user.ask("XTESTWAIT 1000", 150).await;
        sleep(SECOND).await;
        let rows = site.server.sessions.list().await.unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].user.as_deref(), rows[0].idle()), (None, SECOND));
        assert_eq!(rows[1].user.as_deref(), Some("bob"));
        assert_eq!(rows[1].client.as_deref(), Some("tester"));
        assert_eq!(rows[1].verb, Some("XTESTWAIT"));
        assert_eq!(
            rows[1].transfer.as_ref().map(|moving| moving.bytes),
            Some(42)
        );
        let kicked = site.server.sessions.kick(rows[1].session, "Out").await;
        assert_eq!(kicked, Ok(true));
        assert_eq!(user.expect(421).await, "421 Out\r\n");
        user.closed().await;
        drop(user);
        settle().await;
        assert_eq!(site.server.sessions.list().await.unwrap().len(), 1);
        let again = site.server.sessions.kick(rows[1].session, "Out").await;
        assert_eq!(again, Ok(false));
    });
}

#[test]
fn wrong_names_and_wrong_passwords_look_alike_and_cost_more_each_time() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let mut heard = Vec::new();
        for user in ["bob", "nobody"] {
            let mut client = site.client().await;
            let begin = Instant::now();
            let mut said = Vec::new();
            for _ in 0..3 {
                said.push(client.ask(&format!("USER {user}"), 331).await);
                said.push(client.ask("PASS wrong", 530).await);
            }
            client.closed().await;
            heard.push((said, begin.elapsed()));
        }
        assert_eq!(heard[0], heard[1]);
        assert_eq!(heard[0].1, 7 * SECOND); // 1, 2 and 4
        assert_eq!(site.accounts.asked(), 6);
    });
}

#[test]
fn a_password_needs_a_name_and_counts_once() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let mut client = site.client().await;
        client.ask("PASS secret", 503).await;
        client.ask("USER bob", 331).await;
        client.ask("PASS wrong", 530).await;
        client.ask("PASS secret", 503).await;
        client.log_in("bob").await;
        client.ask("USER eve", 503).await;
        client.ask("PASS secret", 503).await;
        assert!(client.ask("PWD", 257).await.contains("\"/\""));
        client.ask("REIN", 220).await;
        client.ask("PWD", 530).await;
        client.log_in("eve").await;
    });
}

#[test]
fn a_login_that_fails_does_not_hold_up_others() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let (mut slow, mut quick) = (site.client().await, site.client().await);
        slow.ask("USER bob", 331).await;
        slow.send("PASS wrong\r\n").await;
        let begin = Instant::now();
        quick.log_in("eve").await;
        assert_eq!(begin.elapsed(), Duration::ZERO);
        slow.expect(530).await;
        let mut busy = site.client().await;
        busy.ask("USER busy", 331).await;
        busy.ask("PASS x", 421).await;
        busy.closed().await;
    });
}
