//! What goes out.

use drftpd_protocol::wire::SetRate;
use tokio::time::{Instant, sleep};

use super::*;

fn part(job: Job, offset: u64, length: Option<u64>) -> Job {
    match job {
        Job::Send(job) => Job::Send(SendJob {
            offset,
            length,
            ..job
        }),
        other => other,
    }
}

#[test]
fn a_large_file_goes_out_whole() {
    in_memory(|mut rig| async move {
        let bytes = pattern(3_000_000);
        let job = rig.store(7, &bytes);
        let mut client = rig.download(job).await;
        assert!(read_all(&mut client).await == bytes);
        drop(client);
        let ended = rig.ended().await;
        assert_eq!((ended.outcome, ended.upload), (sent(3_000_000), None));
    });
}

#[test]
fn a_part_of_a_file_goes_out() {
    in_memory(|mut rig| async move {
        let bytes = pattern(300_000);
        let job = rig.store(7, &bytes);
        for (offset, length, is) in [
            (0, Some(10), &bytes[..10]),
            (299_990, None, &bytes[299_990..]),
            (100, Some(200_000), &bytes[100..200_100]),
            (300_000, None, &bytes[..0]),
            (299_999, Some(u64::MAX), &bytes[299_999..]),
        ] {
            let mut client = rig.download(part(job.clone(), offset, length)).await;
            assert!(read_all(&mut client).await == is, "{offset} {length:?}");
            drop(client);
            assert_eq!(rig.ended().await.outcome, sent(is.len()));
        }
    });
}

#[test]
fn a_start_beyond_the_files_end_is_a_bad_request() {
    in_memory(|mut rig| async move {
        let job = part(rig.store(7, b"12345"), 6, None);
        let (transfer, _) = rig.listen().await;
        let fault = rig.begin(transfer, job).await.unwrap_err();
        assert_eq!(fault.code, FaultCode::BAD_REQUEST);
    });
}

#[test]
fn a_client_that_takes_nothing_stalls_the_transfer() {
    in_memory(|mut rig| async move {
        let job = rig.store(7, &pattern(1_000_000));
        let client = rig.download(job).await;
        let begun = Instant::now();
        let (code, bytes, kept) = broken(rig.ended().await);
        assert_eq!((code, kept), (FaultCode::STALLED, None));
        assert!(bytes > 0 && bytes < 1_000_000, "{bytes} fit into the pipe");
        assert!(begun.elapsed() >= STALL);
        drop(client);
    });
}

#[test]
fn a_slow_client_is_no_stalled_one() {
    in_memory(|mut rig| async move {
        let bytes = pattern(500_000);
        let job = rig.store(7, &bytes);
        let mut client = rig.download(job).await;
        for piece in bytes.chunks(50_000) {
            sleep(STALL - Duration::from_secs(1)).await;
            assert!(read_some(&mut client, piece.len()).await == piece);
        }
        drop(client);
        assert_eq!(rig.ended().await.outcome, sent(500_000));
    });
}

#[test]
fn a_client_that_goes_breaks_its_download() {
    in_memory(|mut rig| async move {
        let job = rig.store(7, &pattern(1_000_000));
        let mut client = rig.download(job).await;
        read_some(&mut client, 1000).await;
        drop(client);
        let (code, bytes, _) = broken(rig.ended().await);
        assert_eq!(code, FaultCode::CONNECTION_BROKEN);
        assert!(bytes < 1_000_000);
    });
}

#[test]
fn a_client_that_keeps_its_side_open_waits_only_a_moment() {
    in_memory(|mut rig| async move {
        let job = rig.store(7, b"hello");
        let mut client = rig.download(job).await;
        assert_eq!(read_all(&mut client).await, b"hello");
        let begun = Instant::now();
        assert_eq!(rig.ended().await.outcome, sent(5));
        assert!(begun.elapsed() < Duration::from_secs(1));
        drop(client);
    });
}

#[test]
fn an_abort_while_sending_ends_it_at_once() {
    in_memory(|mut rig| async move {
        let job = rig.store(7, &pattern(1_000_000));
        let (transfer, to) = rig.listen().await;
        let mut client = rig.connect(to).await;
        rig.begin(transfer, job).await.unwrap();
        read_some(&mut client, 1000).await;
        let begun = Instant::now();
        rig.abort(transfer).await;
        let (code, ..) = broken(rig.ended().await);
        assert_eq!(code, FaultCode::ABORTED);
        assert_eq!(begun.elapsed(), Duration::ZERO);
        assert_eq!(rig.transfers.running().await, [transfer], "its end is kept");
    });
}

#[test]
fn a_speed_limit_holds() {
    in_memory(|mut rig| async move {
        let bytes = pattern(1_000_000);
        let job = rig.store(7, &bytes);
        let (transfer, to) = rig.listen().await;
        let mut client = rig.connect(to).await;
        let mut order = rig.order(transfer, job);
        order.max_rate = Some(100_000);
        rig.transfers.begin(order).await.unwrap();
        let begun = Instant::now();
        assert!(read_all(&mut client).await == bytes);
        let took = begun.elapsed().as_secs_f64();
        assert!((9.0..=11.0).contains(&took), "{took} s");
        drop(client);
        let ended = rig.ended().await;
        assert!(ended.took_ms >= 9_000, "{}", ended.took_ms);
    });
}

#[test]
fn a_transfer_that_runs_gets_another_speed() {
    in_memory(|mut rig| async move {
        let bytes = pattern(1_000_000);
        let job = rig.store(7, &bytes);
        let (transfer, to) = rig.listen().await;
        let mut client = rig.connect(to).await;
        let mut order = rig.order(transfer, job);
        order.max_rate = Some(100_000);
        rig.transfers.begin(order).await.unwrap();
        let begun = Instant::now();
        let mut half = vec![0; 500_000];
        client.read_exact(&mut half).await.unwrap();
        let max_rate = Some(500_000);
        let set = SetRate { transfer, max_rate };
        rig.transfers.set_rate(set).await.unwrap();
        half.extend(read_all(&mut client).await);
        assert!(half == bytes);
        let took = begun.elapsed().as_secs_f64();
        assert!((5.5..=6.5).contains(&took), "{took} s");
        drop(client);
        rig.ended().await;
        let gone = SetRate { transfer, max_rate };
        rig.transfers.set_rate(gone).await.unwrap();
    });
}
