//! How a data connection comes to its TLS, or does not.

use drftpd_protocol::wire::{Resumption, TicketKey};
use rustls::version::TLS13;
use tokio::time::{Instant, sleep};

use super::secured::{BOTH, Client, certificate, close, in_memory};
use super::*;

const OTHER: TicketKey = TicketKey([9; 32]);

/// Begins a download of "hello", does the handshake, and says what the client saw of resumption.
async fn fetch(rig: &mut Rig, client: &Client, resumption: Resumption) -> (bool, TransferEnded) {
    let job = rig.send(7);
    let (_, io) = client.begin_raw(rig, job, resumption).await;
    let Ok(secured) = client.handshake(rig.net.as_ref(), io).await else {
        return (false, rig.ended().await);
    };
    let (resumed, mut io) = (secured.resumed, secured.io);
    let mut all = Vec::new();
    if io.read_to_end(&mut all).await.is_ok() {
        assert_eq!(all, b"hello");
        close(&mut io).await;
    }
    drop(io);
    (resumed, rig.ended().await)
}

#[test]
fn the_end_says_what_the_handshake_agreed_on() {
    on_loopback(|mut rig| async move {
        rig.store(7, b"hello");
        for (version, name) in BOTH.into_iter().zip(["TLS 1.2", "TLS 1.3"]) {
            let client = Client::for_rig(&rig, version);
            let (resumed, ended) = fetch(&mut rig, &client, Resumption::Offered).await;
            assert_eq!(ended.outcome, sent(5));
            let seen = ended.tls.unwrap();
            assert_eq!(seen.version, name);
            assert!(seen.cipher.starts_with("TLS_"), "{seen:?}");
            assert!(!resumed && !seen.resumed);
        }
    });
}

#[test]
fn a_control_sessions_ticket_resumes_and_the_tickets_of_downloads_do_too() {
    on_loopback(|mut rig| async move {
        rig.store(7, b"hello");
        for version in BOTH {
            let client = Client::for_rig(&rig, version);
            client.control(rig.net.as_ref(), client.key).await;
            // More of them than the control connection gave tickets.
            for _ in 0..8 {
                let (resumed, ended) = fetch(&mut rig, &client, Resumption::Required).await;
                assert_eq!(ended.outcome, sent(5));
                assert!(resumed && ended.tls.unwrap().resumed, "{version:?}");
            }
        }
    });
}

#[test]
fn where_resumption_is_required_a_full_handshake_ends_the_transfer() {
    on_loopback(|mut rig| async move {
        rig.store(7, b"hello");
        for version in BOTH {
            let client = Client::for_rig(&rig, version);
            // Without a ticket, and with one of another session.
            for _ in 0..2 {
                let (resumed, ended) = fetch(&mut rig, &client, Resumption::Required).await;
                assert!(!resumed);
                assert_eq!(ended.tls, None);
                assert_eq!(broken(ended), (FaultCode::TLS_NOT_RESUMED, 0, None));
                client.control(rig.net.as_ref(), OTHER).await;
            }
        }
    });
}

#[test]
fn another_sessions_ticket_gives_a_full_handshake_and_so_does_any_where_none_is_wanted() {
    on_loopback(|mut rig| async move {
        rig.store(7, b"hello");
        for version in BOTH {
            for (key, resumption) in [
                (OTHER, Resumption::Offered),
                (TicketKey([7; 32]), Resumption::Off),
            ] {
                let client = Client::for_rig(&rig, version);
                client.control(rig.net.as_ref(), key).await;
                let (resumed, ended) = fetch(&mut rig, &client, resumption).await;
                assert_eq!(ended.outcome, sent(5));
                assert!(!resumed && !ended.tls.unwrap().resumed, "{resumption:?}");
            }
        }
    });
}

#[test]
fn an_upload_may_be_required_to_resume_and_gives_no_tickets() {
    on_loopback(|mut rig| async move {
        let client = Client::for_rig(&rig, &TLS13);
        client.control(rig.net.as_ref(), client.key).await;
        // Four tickets of the control connection, each for one connection.
        for node in 0..5 {
            let job = rig.receive(node, Base::Empty);
            let (_, io) = client.begin_raw(&mut rig, job, Resumption::Required).await;
            let mut io = client.handshake(rig.net.as_ref(), io).await.unwrap().io;
            drop(io.write_all(b"hello").await);
            drop(io.shutdown().await);
            drop(io);
            let ended = rig.ended().await;
            match node {
                0..4 => assert_eq!(ended.outcome, prepared(5, b"hello")),
                _ => assert_eq!(broken(ended).0, FaultCode::TLS_NOT_RESUMED),
            }
        }
    });
}

#[test]
fn without_a_certificate_tls_is_refused_before_it_begins() {
    in_memory(|mut rig| async move {
        let job = rig.store(7, b"hello");
        let client = Client::of(&certificate(), &TLS13);
        let (transfer, _) = rig.listen().await;
        let mut order = rig.order(transfer, job);
        order.tls = client.order(Resumption::Offered);
        let fault = rig.transfers.begin(order).await.unwrap_err();
        assert_eq!(fault.code, FaultCode::NO_CERTIFICATE);
        assert_eq!(rig.transfers.running().await, []);
    });
}

#[test]
fn handshakes_after_a_new_certificate_show_it() {
    in_memory(|mut rig| async move {
        let job = rig.store(7, b"hello");
        for _ in 0..2 {
            let given = certificate();
            rig.transfers.set_certificate(given.clone()).unwrap();
            let client = Client::of(&given, &TLS13);
            let (_, io) = client
                .begin_raw(&mut rig, job.clone(), Resumption::Offered)
                .await;
            let secured = client.handshake(rig.net.as_ref(), io).await.unwrap();
            assert_eq!(secured.peer_certificates[0].as_ref(), given.chain[0].0);
            drop(secured);
            rig.ended().await;
        }
    });
}

#[test]
fn a_client_that_never_says_hello_ends_the_transfer_in_time_and_keeps_what_was_staged() {
    in_memory(|mut rig| async move {
        let client = Client::for_rig(&rig, &TLS13);
        let job = rig.receive(7, Base::Empty);
        let begun = Instant::now();
        let (_, _silent) = client.begin_raw(&mut rig, job, Resumption::Offered).await;
        let ended = rig.ended().await;
        assert_eq!(broken(ended), (FaultCode::TLS_FAILED, 0, Some(0)));
        assert_eq!(begun.elapsed().as_secs(), CONNECT.as_secs());
    });
}

#[test]
fn a_client_that_does_not_believe_the_certificate_ends_its_transfer_at_once() {
    on_loopback(|mut rig| async move {
        let job = rig.store(7, b"hello");
        for version in BOTH {
            Client::for_rig(&rig, version);
            let deceived = Client::of(&certificate(), version);
            let (_, io) = deceived
                .begin_raw(&mut rig, job.clone(), Resumption::Offered)
                .await;
            let begun = Instant::now();
            assert!(deceived.handshake(rig.net.as_ref(), io).await.is_err());
            assert_eq!(broken(rig.ended().await).0, FaultCode::TLS_FAILED);
            assert!(begun.elapsed() < Duration::from_secs(1));
        }
    });
}

#[test]
fn after_words_that_are_no_tls_another_client_is_waited_for_a_moment_only() {
    in_memory(|mut rig| async move {
        let client = Client::for_rig(&rig, &TLS13);
        let job = rig.store(7, b"hello");
        let me = PeerRule::Only("127.0.0.1".parse().unwrap());
        for peers in [PeerRule::Any, me] {
            for words in [&b"GET / HTTP/1.1\r\n\r\n"[..], b""] {
                let (transfer, to) = rig.listen_for(peers.clone()).await;
                let mut order = rig.order(transfer, job.clone());
                order.tls = client.order(Resumption::Offered);
                rig.transfers.begin(order).await.unwrap();
                let begun = Instant::now();
                let mut io = rig.connect(to).await;
                write(&mut io, words).await;
                drop(io);
                assert_eq!(broken(rig.ended().await).0, FaultCode::TLS_FAILED);
                assert_eq!(begun.elapsed().as_secs(), 3);
            }
        }
    });
}

#[test]
fn an_abort_during_the_handshake_ends_it_at_once() {
    in_memory(|mut rig| async move {
        let client = Client::for_rig(&rig, &TLS13);
        let job = rig.receive(7, Base::Empty);
        let (transfer, _silent) = client.begin_raw(&mut rig, job, Resumption::Offered).await;
        sleep(Duration::from_secs(1)).await;
        let begun = Instant::now();
        rig.abort(transfer).await;
        assert_eq!(broken(rig.ended().await).0, FaultCode::ABORTED);
        assert_eq!(begun.elapsed(), Duration::ZERO);
    });
}
