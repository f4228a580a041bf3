//! What only real sockets show: sendfile, resets, ports.

use socket2::SockRef;

use super::*;

#[test]
fn a_file_goes_out_by_sendfile_and_comes_in_whole() {
    on_loopback(|mut rig| async move {
        let bytes = pattern(20_000_000);
        let job = rig.store(7, &bytes);
        let mut reader = rig.download(job).await;
        let mut writer = rig.upload(8, Base::Empty).await;
        let back = async {
            let read = read_all(&mut reader).await;
            write(&mut writer, &read).await;
            drop((reader, writer));
        };
        back.await;
        let mut ends = [rig.ended().await, rig.ended().await];
        ends.sort_by_key(|end| end.transfer);
        assert_eq!(ends[0].outcome, sent(20_000_000));
        assert_eq!(ends[1].outcome, prepared(20_000_000, &bytes));
        assert!(rig.staged(8) == bytes);
    });
}

#[test]
fn small_files_go_both_ways() {
    on_loopback(|mut rig| async move {
        for (node, len) in [(1, 0), (2, 1), (3, 10_240), (4, 65_536), (5, 65_537)] {
            let bytes = pattern(len);
            let mut writer = rig.upload(node, Base::Empty).await;
            write(&mut writer, &bytes).await;
            drop(writer);
            assert_eq!(rig.ended().await.outcome, prepared(len, &bytes));
            let mut reader = rig.download(rig.send(node)).await;
            assert!(read_all(&mut reader).await == bytes);
            drop(reader);
            assert_eq!(rig.ended().await.outcome, sent(len));
        }
    });
}

fn reset(io: BoxIo) {
    let tcp = io.into_tcp().unwrap();
    SockRef::from(&tcp)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
}

#[test]
fn a_reset_upload_is_broken_and_what_came_is_kept() {
    on_loopback(|mut rig| async move {
        let bytes = pattern(300_000);
        let mut writer = rig.upload(7, Base::Empty).await;
        write(&mut writer, &bytes).await;
        while rig.staged(7).len() < bytes.len() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        reset(writer);
        assert_eq!(
            broken(rig.ended().await),
            (FaultCode::CONNECTION_BROKEN, 300_000, Some(300_000))
        );
        assert!(rig.staged(7) == bytes);
    });
}

#[test]
fn a_reset_download_is_broken() {
    on_loopback(|mut rig| async move {
        let job = rig.store(7, &pattern(50_000_000));
        let mut reader = rig.download(job).await;
        read_some(&mut reader, 1000).await;
        reset(reader);
        let (code, bytes, _) = broken(rig.ended().await);
        assert_eq!(code, FaultCode::CONNECTION_BROKEN);
        assert!(bytes < 50_000_000);
    });
}

#[test]
fn a_client_that_resets_instead_of_reading_the_last_bytes_breaks_its_download() {
    on_loopback(|mut rig| async move {
        let job = rig.store(7, &pattern(1000));
        let mut reader = rig.download(job).await;
        read_some(&mut reader, 10).await;
        reset(reader);
        assert_eq!(broken(rig.ended().await).0, FaultCode::CONNECTION_BROKEN);
    });
}

#[test]
fn an_aborted_download_is_reset_and_not_closed() {
    on_loopback(|mut rig| async move {
        let job = rig.store(7, &pattern(50_000_000));
        let (transfer, to) = rig.listen().await;
        let mut reader = rig.connect(to).await;
        rig.begin(transfer, job).await.unwrap();
        read_some(&mut reader, 1000).await;
        rig.abort(transfer).await;
        assert_eq!(broken(rig.ended().await).0, FaultCode::ABORTED);
        let mut rest = Vec::new();
        let error = reader.read_to_end(&mut rest).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    });
}

#[test]
fn a_slow_line_is_waited_for_although_the_client_does_not_close() {
    on_loopback(|mut rig| async move {
        let bytes = pattern(3_000_000);
        let job = rig.store(7, &bytes);
        let mut reader = rig.download(job).await;
        // The last bytes are in the system's queue long before the client takes them.
        tokio::time::sleep(Duration::from_millis(1200)).await;
        if cfg!(not(feature = "portable")) {
            assert!(rig.transfers.unacknowledged().await.is_empty());
        }
        assert!(read_all(&mut reader).await == bytes);
        assert_eq!(rig.ended().await.outcome, sent(3_000_000));
        drop(reader);
    });
}

#[test]
fn a_hundred_transfers_run_side_by_side() {
    on_loopback(|mut rig| async move {
        let bytes = pattern(500_000);
        let job = rig.store(7, &bytes);
        let mut clients = Vec::new();
        for node in 100..150 {
            let reader = rig.download(job.clone()).await;
            let writer = rig.upload(node, Base::Empty).await;
            let bytes = bytes.clone();
            clients.push(tokio::task::spawn_local(async move {
                let (mut reader, mut writer) = (reader, writer);
                let read = async { read_all(&mut reader).await };
                let (read, ()) = tokio::join!(read, write(&mut writer, &bytes));
                assert!(read == bytes);
            }));
        }
        for client in clients {
            client.await.unwrap();
        }
        let crc32 = crc32fast::hash(&bytes);
        for _ in 0..100 {
            match rig.ended().await.outcome {
                Outcome::Sent { bytes } => assert_eq!(bytes, 500_000),
                Outcome::Prepared { crc32: sum, .. } => assert_eq!(sum, crc32),
                broken => panic!("{broken:?}"),
            }
        }
    });
}

#[test]
fn two_slaves_share_a_range_of_ports() {
    on_loopback(|mut rig| async move {
        let (_, taken) = rig.listen().await;
        let config = TransferConfig {
            passive_ports: format!("{}", taken.port()).parse().unwrap(),
            ..config()
        };
        let mut other = Rig::start(Arc::clone(&rig.net), Blocking::new(1), config);
        let (family, peers) = (Family::V4, PeerRule::Any);
        let open = other.open_data(DataPath::Listen { family, peers });
        let fault = other.transfers.open(open.clone()).await.unwrap_err();
        assert_eq!(fault.code, FaultCode::NO_PORT);
        rig.abort(TransferId(1)).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        let opened = other.transfers.open(open).await.unwrap();
        assert_eq!(opened.port, taken.port());
    });
}

#[test]
fn a_thread_that_waits_for_its_disk_stops_no_other_transfer() {
    on_loopback(|mut rig| async move {
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let blocking = rig.blocking.clone();
        let slow =
            tokio::task::spawn_local(
                async move { blocking.run(move || wait.recv().is_ok()).await },
            );
        let bytes = pattern(5_000_000);
        let job = rig.store(7, &bytes);
        let mut reader = rig.download(job).await;
        assert!(read_all(&mut reader).await == bytes);
        drop(reader);
        assert_eq!(rig.ended().await.outcome, sent(bytes.len()));
        assert!(!slow.is_finished());
        go.send(()).unwrap();
        assert_eq!(slow.await.unwrap(), Ok(true));
    });
}

#[test]
fn a_busy_slave_keeps_its_ports_and_serves_only_who_comes_in_time() {
    on_loopback(|mut rig| async move {
        let me = PeerRule::Only("127.0.0.1".parse().unwrap());
        let job = rig.store(7, b"hello");
        let mut ports = std::collections::BTreeSet::new();
        for _ in 0..20 {
            let (transfer, to) = rig.listen_for(me.clone()).await;
            ports.insert(to.port());
            let mut client = rig.connect(to).await;
            rig.begin(transfer, job.clone()).await.unwrap();
            assert_eq!(read_all(&mut client).await, b"hello");
            drop(client);
            assert_eq!(rig.ended().await.outcome, sent(5));
            let mut late = rig.connect(to).await;
            write(&mut late, b"not mine").await;
        }
        assert_eq!(ports.len(), 1);
        let (_, any) = rig.listen_for(PeerRule::Any).await;
        assert!(
            !ports.contains(&any.port()),
            "a port that cannot be guessed"
        );
    });
}
