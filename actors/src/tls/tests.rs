//! Handshakes over a network in memory, the two ends as master, slave and client have them.

use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::server::ProducesTickets;
use rustls::{ClientConfig, ProtocolVersion, ServerConfig, SupportedProtocolVersion};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::testkit::{MemNet, sim};
use crate::{Net, Secured};

fn server_with(protocols: &[&[u8]]) -> FtpServer {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    FtpServer::new(vec![cert.der().clone()], key, protocols).unwrap()
}

fn server() -> FtpServer {
    server_with(CONTROL_PROTOCOLS)
}

/// A client as people have it: it trusts the certificate and keeps its sessions.
fn client(server: &FtpServer, version: &'static SupportedProtocolVersion) -> ClientConfig {
    client_with(provider(), server, version)
}

fn client_with(
    provider: Arc<CryptoProvider>,
    server: &FtpServer,
    version: &'static SupportedProtocolVersion,
) -> ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(server.certificate().clone()).unwrap();
    ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// Like [`client`], and it shows this certificate to whoever asks.
fn client_showing(
    server: &FtpServer,
    version: &'static SupportedProtocolVersion,
    chain: Vec<CertificateDer<'static>>,
    key: &PrivateKeyDer<'_>,
) -> ClientConfig {
    let mut config = client(server, version);
    let key = provider().key_provider.load_private_key(key.clone_key());
    let shown = rustls::sign::CertifiedKey::new(chain, key.unwrap());
    config.client_auth_cert_resolver = Arc::new(rustls::sign::SingleCertAndKey::from(shown));
    config
}

/// One connection: handshake, a byte each way so that tickets arrive, and the end.
async fn meet(
    client: &Arc<ClientConfig>,
    server: Arc<ServerConfig>,
) -> std::io::Result<(Secured, Secured)> {
    let net = MemNet::new().with_tls();
    let listener = net.bind("127.0.0.1:21".parse().unwrap()).await?;
    let near = net.connect(None, listener.local_addr()?).await?;
    let far = listener.accept().await?.adopt()?;
    let name = ServerName::try_from("localhost").unwrap();
    let (near, far) = tokio::join!(
        net.dial_tls(near, Arc::clone(client), name),
        net.serve_tls(far, server)
    );
    let (mut near, mut far) = (near?, far?);
    far.io.write_all(b"x").await?;
    far.io.flush().await?;
    assert_eq!(near.io.read_u8().await?, b'x');
    near.io.write_all(b"y").await?;
    near.io.flush().await?;
    assert_eq!(far.io.read_u8().await?, b'y');
    Ok((near, far))
}

fn key(byte: u8) -> Option<Arc<dyn ProducesTickets>> {
    Some(SessionTickets::under(&[byte; 32]))
}

const BOTH: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

#[test]
fn a_ticket_of_one_machine_resumes_on_another_that_has_its_key() {
    sim(async {
        for version in BOTH {
            let master = server();
            let slave = master.clone();
            let client = Arc::new(client(&master, version));
            let (first, _) = meet(&client, master.config(key(1), 4)).await.unwrap();
            assert!(!first.resumed);
            // Data connections that give no ticket themselves: TLS 1.3 uses one of the four each time.
            for _ in 0..4 {
                let (near, far) = meet(&client, slave.config(key(1), 0)).await.unwrap();
                assert!(near.resumed && far.resumed, "{version:?}");
                assert_eq!(near.protocol, far.protocol);
                assert!(far.cipher.is_some() && near.cipher == far.cipher);
            }
            let (last, _) = meet(&client, slave.config(key(1), 0)).await.unwrap();
            let used_up = last.protocol == Some(ProtocolVersion::TLSv1_3);
            assert_eq!(last.resumed, !used_up);
        }
    });
}

#[test]
fn another_sessions_ticket_or_none_wanted_gives_a_full_handshake() {
    sim(async {
        for version in BOTH {
            let server = server();
            let client = Arc::new(client(&server, version));
            meet(&client, server.config(key(1), 4)).await.unwrap();
            let (_, other) = meet(&client, server.config(key(2), 0)).await.unwrap();
            assert!(!other.resumed, "{version:?}");
            let (_, off) = meet(&client, server.config(None, 4)).await.unwrap();
            assert!(!off.resumed, "{version:?}");
        }
    });
}

#[test]
fn a_client_that_names_only_other_protocols_is_refused_and_one_that_names_ftp_or_none_is_served() {
    sim(async {
        let control = server();
        let data = server_with(DATA_PROTOCOLS);
        let cases: [(&FtpServer, &[&[u8]], bool); 5] = [
            (&control, &[], true),
            (&control, &[b"ftp"], true),
            (&control, &[b"h2", b"http/1.1"], false),
            (&control, &[b"x-filezilla-ftp", b"ftp"], true),
            (&data, &[b"ftp-data"], true),
        ];
        for (server, protocols, served) in cases {
            let mut client = client(server, &TLS13);
            client.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
            let met = meet(&Arc::new(client), server.config(None, 0)).await;
            assert_eq!(met.is_ok(), served, "{protocols:?}");
        }
    });
}

#[test]
fn the_server_takes_aes_128_whatever_the_client_likes_best() {
    sim(async {
        for (version, want) in BOTH.into_iter().zip([
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            "TLS_AES_128_GCM_SHA256",
        ]) {
            let server = server();
            let mut provider = (*provider()).clone();
            provider.cipher_suites.reverse();
            let client = Arc::new(client_with(Arc::new(provider), &server, version));
            for resumed in [false, true] {
                let (near, _) = meet(&client, server.config(key(1), 2)).await.unwrap();
                assert_eq!(near.cipher.map(cipher_name).unwrap(), want);
                assert_eq!(near.resumed, resumed);
            }
        }
    });
}

#[test]
fn versions_and_suites_have_the_names_that_other_programs_print() {
    assert_eq!(version_name(ProtocolVersion::TLSv1_2), "TLS 1.2");
    let suites = provider().cipher_suites.clone();
    let names: Vec<String> = suites
        .iter()
        .map(|suite| cipher_name(suite.suite()))
        .collect();
    assert!(
        names.contains(&"TLS_AES_128_GCM_SHA256".to_owned()),
        "{names:?}"
    );
    let old = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256".to_owned();
    assert!(names.contains(&old), "{names:?}");
    assert!(
        names
            .iter()
            .all(|name| name.contains("GCM") || name.contains("POLY1305"))
    );
}

#[test]
fn a_key_that_is_another_certificates_is_refused() {
    let (one, other) = (server(), server());
    let CertifiedKey { signing_key, .. } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let chain = vec![one.certificate().clone()];
    assert!(FtpServer::new(chain, key, &[]).is_err());
    assert_ne!(one.certificate(), other.certificate());
}

#[test]
fn two_with_the_same_certificate_prove_it_to_each_other_and_strangers_cannot() {
    sim(async {
        let (ours, others) = (server(), server());
        let ours_begins = Arc::new(ours.client(Peer::Same).unwrap());
        let unknowing = Arc::new(ours.client(Peer::Anybody).unwrap());
        let stranger = Arc::new(others.client(Peer::Anybody).unwrap());
        let nobody = Arc::new(ftp_client(Believed::Anybody).unwrap());
        for (client, server, met) in [
            (&ours_begins, &ours, true),
            (&unknowing, &ours, true),
            (&ours_begins, &others, false),
            (&stranger, &ours, false),
            (&nobody, &ours, false),
        ] {
            for _ in 0..2 {
                let done = meet(client, server.between()).await;
                assert_eq!(done.is_ok(), met);
                assert!(done.is_err() || !done.unwrap().1.resumed);
            }
        }
        // A client of people has no certificate, and with a ticket it does not get past either.
        for version in BOTH {
            let client = Arc::new(client(&ours, version));
            meet(&client, ours.config(key(1), 4)).await.unwrap();
            assert!(meet(&client, ours.between()).await.is_err(), "{version:?}");
        }
    });
}

#[test]
fn our_certificate_is_shown_to_nobody_who_asks_for_another() {
    let ours = server();
    let mut named = rustls::RootCertStore::empty();
    named.add(ours.certificate().clone()).unwrap();
    let mine = named.subjects();
    let shows = |asked: &[&[u8]]| {
        let client = ours.client(Peer::Anybody).unwrap();
        let resolver = client.client_auth_cert_resolver;
        resolver.resolve(asked, &[]).is_some()
    };
    assert!(shows(&[b"other", mine[0].as_ref()]));
    assert!(!shows(&[b"other"]) && !shows(&[]));
}

#[test]
fn between_servers_the_peer_is_anybody_or_exactly_the_one_expected() {
    sim(async {
        let (ours, others) = (server(), server());
        let mine: CertificateDer<'static> = ours.certificate().clone();
        let anybody = Arc::new(ftp_client(Believed::Anybody).unwrap());
        let exactly = Arc::new(ftp_client(Believed::Exactly(mine)).unwrap());
        for (client, server, believed) in [
            (&anybody, &ours, true),
            (&anybody, &others, true),
            (&exactly, &ours, true),
            (&exactly, &others, false),
        ] {
            let met = meet(client, server.config(key(1), 2)).await;
            assert_eq!(met.is_ok(), believed);
            // It keeps no sessions.
            assert!(
                met.is_err()
                    || !meet(client, server.config(key(1), 2))
                        .await
                        .unwrap()
                        .0
                        .resumed
            );
        }
    });
}

#[test]
fn a_client_that_is_asked_proves_its_certificate_or_has_none() {
    sim(async {
        let made = || generate_simple_self_signed(["me".to_owned()]).unwrap();
        let (mine, other) = (made(), made());
        let chain = vec![mine.cert.der().clone()];
        let key_of = |it: &CertifiedKey<_>| {
            let key: &rcgen::KeyPair = &it.signing_key;
            PrivateKeyDer::try_from(key.serialize_der()).unwrap()
        };
        for version in BOTH {
            let server = server();
            let showing = client_showing(&server, version, chain.clone(), &key_of(&mine));
            let showing = Arc::new(showing);
            let (_, far) = meet(&showing, server.asking(key(1), 4)).await.unwrap();
            assert_eq!(far.peer_certificates, chain, "{version:?}");
            // Its data connections go on with that session, on machines that ask nobody.
            let (near, far) = meet(&showing, server.config(key(1), 0)).await.unwrap();
            assert!(near.resumed && far.resumed, "{version:?}");
            let (_, unasked) = meet(&showing, server.config(key(2), 0)).await.unwrap();
            assert!(unasked.peer_certificates.is_empty(), "{version:?}");

            let without = Arc::new(client(&server, version));
            let (_, far) = meet(&without, server.asking(key(1), 4)).await.unwrap();
            assert!(far.peer_certificates.is_empty(), "{version:?}");

            // Somebody else's certificate is public; its key is not.
            let thief = client_showing(&server, version, chain.clone(), &key_of(&other));
            let met = meet(&Arc::new(thief), server.asking(key(1), 4)).await;
            assert!(met.is_err(), "{version:?}");
        }
    });
}
