//! The same conversation over every network, TLS over the real one, and hand-over between arbiters.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // tests may start, send and fail as they like

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use drftpd_actors::testkit::{MemNet, TurmoilNet, sim};
use drftpd_actors::{BoxIo, Net, Place, TokioNet, block_on};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// Sends everything back until the other side closes, then closes.
async fn echo(mut io: BoxIo) -> io::Result<u64> {
    let mut all = Vec::new();
    io.read_to_end(&mut all).await?;
    io.write_all(&all).await?;
    io.shutdown().await?;
    Ok(all.len() as u64)
}

async fn says(mut io: BoxIo, what: &[u8]) -> Vec<u8> {
    io.write_all(what).await.unwrap();
    io.shutdown().await.unwrap();
    let mut answer = Vec::new();
    io.read_to_end(&mut answer).await.unwrap();
    answer
}

async fn a_conversation_works(net: &dyn Net, at: IpAddr) {
    let listener = net.bind(SocketAddr::new(at, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    assert_ne!(port, 0);
    let to = net.resolve("127.0.0.1", port).await.unwrap()[0];
    let serving = async {
        let incoming = listener.accept().await.unwrap();
        let (peer, local) = (incoming.peer, incoming.local);
        let io = incoming.adopt().unwrap();
        assert_eq!(
            (io.peer_addr().unwrap(), io.local_addr().unwrap()),
            (peer, local)
        );
        (peer, echo(io).await.unwrap())
    };
    let asking = async {
        let io = net.connect(None, to).await.unwrap();
        let (near, far) = (io.local_addr().unwrap(), io.peer_addr().unwrap());
        assert_eq!(far, to);
        (near, says(io, b"hello").await)
    };
    let ((peer, len), (near, answer)) = tokio::join!(serving, asking);
    assert_eq!(
        (peer, len, answer.as_slice()),
        (near, 5, b"hello".as_slice())
    );
    drop(listener);
    assert!(
        net.connect(None, to).await.is_err(),
        "nobody listens any more"
    );
}

#[test]
fn a_conversation_works_in_memory() {
    sim(a_conversation_works(
        &MemNet::new(),
        Ipv4Addr::LOCALHOST.into(),
    ));
    sim(a_conversation_works(
        &MemNet::new(),
        Ipv4Addr::UNSPECIFIED.into(),
    ));
}

#[test]
fn a_conversation_works_on_the_real_network() {
    block_on(a_conversation_works(
        &TokioNet::new(),
        Ipv4Addr::LOCALHOST.into(),
    ))
    .unwrap();
    block_on(a_conversation_works(
        &TokioNet::new(),
        Ipv4Addr::UNSPECIFIED.into(),
    ))
    .unwrap();
}

#[test]
fn two_ipv6_families_share_a_port_only_when_asked_to_keep_apart() {
    block_on(async {
        let any = |port| SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, port));
        let Ok(both) = TokioNet::new().bind(any(0)).await else {
            return;
        }; // a machine without IPv6
        let port = both.local_addr().unwrap().port();
        assert!(TokioNet::new().connect(None, loopback(port)).await.is_ok());
        let six = TokioNet::new().v6_only().bind(any(0)).await.unwrap();
        let port = six.local_addr().unwrap().port();
        assert!(TokioNet::new().connect(None, loopback(port)).await.is_err());
    })
    .unwrap();
}

#[test]
fn a_plain_connection_gives_its_socket_and_no_delay_is_set() {
    block_on(async {
        let net = TokioNet::new();
        let listener = net.bind(loopback(0)).await.unwrap();
        let from = Some(Ipv4Addr::LOCALHOST.into());
        let near = net
            .connect(from, listener.local_addr().unwrap())
            .await
            .unwrap();
        let far = listener.accept().await.unwrap().adopt().unwrap();
        for io in [near, far] {
            assert!(io.as_tcp().unwrap().nodelay().unwrap());
            assert!(io.into_tcp().is_ok());
        }
    })
    .unwrap();
}

#[test]
fn an_incoming_connection_is_adopted_by_another_arbiter_and_outlives_the_first() {
    block_on(async {
        let (first, second) = (
            Place::pool("accepts", 1).unwrap(),
            Place::pool("serves", 1).unwrap(),
        );
        let (bound, at) = oneshot::channel();
        let (handed, over) = oneshot::channel();
        first.run(move || {
            actix_rt::spawn(async move {
                let listener = TokioNet::new().bind(loopback(0)).await.unwrap();
                bound.send(listener.local_addr().unwrap()).unwrap();
                assert!(handed.send(listener.accept().await.unwrap()).is_ok());
            });
        });
        let io = TokioNet::new()
            .connect(None, at.await.unwrap())
            .await
            .unwrap();
        let incoming = over.await.unwrap();
        first.stop();
        first.join();
        let served = second.run(move || {
            actix_rt::spawn(async move { echo(incoming.adopt().unwrap()).await.unwrap() });
        });
        assert!(served);
        assert_eq!(says(io, b"still here").await, b"still here");
        second.stop();
        second.join();
    })
    .unwrap();
}

/// A server that asks for certificates, a client that shows one; both signed by themselves.
fn tls() -> (
    Arc<ServerConfig>,
    Arc<ClientConfig>,
    CertificateDer<'static>,
) {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let signed = |name: &str| {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        (
            made.cert.der().clone(),
            PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap(),
        )
    };
    let ((server, server_key), (client, client_key)) = (signed("localhost"), signed("client"));
    let trusting = |certificate: &CertificateDer<'static>| {
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        Arc::new(roots)
    };
    let clients = rustls::server::WebPkiClientVerifier::builder_with_provider(
        trusting(&client),
        provider.clone(),
    );
    let serves = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients.build().unwrap())
        .with_single_cert(vec![server.clone()], server_key)
        .unwrap();
    let dials = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(trusting(&server))
        .with_client_auth_cert(vec![client.clone()], client_key)
        .unwrap();
    (Arc::new(serves), Arc::new(dials), client)
}

#[test]
fn tls_over_the_real_network_tells_certificates_and_resumption() {
    block_on(async {
        let (serves, dials, client) = tls();
        let net = TokioNet::new();
        assert!(net.proves_peers());
        let listener = net.bind(loopback(0)).await.unwrap();
        let to = listener.local_addr().unwrap();
        for resumed in [false, true] {
            let serving = async {
                let io = listener.accept().await.unwrap().adopt().unwrap();
                let secured = net.serve_tls(io, serves.clone()).await.unwrap();
                assert_eq!(secured.peer_certificates.first(), Some(&client));
                assert_eq!(secured.resumed, resumed);
                assert_eq!(secured.protocol, Some(rustls::ProtocolVersion::TLSv1_3));
                assert!(secured.io.as_tcp().is_none() && secured.io.local_addr().unwrap() == to);
                let io = secured.io.into_tcp().unwrap_err();
                echo(io).await.unwrap()
            };
            let asking = async {
                let io = net.connect(None, to).await.unwrap();
                let name = ServerName::try_from("localhost").unwrap();
                let secured = net.dial_tls(io, dials.clone(), name).await.unwrap();
                says(secured.io, b"secret").await
            };
            let (len, answer) = tokio::join!(serving, asking);
            assert_eq!((len, answer.as_slice()), (6, b"secret".as_slice()));
        }
    })
    .unwrap();
}

#[test]
fn an_end_without_close_notify_is_an_error_and_not_an_end() {
    block_on(async {
        let (serves, dials, _) = tls();
        let net = TokioNet::new();
        let listener = net.bind(loopback(0)).await.unwrap();
        let to = listener.local_addr().unwrap();
        let serving = async {
            let io = listener.accept().await.unwrap().adopt().unwrap();
            echo(net.serve_tls(io, serves.clone()).await.unwrap().io).await
        };
        let asking = async {
            let io = net.connect(None, to).await.unwrap();
            let name = ServerName::try_from("localhost").unwrap();
            let mut secured = net.dial_tls(io, dials.clone(), name).await.unwrap();
            secured.io.write_all(b"half of it").await.unwrap();
            secured.io.flush().await.unwrap();
            drop(secured); // closes the socket and says nothing
        };
        let (served, ()) = tokio::join!(serving, asking);
        assert_eq!(served.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    })
    .unwrap();
}

#[test]
fn the_network_in_memory_has_no_tls_and_says_so() {
    sim(async {
        let (serves, dials, _) = tls();
        let net = MemNet::new();
        assert!(!net.proves_peers());
        let listener = net.bind(loopback(21)).await.unwrap();
        let io = net.connect(None, loopback(21)).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let near = net.dial_tls(io, dials, name).await.unwrap();
        let far = net
            .serve_tls(listener.accept().await.unwrap().adopt().unwrap(), serves)
            .await
            .unwrap();
        assert!(near.peer_certificates.is_empty() && near.protocol.is_none());
        let (len, answer) = tokio::join!(echo(far.io), says(near.io, b"open"));
        assert_eq!((len.unwrap(), answer.as_slice()), (4, b"open".as_slice()));
    });
}

#[test]
fn the_network_in_memory_has_many_hosts_and_names() {
    sim(async {
        let net = MemNet::new();
        let (master, slave) = (net.at([10, 0, 0, 1]), net.at([10, 0, 0, 2]));
        net.name("master", [10, 0, 0, 1]);
        let to = slave.resolve("master", 2122).await.unwrap()[0];
        let refused = slave.connect(None, to).await.map(drop).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        let listener = master.bind(to).await.unwrap();
        let taken = master.bind(to).await.map(drop).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        slave.connect(None, to).await.unwrap();
        slave.connect(Some([10, 0, 0, 3].into()), to).await.unwrap();
        let from = [
            listener.accept().await.unwrap(),
            listener.accept().await.unwrap(),
        ]
        .map(|incoming| incoming.peer.ip());
        assert_eq!(
            from,
            [IpAddr::from([10, 0, 0, 2]), IpAddr::from([10, 0, 0, 3])]
        );
        let unknown = slave.resolve("nobody", 1).await.unwrap_err();
        assert_eq!(unknown.kind(), io::ErrorKind::NotFound);
        drop(listener);
        assert!(master.bind(to).await.is_ok(), "the address is free again");
    });
}

#[test]
fn a_conversation_works_in_the_simulation_and_a_partition_stops_it() {
    let mut simulation = turmoil::Builder::new().rng_seed(7).build();
    simulation.host("server", || async {
        let listener = TurmoilNet
            .bind((Ipv4Addr::UNSPECIFIED, 2122).into())
            .await?;
        loop {
            let incoming = listener.accept().await?;
            tokio::task::spawn_local(async move { echo(incoming.adopt().unwrap()).await });
        }
    });
    simulation.client("client", async {
        let to = TurmoilNet.resolve("server", 2122).await?[0];
        let io = TurmoilNet.connect(None, to).await?;
        assert_eq!(io.peer_addr()?, to);
        assert_eq!(says(io, b"hello").await, b"hello");
        turmoil::partition("client", "server");
        let cut = tokio::time::timeout(Duration::from_secs(5), TurmoilNet.connect(None, to)).await;
        assert!(!matches!(cut, Ok(Ok(_))));
        turmoil::repair("client", "server");
        let io = TurmoilNet.connect(None, to).await?;
        assert_eq!(says(io, b"again").await, b"again");
        Ok(())
    });
    simulation.run().unwrap();
}
