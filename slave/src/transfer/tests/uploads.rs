//! What comes in.

use tokio::time::{Instant, sleep};

use super::*;

#[test]
fn the_end_of_the_stream_is_the_end_of_the_file() {
    in_memory(|mut rig| async move {
        for (node, len) in [(7, 0), (8, 1), (9, 64 << 10), (10, 1_000_001)] {
            let bytes = pattern(len);
            let mut client = rig.upload(node, Base::Empty).await;
            write(&mut client, &bytes).await;
            client.shutdown().await.unwrap();
            let ended = rig.ended().await;
            assert_eq!(ended.outcome, prepared(len, &bytes));
            assert_eq!(ended.upload, Some((rig.root, file(node))));
            assert!(rig.staged(node) == bytes);
        }
    });
}

#[test]
fn a_resumed_upload_has_the_checksum_of_the_whole_file() {
    in_memory(|mut rig| async move {
        let bytes = pattern(200_000);
        let mut client = rig.upload(7, Base::Empty).await;
        write(&mut client, &bytes[..120_000]).await;
        sleep(Duration::from_secs(1)).await;
        rig.abort(TransferId(1)).await;
        let (code, received, kept) = broken(rig.ended().await);
        assert_eq!(code, FaultCode::ABORTED);
        assert_eq!((received, kept), (120_000, Some(120_000)));

        let mut client = rig.upload(7, Base::Staged { keep: 100_000 }).await;
        write(&mut client, &bytes[100_000..]).await;
        client.shutdown().await.unwrap();
        assert_eq!(rig.ended().await.outcome, prepared(100_000, &bytes));
        assert!(rig.staged(7) == bytes);
    });
}

#[test]
fn an_upload_that_stops_coming_stalls_and_what_came_is_kept() {
    in_memory(|mut rig| async move {
        let mut client = rig.upload(7, Base::Empty).await;
        write(&mut client, b"12345").await;
        let begun = Instant::now();
        assert_eq!(broken(rig.ended().await), (FaultCode::STALLED, 5, Some(5)));
        assert!(begun.elapsed() >= STALL);
        assert_eq!(rig.staged(7), b"12345");
    });
}

#[test]
fn a_trickle_reaches_the_disk_before_a_buffer_is_full() {
    in_memory(|mut rig| async move {
        let mut client = rig.upload(7, Base::Empty).await;
        for round in 1..=5 {
            write(&mut client, b"drop").await;
            sleep(Duration::from_secs(1)).await;
            assert_eq!(rig.staged(7).len(), 4 * round);
        }
        client.shutdown().await.unwrap();
        assert_eq!(rig.ended().await.outcome, prepared(20, &b"drop".repeat(5)));
    });
}

#[test]
fn the_same_file_is_not_received_twice_at_a_time() {
    in_memory(|mut rig| async move {
        let mut first = rig.upload(7, Base::Empty).await;
        assert!(rig.transfers.running_files().await.contains(&file(7)));
        let (transfer, _) = rig.listen().await;
        let job = rig.receive(7, Base::Empty);
        let fault = rig.begin(transfer, job).await.unwrap_err();
        assert_eq!(fault.code, FaultCode::BUSY);
        write(&mut first, b"x").await;
        first.shutdown().await.unwrap();
        assert_eq!(rig.ended().await.outcome, prepared(1, b"x"));
        assert!(rig.transfers.running_files().await.is_empty());
    });
}

#[test]
fn a_speed_limit_holds_for_uploads() {
    in_memory(|mut rig| async move {
        let bytes = pattern(500_000);
        let (transfer, to) = rig.listen().await;
        let mut client = rig.connect(to).await;
        let mut order = rig.order(transfer, rig.receive(7, Base::Empty));
        order.max_rate = Some(100_000);
        rig.transfers.begin(order).await.unwrap();
        let begun = Instant::now();
        write(&mut client, &bytes).await;
        client.shutdown().await.unwrap();
        assert_eq!(rig.ended().await.outcome, prepared(500_000, &bytes));
        let took = begun.elapsed().as_secs_f64();
        assert!((4.0..=6.0).contains(&took), "{took} s");
    });
}

#[test]
fn more_than_the_disk_has_is_refused_before_it_begins() {
    in_memory(|mut rig| async move {
        let (transfer, _) = rig.listen().await;
        let mut job = rig.receive(7, Base::Empty);
        if let Job::Receive(job) = &mut job {
            job.expected = 1 << 60;
        }
        let fault = rig.begin(transfer, job).await.unwrap_err();
        assert_eq!(fault.code, FaultCode::NO_SPACE);
        assert!(rig.transfers.running_files().await.is_empty());
    });
}
