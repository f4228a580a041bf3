//! Listings under TLS: each resumes the session of its control connection, and what does not.

use std::io::ErrorKind;

use drftpd_actors::Net;
use drftpd_actors::testkit::{settle, sim};
use drftpd_protocol::wire::Resumption;
use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::super::testing::address;
use super::{names, passive, site};
use crate::ftp::testkit::dial_tls;
use crate::tls::TlsConfig;

#[test]
fn auth_makes_a_control_connection_and_its_listings_secure_and_each_resumes_its_session() {
    for version in [&TLS12, &TLS13] {
        sim(async {
            let (site, tls) = site(TlsConfig::default()).await;
            site.file("/x", b"bytes", None).await;
            let with = tls.client(version);
            for mechanism in ["TLS", "ssl", "TLS-C"] {
                let mut client = site.client().await;
                let feat = client.ask("FEAT", 211).await;
                assert!(feat.contains("\r\n AUTH TLS\r\n"), "{feat}");
                client.ask(&format!("AUTH {mechanism}"), 234).await;
                client.secure(&with).await;
                client.log_in("bob").await;
                client.ask("PBSZ 0", 200).await;
                client.ask("PROT P", 200).await;
                for _ in 0..5 {
                    let (resumed, all) = names(&site, &mut client, &with).await;
                    assert!(resumed && all == "x\r\n", "{all}");
                }
                client.ask("PROT C", 200).await;
                let mut io = passive(&site, &mut client).await;
                client.ask("NLST", 150).await;
                let mut all = String::new();
                io.read_to_string(&mut all).await.unwrap();
                drop(io);
                client.expect(226).await;
                assert_eq!(all, "x\r\n");
                client.ask("AUTH TLS", 503).await;
                client.ask("QUIT", 221).await;
                let mut rest = String::new();
                client.into_io().read_to_string(&mut rest).await.unwrap();
                assert_eq!(rest, "");
            }
        });
    }
}

#[test]
fn where_resumption_is_required_another_session_gets_no_listing() {
    for (resumption, fxp, served) in [
        (Resumption::Required, false, false),
        (Resumption::Required, true, true),
        (Resumption::Offered, false, true),
        (Resumption::Off, false, true),
    ] {
        sim(async {
            let config = TlsConfig {
                data_resumption: resumption,
                ..TlsConfig::default()
            };
            let (site, tls) = site(config).await;
            let (own, other) = (tls.client(&TLS13), tls.client(&TLS13));
            let mut client = site.client().await;
            client.auth(&own).await;
            client.log_in(if fxp { "bob" } else { "finn" }).await;
            client.ask("PROT P", 200).await;
            let (resumed, _) = names(&site, &mut client, &own).await;
            assert_eq!(resumed, resumption != Resumption::Off);
            let io = passive(&site, &mut client).await;
            client.ask("NLST", 150).await;
            let mut io = dial_tls(io, &other).await.unwrap().io;
            let mut all = Vec::new();
            let read = io.read_to_end(&mut all).await;
            if served {
                read.unwrap();
                drop(io);
                client.expect(226).await;
            } else {
                assert_eq!(read.unwrap_err().kind(), ErrorKind::UnexpectedEof);
                let said = client.expect(522).await;
                assert!(said.contains("resume"), "{said}");
                let (resumed, _) = names(&site, &mut client, &own).await;
                assert!(resumed, "the session is worth nothing any more");
            }
        });
    }
}

#[test]
fn however_many_come_first_and_say_nothing_the_clients_listing_is_sent() {
    sim(async {
        let (site, tls) = site(TlsConfig::default()).await;
        site.file("/x", b"bytes", None).await;
        let with = tls.client(&TLS13);
        let mut client = site.client().await;
        client.auth(&with).await;
        client.log_in("finn").await;
        client.ask("PROT P", 200).await;
        let at = address(&client.ask("PASV", 227).await);
        let mut strangers = Vec::new();
        for _ in 0..20 {
            strangers.push(site.net.connect(None, at).await.unwrap());
        }
        client.ask("NLST", 150).await;
        for _ in 0..80 {
            strangers.push(site.net.connect(None, at).await.unwrap());
            settle().await;
        }
        let io = site.net.connect(None, at).await.unwrap();
        let mut secured = dial_tls(io, &with).await.unwrap();
        let mut all = String::new();
        secured.io.read_to_string(&mut all).await.unwrap();
        secured.io.shutdown().await.unwrap();
        client.expect(226).await;
        assert_eq!(all, "x\r\n");
        for mut stranger in strangers {
            let mut heard = Vec::new();
            stranger.read_to_end(&mut heard).await.unwrap();
            assert_eq!(heard, b"");
        }
    });
}

#[test]
fn where_resumption_is_required_our_side_does_not_begin_a_handshake_that_proves_nothing() {
    sim(async {
        let config = TlsConfig {
            data_resumption: Resumption::Required,
            ..TlsConfig::default()
        };
        let (site, tls) = site(config).await;
        for (user, code) in [("finn", 522), ("bob", 150)] {
            let mut client = site.client().await;
            client.auth(&tls.client(&TLS13)).await;
            client.log_in(user).await;
            client.ask("PROT P", 200).await;
            client.ask("CPSV", 227).await;
            client.ask("NLST", code).await;
            let mut client = site.client().await;
            client.auth(&tls.client(&TLS13)).await;
            client.log_in(user).await;
            client.ask("PROT P", 200).await;
            client.ask("SSCN ON", 200).await;
            client.ask("PASV", 227).await;
            client.ask("NLST", code).await;
        }
    });
}

#[test]
fn a_data_connection_that_speaks_no_tls_is_522_and_the_session_goes_on() {
    sim(async {
        let (site, tls) = site(TlsConfig::default()).await;
        let with = tls.client(&TLS13);
        let mut client = site.client().await;
        client.auth(&with).await;
        client.log_in("bob").await;
        client.ask("PROT P", 200).await;
        let mut io = passive(&site, &mut client).await;
        client.ask("LIST", 150).await;
        io.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        client.expect(522).await;
        let silent = passive(&site, &mut client).await;
        client.ask("LIST", 150).await;
        client.expect(522).await;
        drop(silent);
        names(&site, &mut client, &with).await;
    });
}
