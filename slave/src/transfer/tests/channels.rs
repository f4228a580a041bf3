//! How a channel comes to its connection, or does not.

use std::net::IpAddr;

use tokio::time::{Instant, sleep};

use super::*;

#[test]
fn a_client_that_comes_before_its_order_is_served() {
    in_memory(|mut rig| async move {
        let (transfer, to) = rig.listen().await;
        let mut client = rig.connect(to).await;
        sleep(Duration::from_secs(1)).await;
        let job = rig.store(7, b"hello");
        assert_eq!(rig.begin(transfer, job).await, Ok(Begun::of(5)));
        assert_eq!(read_all(&mut client).await, b"hello");
        drop(client);
        assert_eq!(rig.ended().await.outcome, sent(5));
    });
}

#[test]
fn a_client_that_comes_after_its_order_is_served() {
    in_memory(|mut rig| async move {
        let (transfer, to) = rig.listen().await;
        let job = rig.store(7, b"hello");
        assert_eq!(rig.begin(transfer, job).await, Ok(Begun::of(5)));
        sleep(CONNECT - Duration::from_secs(1)).await;
        let mut client = rig.connect(to).await;
        assert_eq!(read_all(&mut client).await, b"hello");
        drop(client);
        assert_eq!(rig.ended().await.outcome, sent(5));
    });
}

#[test]
fn a_channel_without_an_order_goes_away_in_silence() {
    in_memory(|mut rig| async move {
        let (transfer, to) = rig.listen().await;
        assert_eq!(rig.transfers.running().await, [transfer]);
        sleep(CONNECT + Duration::from_secs(1)).await;
        assert_eq!(rig.transfers.running().await, []);
        assert!(rig.net.connect(None, to).await.is_err());
        let job = rig.store(7, b"x");
        let fault = rig.begin(transfer, job).await.unwrap_err();
        assert_eq!(fault.code, FaultCode::NO_SUCH_TRANSFER);
        assert!(rig.notices.try_recv().is_err());
    });
}

#[test]
fn an_early_client_without_an_order_is_closed_in_silence() {
    in_memory(|mut rig| async move {
        let (_, to) = rig.listen().await;
        let mut client = rig.connect(to).await;
        assert_eq!(read_all(&mut client).await, b"");
        assert!(rig.notices.try_recv().is_err());
    });
}

#[test]
fn a_begun_transfer_that_nobody_comes_for_ends_without_connection() {
    in_memory(|mut rig| async move {
        let (transfer, _) = rig.listen().await;
        let job = rig.receive(7, Base::Empty);
        rig.begin(transfer, job).await.unwrap();
        let ended = rig.ended().await;
        assert_eq!(ended.upload, Some((rig.root, file(7))));
        let (code, bytes, _) = broken(ended);
        assert_eq!((code, bytes), (FaultCode::NO_CONNECTION, 0));
    });
}

#[test]
fn a_stranger_is_closed_and_breaks_nothing() {
    let client_ip: IpAddr = "192.0.2.7".parse().unwrap();
    in_memory(|mut rig| async move {
        let (transfer, to) = rig.listen_for(PeerRule::Only(client_ip)).await;
        let job = rig.store(7, b"secret");
        rig.begin(transfer, job).await.unwrap();
        let mut stranger = rig.connect(to).await;
        assert_eq!(read_all(&mut stranger).await, b"");
        let mut client = rig.net.connect(Some(client_ip), to).await.unwrap();
        assert_eq!(read_all(&mut client).await, b"secret");
        drop(client);
        assert_eq!(rig.ended().await.outcome, sent(6));
    });
}

#[test]
fn a_dialled_client_is_served() {
    in_memory(|mut rig| async move {
        let to = "127.0.0.1:5000".parse().unwrap();
        let client = rig.net.bind(to).await.unwrap();
        let open = rig.open_data(DataPath::Dial { to });
        let transfer = open.transfer;
        let opened = rig.transfers.open(open).await.unwrap();
        assert_eq!((opened.address, opened.port), (None, 0));
        let job = rig.store(7, b"hello");
        rig.begin(transfer, job).await.unwrap();
        let mut client = client.accept().await.unwrap().adopt().unwrap();
        assert_eq!(read_all(&mut client).await, b"hello");
        drop(client);
        assert_eq!(rig.ended().await.outcome, sent(5));
    });
}

#[test]
fn a_client_that_cannot_be_dialled_ends_the_transfer_at_once() {
    in_memory(|mut rig| async move {
        let to = "127.0.0.1:5000".parse().unwrap();
        let open = rig.open_data(DataPath::Dial { to });
        let transfer = open.transfer;
        rig.transfers.open(open).await.unwrap();
        let job = rig.store(7, b"hello");
        let begun = tokio::time::Instant::now();
        rig.begin(transfer, job).await.unwrap();
        let (code, ..) = broken(rig.ended().await);
        assert_eq!(code, FaultCode::NO_CONNECTION);
        assert!(begun.elapsed() < CONNECT);
    });
}

#[test]
fn forbidden_addresses_are_never_dialled() {
    in_memory(|mut rig| async move {
        for to in ["127.0.0.1:21", "224.0.0.1:5000", "169.254.169.254:8080"] {
            let to = to.parse().unwrap();
            let open = rig.open_data(DataPath::Dial { to });
            let fault = rig.transfers.open(open).await.unwrap_err();
            assert_eq!(fault.code, FaultCode::PEER_REFUSED, "{to}");
        }
        assert_eq!(rig.transfers.running().await, []);
    });
}

#[test]
fn a_relay_shows_its_token_to_the_links_master_and_then_carries_bytes() {
    in_memory(|mut rig| async move {
        let at = "127.0.0.1:2122".parse().unwrap();
        let master = rig.net.bind(at).await.unwrap();
        rig.master.send_replace(Some(at));
        let token = wire::RelayToken([9; 32]);
        let open = rig.open_data(DataPath::Relay { token });
        let transfer = open.transfer;
        rig.transfers.open(open).await.unwrap();
        let job = rig.store(7, b"hello");
        rig.begin(transfer, job).await.unwrap();
        let mut relay = master.accept().await.unwrap().adopt().unwrap();
        let words = read_some(&mut relay, 37).await;
        assert_eq!((&words[..5], &words[5..]), (&b"DRLY1"[..], &[9; 32][..]));
        write(&mut relay, b"+").await;
        assert_eq!(read_all(&mut relay).await, b"hello");
        drop(relay);
        assert_eq!(rig.ended().await.outcome, sent(5));
    });
}

#[test]
fn a_relay_that_the_master_does_not_answer_ends_without_connection() {
    in_memory(|mut rig| async move {
        let at = "127.0.0.1:2122".parse().unwrap();
        let master = rig.net.bind(at).await.unwrap();
        rig.master.send_replace(Some(at));
        let token = wire::RelayToken([9; 32]);
        let open = rig.open_data(DataPath::Relay { token });
        let transfer = open.transfer;
        rig.transfers.open(open).await.unwrap();
        let job = rig.store(7, b"hello");
        rig.begin(transfer, job).await.unwrap();
        let _silent = master.accept().await.unwrap().adopt().unwrap();
        let (code, ..) = broken(rig.ended().await);
        assert_eq!(code, FaultCode::NO_CONNECTION);
    });
}

#[test]
fn beyond_its_limit_a_slave_is_busy() {
    sim(async {
        let config = TransferConfig {
            max_transfers: 2,
            ..config()
        };
        let net = Arc::new(MemNet::new());
        let mut rig = Rig::start(net, Blocking::inline(), config);
        let (first, _) = rig.listen().await;
        rig.listen().await;
        let family = Family::V4;
        let peers = PeerRule::Any;
        let open = rig.open_data(DataPath::Listen { family, peers });
        let fault = rig.transfers.open(open.clone()).await.unwrap_err();
        assert_eq!(fault.code, FaultCode::BUSY);
        assert_eq!(rig.transfers.load().transfers, 2);
        rig.abort(first).await;
        assert!(rig.transfers.open(open).await.is_ok());
    });
}

#[test]
fn an_order_waits_for_the_operations_before_it() {
    in_memory(|mut rig| async move {
        let (transfer, to) = rig.listen().await;
        let mut client = rig.connect(to).await;
        let mut order = rig.order(transfer, rig.send(7));
        order.after = OpSeq(3);
        let transfers = rig.transfers.clone();
        let begun = tokio::task::spawn_local(async move { transfers.begin(order).await });
        sleep(Duration::from_secs(1)).await;
        assert!(!begun.is_finished());
        rig.store(7, b"hello");
        rig.applied.set(rig.root, OpSeq(3));
        assert_eq!(begun.await.unwrap(), Ok(Begun::of(5)));
        assert_eq!(read_all(&mut client).await, b"hello");
    });
}

#[test]
fn what_is_found_by_its_identity_is_not_waited_for() {
    in_memory(|mut rig| async move {
        let send = rig.store(7, b"hello");
        let receive = rig.receive(8, Base::Empty);
        for (job, size) in [(send, 5), (receive, 0)] {
            let (transfer, _) = rig.listen().await;
            let mut order = rig.order(transfer, job);
            order.after = OpSeq(3);
            let asked = Instant::now();
            let begun = rig.transfers.begin(order).await;
            assert_eq!(begun.map(|begun| begun.size), Ok(size));
            assert_eq!(asked.elapsed(), Duration::ZERO);
        }
    });
}

#[test]
fn operations_that_are_never_done_make_the_order_fail() {
    in_memory(|mut rig| async move {
        let (transfer, _) = rig.listen().await;
        let mut order = rig.order(transfer, rig.send(7));
        order.after = OpSeq(3);
        let fault = rig.transfers.begin(order).await.unwrap_err();
        assert_eq!(fault.code, FaultCode::BUSY);
        assert_eq!(rig.transfers.running().await, []);
    });
}

#[test]
fn a_file_that_is_not_there_is_a_fault_and_no_end() {
    in_memory(|mut rig| async move {
        let (transfer, to) = rig.listen().await;
        let mut client = rig.connect(to).await;
        let fault = rig.begin(transfer, rig.send(404)).await.unwrap_err();
        assert_eq!(fault.code, FaultCode::NO_SUCH_FILE);
        assert_eq!(read_all(&mut client).await, b"");
        assert_eq!(rig.transfers.running().await, []);
        assert!(rig.notices.try_recv().is_err());
    });
}

#[test]
fn an_abort_while_operations_are_waited_for_ends_the_wait() {
    in_memory(|mut rig| async move {
        let (transfer, _) = rig.listen().await;
        let mut order = rig.order(transfer, rig.receive(7, Base::Staged { keep: 5 }));
        order.after = OpSeq(3);
        let transfers = rig.transfers.clone();
        let begun = tokio::task::spawn_local(async move { transfers.begin(order).await });
        sleep(Duration::from_secs(1)).await;
        rig.abort(transfer).await;
        let fault = begun.await.unwrap().unwrap_err();
        assert_eq!(fault.code, FaultCode::ABORTED);
        assert_eq!(rig.transfers.running().await, []);
        assert!(rig.transfers.running_files().await.is_empty());
        assert!(rig.notices.try_recv().is_err());
    });
}

#[test]
fn a_second_order_is_refused_and_the_first_goes_on() {
    in_memory(|mut rig| async move {
        let (transfer, to) = rig.listen().await;
        let job = rig.store(7, b"hello");
        rig.begin(transfer, job.clone()).await.unwrap();
        let fault = rig.begin(transfer, job).await.unwrap_err();
        assert_eq!(fault.code, FaultCode::BAD_REQUEST);
        let mut client = rig.connect(to).await;
        assert_eq!(read_all(&mut client).await, b"hello");
        drop(client);
        assert_eq!(rig.ended().await.outcome, sent(5));
    });
}
