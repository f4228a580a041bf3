//! Transfers between servers: whom a slave believes, and how two of one cluster know each other.

use drftpd_actors::tls::{Believed, FtpServer, Peer, ftp_client};
use drftpd_protocol::wire::{DataTls, Resumption, TlsPeer};
use rustls::version::TLS13;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use super::secured::{Client, certificate, close};
use super::*;

/// Another server that a slave connects to, or that connects to it, and that answers the handshake.
async fn other_server(
    rig: &Rig,
    io: BoxIo,
    shows: &wire::FtpCertificate,
) -> std::io::Result<BoxIo> {
    let tickets = drftpd_actors::tls::SessionTickets::under(&[1; 32]);
    let config = server_of(shows).config(Some(tickets), 2);
    Ok(rig.net.serve_tls(io, config).await?.io)
}

fn server_of(certificate: &wire::FtpCertificate) -> FtpServer {
    let chain = vec![CertificateDer::from(certificate.chain[0].0.clone())];
    let key = PrivateKeyDer::try_from(certificate.key.0.clone()).unwrap();
    FtpServer::new(chain, key, &[]).unwrap()
}

#[test]
fn a_slave_that_begins_the_handshake_believes_its_cluster_or_anybody_as_ordered() {
    on_loopback(|mut rig| async move {
        let (ours, others) = (certificate(), certificate());
        rig.transfers.set_certificate(ours.clone()).unwrap();
        let job = rig.store(7, b"hello");
        for (peer, shows, believed) in [
            (TlsPeer::Cluster, &ours, true),
            (TlsPeer::Cluster, &others, false),
            (TlsPeer::Any, &others, true),
        ] {
            // It listens (CPSV) and is the client all the same.
            let me = PeerRule::Only("127.0.0.1".parse().unwrap());
            let (transfer, to) = rig.listen_for(me).await;
            let mut order = rig.order(transfer, job.clone());
            order.tls = Some(DataTls::Client { peer });
            rig.transfers.begin(order).await.unwrap();
            let io = rig.connect(to).await;
            let served = other_server(&rig, io, shows).await;
            match (believed, served) {
                (true, Ok(mut io)) => {
                    assert_eq!(read_all(&mut io).await, b"hello");
                    close(&mut io).await;
                    drop(io);
                    let ended = rig.ended().await;
                    assert_eq!(ended.outcome, sent(5));
                    assert!(!ended.tls.unwrap().resumed);
                }
                (_, served) => {
                    drop(served);
                    assert!(!believed);
                    assert_eq!(broken(rig.ended().await).0, FaultCode::TLS_FAILED);
                }
            }
        }
    });
}

#[test]
fn a_slave_that_answers_one_of_its_cluster_lets_no_stranger_in_who_comes_first() {
    on_loopback(|mut rig| async move {
        let (ours, others) = (certificate(), certificate());
        rig.transfers.set_certificate(ours.clone()).unwrap();
        let client = Client::of(&ours, &TLS13);
        let job = rig.store(7, b"hello");
        let (transfer, to) = rig.listen_for(PeerRule::Any).await;
        let mut order = rig.order(transfer, job);
        order.tls = Some(DataTls::ServerOfCluster);
        // With the ticket of a control session, with the certificate of another cluster, and with none.
        client.control(rig.net.as_ref(), client.key).await;
        let stranger = server_of(&others).client(Peer::Anybody).unwrap();
        let nobody = ftp_client(Believed::Anybody).unwrap();
        let strangers = [(*client.config).clone(), stranger, nobody];
        rig.transfers.begin(order).await.unwrap();
        for stranger in strangers {
            let io = rig.connect(to).await;
            let name = ServerName::try_from("localhost").unwrap();
            let Ok(mut secured) = rig.net.dial_tls(io, Arc::new(stranger), name).await else {
                continue;
            };
            // TLS 1.3 tells its client of a refusal behind the handshake.
            let mut got = Vec::new();
            assert!(secured.io.read_to_end(&mut got).await.is_err());
            assert_eq!(got, b"");
        }
        let io = rig.connect(to).await;
        let sibling = Arc::new(server_of(&ours).client(Peer::Same).unwrap());
        let name = ServerName::try_from("localhost").unwrap();
        let mut io = rig.net.dial_tls(io, sibling, name).await.unwrap().io;
        assert_eq!(read_all(&mut io).await, b"hello");
        close(&mut io).await;
        drop(io);
        assert_eq!(rig.ended().await.outcome, sent(5));
    });
}

#[test]
fn a_slave_that_dials_one_of_its_cluster_gives_a_stranger_in_its_place_nothing() {
    on_loopback(|mut rig| async move {
        let (ours, others) = (certificate(), certificate());
        rig.transfers.set_certificate(ours).unwrap();
        let job = rig.store(7, b"hello");
        for stranger in [
            server_of(&others).client(Peer::Anybody).unwrap(),
            ftp_client(Believed::Anybody).unwrap(),
        ] {
            let stands_there = rig.net.bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
            let to = stands_there.local_addr().unwrap();
            let open = rig.open_data(DataPath::Dial { to });
            rig.transfers.open(open.clone()).await.unwrap();
            let mut order = rig.order(open.transfer, job.clone());
            order.tls = Some(DataTls::ServerOfCluster);
            rig.transfers.begin(order).await.unwrap();
            let io = stands_there.accept().await.unwrap().adopt().unwrap();
            let name = ServerName::try_from("localhost").unwrap();
            let met = rig.net.dial_tls(io, Arc::new(stranger), name).await;
            if let Ok(mut secured) = met {
                let mut got = Vec::new();
                assert!(secured.io.read_to_end(&mut got).await.is_err());
                assert_eq!(got, b"");
            }
            assert_eq!(broken(rig.ended().await).0, FaultCode::TLS_FAILED);
        }
    });
}

#[test]
fn two_slaves_of_a_cluster_move_a_file_between_them_whoever_begins_and_whatever_the_other_knows() {
    use TlsPeer::{Any, Cluster};
    on_loopback(|mut from| async move {
        let mut to = Rig::start(Arc::clone(&from.net), Blocking::new(4), config());
        let shared = certificate();
        from.transfers.set_certificate(shared.clone()).unwrap();
        to.transfers.set_certificate(shared.clone()).unwrap();
        let bytes = pattern(300_000);
        let begins = |peer| Some(DataTls::Client { peer });
        let plain = Client::of(&shared, &TLS13).order(Resumption::Offered);
        // Who listens may not know yet that the other is of its cluster.
        for (node, (listens, dials)) in (8..).zip([
            (Some(DataTls::ServerOfCluster), begins(Cluster)),
            (plain, begins(Cluster)),
            (begins(Cluster), Some(DataTls::ServerOfCluster)),
            (begins(Any), Some(DataTls::ServerOfCluster)),
        ]) {
            let job = from.store(7, &bytes);
            let (receiving, at) = to.listen().await;
            let mut order = to.order(receiving, to.receive(node, Base::Empty));
            order.tls = listens;
            to.transfers.begin(order).await.unwrap();
            let open = from.open_data(DataPath::Dial { to: at });
            from.transfers.open(open.clone()).await.unwrap();
            let mut order = from.order(open.transfer, job);
            order.tls = dials;
            from.transfers.begin(order).await.unwrap();
            let (gone, come) = (from.ended().await, to.ended().await);
            assert_eq!(gone.outcome, sent(bytes.len()));
            assert_eq!(come.outcome, prepared(bytes.len(), &bytes));
            assert_eq!(gone.tls, come.tls);
            assert!(to.staged(node) == bytes);
        }
    });
}
