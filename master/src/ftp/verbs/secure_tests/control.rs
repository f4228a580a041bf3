//! Control connections under TLS: AUTH and what follows it, the verbs of protection, the rules, the end.

use std::time::Duration;

use drftpd_actors::Net;
use drftpd_actors::testkit::sim;
use rustls::version::TLS13;
use tokio::io::AsyncReadExt;
use tokio::time::Instant;

use super::{names, passive, site};
use crate::ftp::testkit::{FtpScript, dial_tls};
use crate::tls::{Policy, TlsConfig};

#[test]
fn what_was_said_in_clear_does_not_count_behind_auth() {
    sim(async {
        let (site, tls) = site(TlsConfig::default()).await;
        site.file("/x", b"bytes", None).await;
        let with = tls.client(&TLS13);
        let mut client = site.client().await;
        client.ask("USER bob", 331).await;
        client.auth(&with).await;
        client.ask("PASS secret", 503).await;

        let mut client = site.user().await;
        client.ask("RNFR /x", 350).await;
        client.auth(&with).await;
        client.ask("RNTO /y", 530).await;
        client.log_in("bob").await;
        client.ask("RNTO /y", 503).await;

        let mut client = site.user().await;
        client.ask("PRET LIST", 200).await;
        let mut io = passive(&site, &mut client).await;
        client.ask("REST 3", 350).await;
        client.auth(&with).await;
        assert_eq!(
            io.read(&mut [0; 1]).await.unwrap_or(0),
            0,
            "its port is open"
        );
        client.log_in("bob").await;
        client.ask("LIST", 425).await;
        assert!(client.ask("XTESTSTATE", 200).await.contains("None None"));
    });
}

#[test]
fn bytes_in_clear_behind_auth_end_the_connection() {
    sim(async {
        let (site, _tls) = site(TlsConfig::default()).await;
        for behind in ["USER bob\r\n", "US", "\u{16}\u{3}\u{1}", "NOOP\r\nNOOP\r\n"] {
            for before in ["", "NOOP\r\n"] {
                let mut client = site.client().await;
                client.send(format!("{before}AUTH TLS\r\n{behind}")).await;
                if !before.is_empty() {
                    client.expect(200).await;
                }
                client.expect(421).await;
                client.closed().await;
            }
        }
        // Too late for that, and no handshake either.
        let mut client = site.client().await;
        client.ask("AUTH TLS", 234).await;
        client.send("USER bob\r\nPASS secret\r\n").await;
        let rest = client.rest().await;
        assert!(!rest.contains("331"), "{rest}");
    });
}

#[test]
fn a_handshake_that_does_not_come_is_not_waited_for_longer_than_the_limit() {
    sim(async {
        let (site, _tls) = site(TlsConfig::default()).await;
        let mut silent = site.client().await;
        silent.ask("AUTH TLS", 234).await;
        let begun = Instant::now();
        silent.closed().await;
        assert_eq!(begun.elapsed(), Duration::from_secs(10));
        let io = site
            .net
            .connect(None, site.server.implicit[0])
            .await
            .unwrap();
        FtpScript::new(io).closed().await;
        assert_eq!(begun.elapsed(), Duration::from_secs(20));
    });
}

#[test]
fn where_tls_comes_first_the_greeting_is_secret_too_and_data_connections_are_protected() {
    sim(async {
        let (site, tls) = site(TlsConfig::default()).await;
        let with = tls.client(&TLS13);
        let io = site
            .net
            .connect(None, site.server.implicit[0])
            .await
            .unwrap();
        let mut client = FtpScript::new(io);
        client.secure(&with).await;
        client.expect(220).await;
        client.log_in("bob").await;
        let (resumed, _) = names(&site, &mut client, &with).await;
        assert!(resumed);
        client.ask("REIN", 220).await;
        client.log_in("bob").await;
        names(&site, &mut client, &with).await;
        client.ask("QUIT", 221).await;
        client.closed().await;
    });
}

#[test]
fn the_verbs_of_protection_say_what_the_rfc_has_for_them() {
    sim(async {
        let (site, tls) = site(TlsConfig::default()).await;
        let mut client = site.client().await;
        for (line, code) in [
            ("AUTH", 501),
            ("AUTH KERBEROS_V4", 504),
            ("PBSZ 0", 503),
            ("PROT P", 503),
            ("CCC", 533),
            ("SSCN ON", 530),
        ] {
            client.ask(line, code).await;
        }
        client.auth(&tls.client(&TLS13)).await;
        for (line, code) in [
            ("CCC", 533),
            ("PROT P", 200),
            ("PBSZ", 501),
            ("PBSZ many", 501),
            ("PBSZ 32768", 200),
            ("PROT", 501),
            ("PROT S", 536),
            ("PROT E", 536),
            ("PROT X", 504),
        ] {
            client.ask(line, code).await;
        }
        client.log_in("bob").await;
        client.ask("PROT C", 200).await;
        client.ask("CPSV", 503).await;
        client.ask("PROT P", 200).await;
        client.ask("CPSV", 227).await;
        assert!(client.ask("SSCN", 200).await.contains("SERVER"));
        assert!(client.ask("SSCN ON", 200).await.contains("CLIENT"));
        assert!(client.ask("SSCN", 200).await.contains("CLIENT"));
        client.ask("SSCN OFF", 200).await;
        client.ask("SSCN MAYBE", 501).await;
        // A connection stays secret when its user goes, what was said of data connections does not.
        client.ask("REIN", 220).await;
        client.log_in("bob").await;
        client.ask("CPSV", 503).await;
        client.ask("AUTH TLS", 503).await;
    });
}

#[test]
fn rules_say_where_tls_must_and_must_not_be() {
    sim(async {
        let required = TlsConfig {
            login: Policy::Required,
            listings: Policy::Required,
            ..TlsConfig::default()
        };
        let (site, tls) = site(required).await;
        let with = tls.client(&TLS13);
        let mut client = site.client().await;
        let said = client.ask("USER bob", 530).await;
        assert!(said.contains("AUTH TLS"), "{said}");
        client.auth(&with).await;
        client.log_in("bob").await;
        let _io = passive(&site, &mut client).await;
        let said = client.ask("LIST", 521).await;
        assert!(said.contains("PROT P"), "{said}");
        client.ask("PROT P", 200).await;
        names(&site, &mut client, &with).await;

        let refused = TlsConfig {
            login: Policy::Refused,
            ..TlsConfig::default()
        };
        let (site, tls) = super::site(refused).await;
        let mut client = site.client().await;
        let feat = client.ask("FEAT", 211).await;
        assert!(!feat.contains("AUTH") && !feat.contains("PROT"), "{feat}");
        client.ask("AUTH TLS", 534).await;
        client.log_in("bob").await;
        let io = site
            .net
            .connect(None, site.server.implicit[0])
            .await
            .unwrap();
        let mut client = FtpScript::new(io);
        client.secure(&tls.client(&TLS13)).await;
        client.expect(421).await;
        client.closed().await;

        let all = TlsConfig {
            listings: Policy::Required,
            data: Policy::Required,
            ..TlsConfig::default()
        };
        let (site, tls) = super::site(all).await;
        let mut client = site.client().await;
        client.auth(&tls.client(&TLS13)).await;
        client.ask("PROT C", 534).await;
        client.ask("PROT P", 200).await;
        // In clear a login is allowed, and of no great use.
        let mut client = site.user().await;
        let _io = passive(&site, &mut client).await;
        client.ask("LIST", 521).await;
        client.ask("STAT -l", 530).await;
        client.ask("STAT", 211).await;
    });
}

#[test]
fn a_session_shows_one_certificate_as_long_as_it_lives_and_the_next_the_new_one() {
    sim(async {
        let (site, tls) = site(TlsConfig::default()).await;
        let old = tls.client(&TLS13);
        let mut client = site.client().await;
        client.auth(&old).await;
        client.log_in("bob").await;
        client.ask("PROT P", 200).await;
        tls.renew();
        names(&site, &mut client, &old).await;
        let mut next = site.client().await;
        next.auth(&tls.client(&TLS13)).await;
        let mut late = site.client().await;
        late.ask("AUTH TLS", 234).await;
        let io = late.into_io();
        assert!(dial_tls(io, &old).await.is_err());
    });
}

#[test]
fn who_is_let_go_hears_it_in_tls_and_then_its_end() {
    sim(async {
        let (site, tls) = site(TlsConfig::default()).await;
        let mut client = site.client().await;
        client.auth(&tls.client(&TLS13)).await;
        client.log_in("bob").await;
        let row = site.server.sessions.list().await.unwrap().remove(0);
        assert_eq!(row.tls.as_ref().unwrap().version, "TLS 1.3");
        assert!(
            site.server
                .sessions
                .kick(row.session, "Away")
                .await
                .unwrap()
        );
        assert!(client.expect(421).await.contains("Away"));
        let mut rest = Vec::new();
        client.into_io().read_to_end(&mut rest).await.unwrap();
        assert!(rest.is_empty());
        // During the handshake nothing can be said.
        let mut client = site.client().await;
        client.ask("AUTH TLS", 234).await;
        let row = site.server.sessions.list().await.unwrap().pop().unwrap();
        assert!(
            site.server
                .sessions
                .kick(row.session, "Away")
                .await
                .unwrap()
        );
        assert_eq!(client.rest().await, "");
    });
}
