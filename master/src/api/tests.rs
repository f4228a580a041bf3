//! The API over a network in memory: who is let in, what is answered, and that it is the same table as everywhere.

#![allow(clippy::unwrap_used)]

mod doors;
mod limits;
mod site;

use site::{Asked, Site};

use std::time::Duration;

use drftpd_actors::testkit::{settle, sim};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

#[test]
fn a_command_is_asked_by_its_path_and_answers_with_its_result_or_with_an_error() {
    sim(async {
        let site = Site::start().await;
        let operator = site.token("operator", &["operate"], 3600).await;
        let added = site
            .post(&operator, "slave/add", r#"{"name": "disk-1"}"#)
            .await;
        assert_eq!(added.status, 200, "{added:?}");
        assert!(added.json()["token"].is_string());
        let again = site
            .post(
                &operator,
                "slave/add",
                r#"{"name": "disk-1", "again": true}"#,
            )
            .await;
        assert_eq!(again.status, 200, "{again:?}");
        for (path, body, status, code, field) in [
            (
                "slave/remove",
                r#"{"name": "x"}"#,
                404,
                "not_found",
                json!("name"),
            ),
            (
                "slave/remove",
                r#"{"nam": "x"}"#,
                400,
                "bad_argument",
                json!("nam"),
            ),
            ("slave/remove", "", 400, "bad_argument", json!("name")),
            ("slave/remove", "[]", 400, "bad_argument", json!(null)),
            ("slave/remove", "{", 400, "bad_argument", json!(null)),
            ("slave/begone", "{}", 404, "unknown_command", json!(null)),
            ("slave", "{}", 404, "unknown_command", json!(null)),
            ("SLAVE/REMOVE", "{}", 404, "unknown_command", json!(null)),
            ("slave%20list", "{}", 404, "unknown_command", json!(null)),
            ("who", "{}", 503, "not_running", json!(null)),
            ("token/list", "{}", 403, "denied", json!(null)),
        ] {
            let answer = site.post(&operator, path, body).await;
            assert_eq!(answer.status, status, "{path} {body}: {answer:?}");
            let error = answer.json();
            assert_eq!(error["code"], code, "{path} {body}");
            assert_eq!(error["field"], field, "{path} {body}");
            assert!(error["message"].is_string());
        }
        let text = Asked::post("slave/list")
            .with(&operator)
            .header("accept: text/plain");
        let text = site.ask(text).await;
        assert!(
            text.body.starts_with("SLAVE  ") && text.body.ends_with("1 slaves\n"),
            "{text:?}"
        );
        let lines = Asked::post("dump")
            .with(&operator)
            .header("accept: application/x-ndjson");
        let lines = site.ask(lines).await.body;
        assert!(
            lines.contains("{\"line\":\"") && lines.contains("\"result\""),
            "{lines}"
        );
    });
}

#[test]
fn lists_come_page_by_page() {
    sim(async {
        let site = Site::start().await;
        let token = site.token("t", &["*"], 3600).await;
        for name in ["a", "b", "c", "d"] {
            site.token(name, &["read"], 3600).await;
        }
        let mut names = Vec::new();
        let mut after = String::new();
        loop {
            let body = json!({ "limit": 2, "after": Some(&after).filter(|it| !it.is_empty()) });
            let page = site
                .post(&token, "token/list", &body.to_string())
                .await
                .json();
            let tokens = page["tokens"].as_array().unwrap();
            names.extend(
                tokens
                    .iter()
                    .map(|it| it["name"].as_str().unwrap().to_owned()),
            );
            match page["next"].as_str() {
                Some(next) => after = next.to_owned(),
                None => break,
            }
        }
        assert_eq!(names, ["a", "b", "c", "d", "t"]);
    });
}

#[test]
fn only_a_token_that_is_good_gets_in() {
    sim(async {
        let site = Site::start().await;
        let good = site.token("good", &["read"], 60).await;
        let revoked = site.token("revoked", &["*"], 60).await;
        let revoke = site
            .post(&revoked, "token/revoke", r#"{"name": "revoked"}"#)
            .await;
        assert_eq!(revoke.status, 200, "{revoke:?}");
        assert_eq!(site.post(&good, "slave/list", "").await.status, 200);
        let other = format!("{}x", &good[..good.len() - 1]);
        for said in ["", "x", &other, &revoked] {
            let refused = site.post(said, "slave/list", "").await;
            assert_eq!(refused.status, 401, "{said}");
            assert_eq!(refused.json()["code"], "unauthorized");
            assert!(
                refused.head.contains("www-authenticate: Bearer"),
                "{}",
                refused.head
            );
        }
        for path in [
            "/api/v1/openapi.json",
            "/api/v1/events",
            "/api/v1/slave/list",
            "/api/v1/x/y/z",
        ] {
            let refused = site.ask(Asked::new("GET", path)).await;
            assert_eq!(refused.status, 401, "{path}");
            assert!(!refused.body.contains("slave"), "{}", refused.body);
        }
        site.clock.advance(Duration::from_secs(61));
        assert_eq!(site.post(&good, "slave/list", "").await.status, 401);
    });
}

#[test]
fn health_needs_no_token_and_everything_else_has_its_answer() {
    sim(async {
        let site = Site::start().await;
        let live = site.ask(Asked::new("GET", "/livez")).await;
        assert_eq!((live.status, live.body.as_str()), (200, "ok\n"));
        let metrics = site.ask(Asked::new("GET", "/metrics")).await;
        assert!(
            metrics.body.contains("\ndrftpd_tree_files 0\n"),
            "{metrics:?}"
        );
        assert!(
            metrics
                .body
                .contains("drftpd_api_requests_total{status=\"2xx\"} 1\n")
        );
        assert_eq!(site.ask(Asked::new("GET", "/readyz")).await.status, 200);
        site.full.send_replace(true);
        let ill = site.ask(Asked::new("GET", "/livez")).await;
        assert!(
            ill.status == 503 && ill.body.contains("store is full"),
            "{ill:?}"
        );
        site.full.send_replace(false);
        site.drain.begin(Duration::from_secs(60));
        assert_eq!(site.ask(Asked::new("GET", "/livez")).await.status, 200);
        let drains = site.ask(Asked::new("GET", "/readyz")).await;
        assert!(
            drains.status == 503 && drains.body.contains("drains"),
            "{drains:?}"
        );

        let token = site.token("t", &["read"], 60).await;
        let method = site
            .ask(Asked::new("GET", "/api/v1/slave/list").with(&token))
            .await;
        assert_eq!(
            (method.status, &method.json()["code"]),
            (405, &json!("method_not_allowed"))
        );
        for path in ["/", "/api", "/api/v2/who"] {
            let nothing = site.ask(Asked::new("GET", path)).await;
            assert_eq!(
                (nothing.status, &nothing.json()["code"]),
                (404, &json!("not_found"))
            );
        }
        let document = site
            .ask(Asked::new("GET", "/api/v1/openapi.json").with(&token))
            .await;
        assert!(document.json()["paths"]["/api/v1/slave/add"]["post"].is_object());
        assert!(
            !document.head.contains("access-control"),
            "{}",
            document.head
        );
    });
}

#[test]
fn a_token_makes_no_greater_one() {
    sim(async {
        let site = Site::start().await;
        let token = site.token("maker", &["token:create", "read"], 3600).await;
        let make = async |name: &str, scopes: &str, expires: &str| {
            let body = json!({ "name": name, "scopes": [scopes], "expires": expires });
            site.post(&token, "token/create", &body.to_string()).await
        };
        assert_eq!(make("one", "read", "10m").await.status, 200);
        assert_eq!(make("one", "read", "10m").await.status, 409);
        for (scopes, expires, field) in [
            ("operate", "10m", "scopes"),
            ("token:*", "10m", "scopes"),
            ("read", "2h", "expires"),
        ] {
            let refused = make("two", scopes, expires).await;
            assert_eq!(refused.status, 403, "{refused:?}");
            assert_eq!(refused.json()["field"], field);
        }
    });
}

#[test]
fn a_follower_hears_what_happens_what_it_missed_and_why_it_ends() {
    sim(async {
        let site = Site::start().await;
        let operator = site.token("operator", &["operate"], 3600).await;
        let narrow = site.token("narrow", &["slave:*"], 3600).await;
        let path = "/api/v1/events?kinds=events";
        assert_eq!(
            site.ask(Asked::new("GET", path).with(&narrow)).await.status,
            403
        );
        let wrong = site
            .ask(Asked::new("GET", "/api/v1/events?kinds=all").with(&operator))
            .await;
        assert_eq!(wrong.status, 400, "{wrong:?}");

        let mut follower = site.follow(&operator, path).await;
        assert!(follower.block().await.starts_with(": "));
        site.happens("/one");
        let block = follower.block().await;
        assert!(
            block.contains("event: conflict.kept\n") && block.contains("\"/one\""),
            "{block}"
        );
        // Nothing for a while is a comment.
        assert!(follower.block().await.starts_with(": still here"));
        // More than is kept while nobody takes any of it.
        for n in 0..100_000 {
            site.happens(&format!("/{n}"));
            if n % 500 == 0 {
                settle().await;
            }
        }
        let mut got = 0;
        let missed = loop {
            let block = follower.block().await;
            match block.strip_prefix("event: missed\ndata: {\"missed\":") {
                Some(rest) => break rest.trim().trim_end_matches('}').parse::<u64>().unwrap(),
                None => got += 1,
            }
        };
        assert!(
            missed > 1000 && got + missed < 100_000,
            "{got} got, {missed} missed"
        );
        site.drain.begin(Duration::from_secs(60));
        let end = loop {
            let block = follower.block().await;
            if block.starts_with("event: end") {
                break block;
            }
        };
        assert!(end.contains("drains"), "{end}");
    });
}

#[test]
fn requests_that_are_there_have_their_answers_when_it_ends() {
    sim(async {
        let mut site = Site::start().await;
        let token = site.token("t", &["read"], 3600).await;
        let mut io = site.connect([10, 0, 0, 9].into()).await;
        let head = format!(
            "POST /api/v1/slave/list HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
             content-length: 2\r\n\r\n"
        );
        io.write_all(head.as_bytes()).await.unwrap();
        settle().await;
        let began = Instant::now();
        let rest = async {
            tokio::time::sleep(Duration::from_secs(2)).await;
            io.write_all(b"{}").await.unwrap();
            let mut answer = String::new();
            io.read_to_string(&mut answer).await.unwrap();
            answer
        };
        let ((), answer) = tokio::join!(site.close(Duration::from_secs(10)), rest);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert_eq!(
            began.elapsed().as_secs(),
            2,
            "it waits no longer than it must"
        );
        assert!(!site.listens().await);
    });
}

#[test]
fn a_follower_ends_with_its_token() {
    sim(async {
        let site = Site::start().await;
        let token = site.token("t", &["read"], 3600).await;
        let mut follower = site.follow(&token, "/api/v1/events").await;
        assert!(follower.block().await.starts_with(": "));
        site.clock.advance(Duration::from_secs(3601));
        let end = follower.block().await;
        assert!(end.contains("event: end") && end.contains("token"), "{end}");

        // So it does where something happens all the time.
        let token = site.token("u", &["read"], 3600).await;
        let mut follower = site.follow(&token, "/api/v1/events").await;
        assert!(follower.block().await.starts_with(": "));
        site.clock.advance(Duration::from_secs(3601));
        let mut heard = 0;
        loop {
            site.happens("/again");
            tokio::time::sleep(Duration::from_secs(1)).await;
            if follower.block().await.starts_with("event: end") {
                break;
            }
            heard += 1;
        }
        assert!((10..20).contains(&heard), "{heard}");
    });
}
