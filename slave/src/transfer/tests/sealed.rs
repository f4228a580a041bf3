//! Bytes under TLS, with TLS 1.2 and 1.3, over real sockets and threads.

use tokio::time::Instant;

use drftpd_protocol::wire::Resumption;
use rustls::version::{TLS12, TLS13};

use super::secured::{BOTH, Client, close, in_memory};
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

/// Uploads all of it and says the end as it should be said.
async fn upload(rig: &mut Rig, client: &Client, node: u64, base: Base, bytes: &[u8]) -> Outcome {
    let job = rig.receive(node, base);
    let mut io = client.begin(rig, job).await;
    write(&mut io, bytes).await;
    close(&mut io).await;
    assert_eq!(
        read_all(&mut io).await,
        b"",
        "the slave says close_notify too"
    );
    drop(io);
    rig.ended().await.outcome
}

#[test]
fn files_of_all_sizes_go_both_ways() {
    on_loopback(|mut rig| async move {
        for version in BOTH {
            let client = Client::for_rig(&rig, version);
            let sizes = [0, 1, 10_240, 65_536, 65_537, 1_048_576, 5_000_000];
            for (node, size) in (1..).zip(sizes) {
                let bytes = pattern(size);
                let outcome = upload(&mut rig, &client, node, Base::Empty, &bytes).await;
                assert_eq!(outcome, prepared(size, &bytes));
                let job = rig.send(node);
                let mut io = client.begin(&mut rig, job).await;
                assert!(read_all(&mut io).await == bytes, "{size} bytes");
                close(&mut io).await;
                drop(io);
                assert_eq!(rig.ended().await.outcome, sent(size));
            }
        }
    });
}

#[test]
fn a_part_of_a_file_goes_out_and_a_broken_upload_is_resumed() {
    on_loopback(|mut rig| async move {
        let bytes = pattern(3_000_000);
        for version in BOTH {
            let client = Client::for_rig(&rig, version);
            let job = rig.store(7, &bytes);
            for (offset, length, is) in [
                (0, Some(10), &bytes[..10]),
                (2_999_990, None, &bytes[2_999_990..]),
                (100, Some(2_000_000), &bytes[100..2_000_100]),
                (3_000_000, None, &bytes[..0]),
            ] {
                let job = part(job.clone(), offset, length);
                let mut io = client.begin(&mut rig, job).await;
                assert!(read_all(&mut io).await == is, "{offset} {length:?}");
                drop(io);
                assert_eq!(rig.ended().await.outcome, sent(is.len()));
            }
            let (first, rest) = bytes.split_at(1_234_567);
            let mut io = client.up(&mut rig, 8).await;
            write(&mut io, first).await;
            drop(io);
            let (_, _, kept) = broken(rig.ended().await);
            assert_eq!(kept, Some(1_234_567));
            let keep = 1_234_567;
            let outcome = upload(&mut rig, &client, 8, Base::Staged { keep }, rest).await;
            assert_eq!(outcome, prepared(rest.len(), &bytes));
            assert!(rig.staged(8) == bytes);
        }
    });
}

#[test]
fn a_growing_file_is_followed_to_its_end() {
    on_loopback(|mut rig| async move {
        let bytes = pattern(4_000_000);
        for version in BOTH {
            let client = Client::for_rig(&rig, version);
            let mut writer = client.up(&mut rig, 9).await;
            write(&mut writer, &bytes[..1_000_000]).await;
            let mut reader = client.down(&mut rig, 9).await;
            assert!(read_some(&mut reader, 1_000_000).await == bytes[..1_000_000]);
            for piece in bytes[1_000_000..].chunks(700_000) {
                write(&mut writer, piece).await;
                assert!(read_some(&mut reader, piece.len()).await == piece);
            }
            close(&mut writer).await;
            assert_eq!(read_all(&mut reader).await, b"");
            drop((writer, reader));
            let mut ends = [rig.ended().await, rig.ended().await];
            ends.sort_by_key(|end| end.transfer);
            assert_eq!(ends[0].outcome, prepared(bytes.len(), &bytes));
            assert_eq!(ends[1].outcome, sent(bytes.len()));
        }
    });
}

#[test]
fn a_speed_limit_holds_both_ways() {
    on_loopback(|mut rig| async move {
        let bytes = pattern(2_000_000);
        let down = rig.store(7, &bytes);
        let up = rig.receive(8, Base::Empty);
        let client = Client::for_rig(&rig, &TLS13);
        for job in [down, up] {
            let receives = matches!(job, Job::Receive(_));
            let slow = |order: &mut BeginTransfer| order.max_rate = Some(4_000_000);
            let begun = Instant::now();
            let (_, mut io) = client.limited(&mut rig, job, slow).await;
            if receives {
                write(&mut io, &bytes).await;
                close(&mut io).await;
            } else {
                assert!(read_all(&mut io).await == bytes);
            }
            drop(io);
            let ended = rig.ended().await;
            assert!(
                !matches!(ended.outcome, Outcome::Broken { .. }),
                "{ended:?}"
            );
            assert!(
                begun.elapsed() > Duration::from_millis(400),
                "{:?}",
                begun.elapsed()
            );
        }
    });
}

#[test]
fn a_client_of_a_download_may_close_as_it_likes_once_it_has_everything() {
    on_loopback(|mut rig| async move {
        let bytes = pattern(3_000_000);
        let job = rig.store(7, &bytes);
        for version in [&TLS12, &TLS13] {
            let client = Client::for_rig(&rig, version);
            for says_close in [true, false] {
                let mut io = client.begin(&mut rig, job.clone()).await;
                assert!(read_all(&mut io).await == bytes);
                if says_close {
                    close(&mut io).await;
                }
                drop(io);
                assert_eq!(rig.ended().await.outcome, sent(bytes.len()));
            }
            let mut keeps = client.begin(&mut rig, job.clone()).await;
            assert!(read_all(&mut keeps).await == bytes);
            assert_eq!(
                rig.ended().await.outcome,
                sent(bytes.len()),
                "it waits for 226"
            );
        }
    });
}

#[test]
fn over_connections_that_are_no_sockets_bytes_go_too() {
    in_memory(|mut rig| async move {
        let bytes = pattern(3_000_000);
        for version in BOTH {
            let client = Client::for_rig(&rig, version);
            let outcome = upload(&mut rig, &client, 7, Base::Empty, &bytes).await;
            assert_eq!(outcome, prepared(bytes.len(), &bytes));
            let mut io = client.down(&mut rig, 7).await;
            assert!(read_all(&mut io).await == bytes);
            drop(io);
            assert_eq!(rig.ended().await.outcome, sent(bytes.len()));
            let mut cut = client.up(&mut rig, 8).await;
            write(&mut cut, &bytes[..1000]).await;
            drop(cut);
            let (code, came, kept) = broken(rig.ended().await);
            assert_eq!(
                (code, came, kept),
                (FaultCode::CONNECTION_BROKEN, 1000, Some(1000))
            );
        }
    });
}

#[test]
fn fifty_transfers_under_tls_run_side_by_side() {
    on_loopback(|mut rig| async move {
        let bytes = pattern(500_000);
        let job = rig.store(7, &bytes);
        let client = Arc::new(Client::for_rig(&rig, &TLS13));
        let mut clients = Vec::new();
        for node in 100..125 {
            let up = rig.receive(node, Base::Empty);
            let (_, reader) = client
                .begin_raw(&mut rig, job.clone(), Resumption::Offered)
                .await;
            let (_, writer) = client.begin_raw(&mut rig, up, Resumption::Offered).await;
            let (bytes, client, net) = (bytes.clone(), Arc::clone(&client), Arc::clone(&rig.net));
            clients.push(tokio::task::spawn_local(async move {
                let reads = async {
                    let mut reader = client.handshake(net.as_ref(), reader).await.unwrap().io;
                    assert!(read_all(&mut reader).await == bytes);
                };
                let writes = async {
                    let mut writer = client.handshake(net.as_ref(), writer).await.unwrap().io;
                    write(&mut writer, &bytes).await;
                    close(&mut writer).await;
                };
                tokio::join!(reads, writes)
            }));
        }
        for client in clients {
            client.await.unwrap();
        }
        let crc32 = crc32fast::hash(&bytes);
        for _ in 0..50 {
            match rig.ended().await.outcome {
                Outcome::Sent { bytes } => assert_eq!(bytes, 500_000),
                Outcome::Prepared { crc32: sum, .. } => assert_eq!(sum, crc32),
                broken => panic!("{broken:?}"),
            }
        }
    });
}
