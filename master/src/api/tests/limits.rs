//! Limits: sizes, times, connections, requests, wrong tokens.

use std::sync::Arc;
use std::time::Duration;

use bytesize::ByteSize;
use drftpd_actors::testkit::sim;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::{Asked, Site};
use crate::api::ApiConfig;

fn retry(head: &str) -> u64 {
    let line = head
        .lines()
        .find_map(|line| line.strip_prefix("retry-after: "));
    line.unwrap_or_else(|| panic!("no retry-after: {head}"))
        .parse()
        .unwrap()
}

#[test]
fn what_is_too_long_is_not_read() {
    sim(async {
        let site = Site::with(ApiConfig {
            max_body: ByteSize::kib(4),
            ..ApiConfig::default()
        })
        .await;
        let token = site.token("t", &["read"], 3600).await;
        let fits = site.post(&token, "slave/list", &" ".repeat(4096)).await;
        assert_eq!(fits.status, 200, "{fits:?}");
        let long = site.post(&token, "slave/list", &" ".repeat(4097)).await;
        assert_eq!(
            (long.status, &long.json()["code"]),
            (413, &"too_large".into())
        );
        // Whatever it says about its length.
        let mut io = site.connect([10, 0, 0, 9].into()).await;
        let head = format!(
            "POST /api/v1/slave/list HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
             transfer-encoding: chunked\r\n\r\n2000\r\n{}\r\n0\r\n\r\n",
            " ".repeat(0x2000)
        );
        io.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        io.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        let head = Asked::post("slave/list").header(&format!("x: {}", "y".repeat(20_000)));
        assert_eq!(site.ask(head).await.status, 431);
    });
}

#[test]
fn what_does_not_come_to_its_end_is_not_waited_for() {
    sim(async {
        let site = Site::start().await;
        let token = site.token("t", &["read"], 3600).await;
        let most = ApiConfig::default().request_timeout;
        for (text, status) in [
            ("", ""),
            ("POST /api/v1/slave/list HT", ""),
            ("POST /api/v1/slave/list HTTP/1.1\r\nhost: x\r\n", ""),
            ("BODY", "HTTP/1.1 408 "),
        ] {
            let body = format!(
                "POST /api/v1/slave/list HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
                 content-length: 9\r\n\r\n{{"
            );
            let text = if text == "BODY" { body.as_str() } else { text };
            let mut io = site.connect([10, 0, 0, 9].into()).await;
            io.write_all(text.as_bytes()).await.unwrap();
            let began = Instant::now();
            let mut answer = String::new();
            // A connection that is cut is as good as one that is closed.
            drop(io.read_to_string(&mut answer).await);
            assert!(answer.starts_with(status), "{text}: {answer}");
            let took = began.elapsed();
            assert!(
                took >= most && took < most * 2 + Duration::from_secs(1),
                "{text}: {took:?}"
            );
        }
    });
}

#[test]
fn who_takes_nothing_of_an_answer_gives_the_place_back() {
    sim(async {
        let site = Site::with(ApiConfig {
            max_per_address: 1,
            ..ApiConfig::default()
        })
        .await;
        let token = site.token("t", &["read"], 3600).await;
        let mut slow = site.connect([10, 0, 0, 9].into()).await;
        let ask = format!(
            "GET /api/v1/openapi.json HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n"
        );
        slow.write_all(ask.repeat(20).as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(50)).await;
        assert_eq!(
            site.post(&token, "slave/list", "").await.status,
            0,
            "there is no place"
        );
        tokio::time::sleep(Duration::from_secs(20)).await;
        assert_eq!(site.post(&token, "slave/list", "").await.status, 200);
        let mut rest = Vec::new();
        // It was cut somewhere.
        drop(slow.read_to_end(&mut rest).await);
        let answers = String::from_utf8_lossy(&rest)
            .matches("HTTP/1.1 200")
            .count();
        assert!((1..20).contains(&answers), "{answers}");
    });
}

#[test]
fn who_asks_too_often_hears_when_to_come_again_and_others_do_not() {
    sim(async {
        let site = Site::with(ApiConfig {
            token_rate: 2,
            ..ApiConfig::default()
        })
        .await;
        let (one, two) = (
            site.token("one", &["read"], 3600).await,
            site.token("two", &["read"], 3600).await,
        );
        for _ in 0..4 {
            assert_eq!(site.post(&one, "slave/list", "").await.status, 200);
        }
        let refused = site.post(&one, "slave/list", "").await;
        assert_eq!(
            (refused.status, retry(&refused.head)),
            (429, 1),
            "{refused:?}"
        );
        assert_eq!(site.post(&two, "slave/list", "").await.status, 200);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(site.post(&one, "slave/list", "").await.status, 200);
        // A reload counts at once.
        site.current
            .send_modify(|config| Arc::make_mut(config).api.address_rate = 1);
        let statuses = [
            site.post(&two, "slave/list", "").await.status,
            site.post(&two, "slave/list", "").await.status,
            site.post(&two, "slave/list", "").await.status,
        ];
        assert_eq!(statuses, [200, 200, 429]);
        let other = Asked::post("slave/list").with(&two).from(77);
        assert_eq!(site.ask(other).await.status, 200);
    });
}

#[test]
fn wrong_tokens_are_slow_then_refused_and_lock_nobody_else_out() {
    sim(async {
        let site = Site::with(ApiConfig {
            max_failed: 3,
            ..ApiConfig::default()
        })
        .await;
        let good = site.token("good", &["read"], 3600).await;
        let mut times = Vec::new();
        for _ in 0..3 {
            let began = Instant::now();
            assert_eq!(site.post("wrong", "slave/list", "").await.status, 401);
            times.push(began.elapsed().as_secs());
        }
        assert_eq!(times, [1, 2, 4]);
        let began = Instant::now();
        let refused = site.post("wrong", "slave/list", "").await;
        assert!(
            refused.status == 429 && retry(&refused.head) <= 60,
            "{refused:?}"
        );
        assert_eq!(began.elapsed().as_secs(), 0);
        let elsewhere = Asked::post("slave/list").with("wrong").from(77);
        assert_eq!(site.ask(elsewhere).await.status, 401);
        assert_eq!(site.post(&good, "slave/list", "").await.status, 200);
    });
}

#[test]
fn a_tokens_use_is_noted_once_a_minute() {
    sim(async {
        let site = Site::start().await;
        let token = site.token("t", &["*"], 3600).await;
        let mut used = Vec::new();
        for seconds in [0, 1, 58, 2] {
            site.clock.advance(Duration::from_secs(seconds));
            let list = site.post(&token, "token/list", "").await.json();
            used.push(list["tokens"][0]["used"].as_i64().unwrap_or(0) - 1_800_000_000);
        }
        // Each answer may be older than the note of its own request.
        let list = site.post(&token, "token/list", "").await.json();
        assert_eq!(list["tokens"][0]["used"], 1_800_000_061_i64, "{used:?}");
        assert!(used[1..3].iter().all(|at| *at == 0), "{used:?}");
    });
}
