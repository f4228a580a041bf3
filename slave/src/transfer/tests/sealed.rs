//! Bytes under TLS, with TLS 1.2 and 1.3, over real sockets and threads.

use socket2::SockRef;
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
fn an_upload_that_ends_without_close_notify_is_broken_and_what_came_is_kept() {
    on_loopback(|mut rig| async move {
        for version in BOTH {
            let client = Client::for_rig(&rig, version);
            for (node, size) in [(2, 1000), (3, 100_000), (4, 5_000_000)] {
                let bytes = pattern(size);
                let mut io = client.up(&mut rig, node).await;
                write(&mut io, &bytes).await;
                let socket = SockRef::from(io.socket().unwrap());
                socket.shutdown(std::net::Shutdown::Write).unwrap();
                let ended = rig.ended().await;
                let size = size as u64;
                assert!(ended.tls.is_some());
                let (code, came, kept) = broken(ended);
                assert_eq!(code, FaultCode::CONNECTION_BROKEN, "{size} bytes");
                assert_eq!((came, kept), (size, Some(size)));
                assert!(rig.staged(node) == bytes);
            }
        }
    });
}

#[test]
fn an_upload_that_is_reset_is_broken_and_what_came_is_kept() {
    on_loopback(|mut rig| async move {
        let client = Client::for_rig(&rig, &TLS13);
        for (node, size) in [(1, 1000), (2, 5_000_000)] {
            let bytes = pattern(size);
            let mut io = client.up(&mut rig, node).await;
            write(&mut io, &bytes).await;
            rig.moved(size).await;
            let socket = SockRef::from(io.socket().unwrap());
            socket.set_linger(Some(Duration::ZERO)).unwrap();
            drop(io);
            let (code, came, kept) = broken(rig.ended().await);
            assert_eq!(code, FaultCode::CONNECTION_BROKEN);
            assert_eq!((came, kept), (size as u64, Some(size as u64)));
            assert!(rig.staged(node) == bytes);
        }
    });
}

#[test]
fn bytes_that_were_changed_on_their_way_break_the_upload() {
    on_loopback(|mut rig| async move {
        let client = Client::for_rig(&rig, &TLS13);
        for (node, size) in [(1, 1000), (2, 5_000_000)] {
            let bytes = pattern(size);
            let mut io = client.up(&mut rig, node).await;
            write(&mut io, &bytes).await;
            rig.moved(size).await;
            // A record of application data that nobody sealed.
            let mut forged = vec![0x17, 3, 3, 0, 64];
            forged.extend([7; 64]);
            let socket = io.socket().unwrap();
            let mut rest = &forged[..];
            while !rest.is_empty() {
                socket.writable().await.unwrap();
                if let Ok(written) = socket.try_write(rest) {
                    rest = &rest[written..];
                }
            }
            let (code, came, kept) = broken(rig.ended().await);
            assert_eq!(code, FaultCode::CONNECTION_BROKEN);
            assert_eq!((came, kept), (size as u64, Some(size as u64)));
        }
    });
}

#[test]
fn a_client_that_never_reads_while_it_uploads_loses_nothing() {
    on_loopback(|mut rig| async move {
        let bytes = pattern(1_048_576);
        for node in 0..20 {
            let client = Client::for_rig(&rig, &TLS13);
            let mut io = client.up(&mut rig, node).await;
            write(&mut io, &bytes).await;
            close(&mut io).await;
            drop(io); // with whatever lies unread, which would reset the connection
            assert_eq!(rig.ended().await.outcome, prepared(bytes.len(), &bytes));
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
fn when_the_upload_breaks_its_follower_sees_no_close_notify() {
    on_loopback(|mut rig| async move {
        let bytes = pattern(1_000_000);
        let client = Client::for_rig(&rig, &TLS13);
        let mut writer = client.up(&mut rig, 9).await;
        write(&mut writer, &bytes).await;
        let mut reader = client.down(&mut rig, 9).await;
        assert!(read_some(&mut reader, bytes.len()).await == bytes);
        drop(writer);
        let mut rest = Vec::new();
        assert!(reader.read_to_end(&mut rest).await.is_err());
        for _ in 0..2 {
            assert_eq!(broken(rig.ended().await).0, FaultCode::CONNECTION_BROKEN);
        }
    });
}

/// An order under TLS with its own limits, its client there and secured.
async fn limited(
    rig: &mut Rig,
    client: &Client,
    job: Job,
    limit: impl FnOnce(&mut BeginTransfer),
) -> (TransferId, BoxIo) {
    let (transfer, to) = rig.listen().await;
    let io = rig.connect(to).await;
    let mut order = rig.order(transfer, job);
    order.tls = client.order(Resumption::Offered);
    limit(&mut order);
    rig.transfers.begin(order).await.unwrap();
    let secured = client.handshake(rig.net.as_ref(), io).await.unwrap();
    (transfer, secured.io)
}

#[test]
fn a_client_that_takes_or_gives_nothing_stalls() {
    on_loopback(|mut rig| async move {
        let bytes = pattern(20_000_000);
        let job = rig.store(7, &bytes);
        let client = Client::for_rig(&rig, &TLS13);
        let soon = |order: &mut BeginTransfer| order.stall_timeout_ms = 300;
        let (_, _lazy) = limited(&mut rig, &client, job, soon).await;
        let (code, gone, kept) = broken(rig.ended().await);
        assert_eq!((code, kept), (FaultCode::STALLED, None));
        assert!(gone > 0 && gone < bytes.len() as u64, "{gone}");
        for (node, size) in [(1, 1000), (2, 5_000_000)] {
            let job = rig.receive(node, Base::Empty);
            let (_, mut io) = limited(&mut rig, &client, job, soon).await;
            write(&mut io, &bytes[..size]).await;
            let (code, came, kept) = broken(rig.ended().await);
            assert_eq!(code, FaultCode::STALLED);
            assert_eq!((came, kept), (size as u64, Some(size as u64)));
        }
    });
}

#[test]
fn an_abort_ends_it_at_once_and_resets_the_connection() {
    on_loopback(|mut rig| async move {
        let bytes = pattern(20_000_000);
        let down = rig.store(7, &bytes);
        let up = rig.receive(8, Base::Empty);
        let client = Client::for_rig(&rig, &TLS13);
        for job in [down, up] {
            let receives = matches!(job, Job::Receive(_));
            let (transfer, mut io) = limited(&mut rig, &client, job, |_| {}).await;
            if receives {
                write(&mut io, &bytes[..5_000_000]).await;
            } else {
                read_some(&mut io, 1_000_000).await;
            }
            let begun = Instant::now();
            rig.abort(transfer).await;
            let (code, moved, kept) = broken(rig.ended().await);
            assert_eq!(code, FaultCode::ABORTED);
            assert!(begun.elapsed() < Duration::from_millis(500));
            assert_eq!(kept, receives.then_some(moved));
            let mut rest = Vec::new();
            assert!(
                io.read_to_end(&mut rest).await.is_err(),
                "not closed as if whole"
            );
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
            let (_, mut io) = limited(&mut rig, &client, job, slow).await;
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
fn a_client_that_resets_instead_of_reading_the_last_bytes_breaks_its_download() {
    on_loopback(|mut rig| async move {
        let bytes = pattern(3_000_000);
        let job = rig.store(7, &bytes);
        let client = Client::for_rig(&rig, &TLS13);
        let mut io = client.begin(&mut rig, job).await;
        read_some(&mut io, 1000).await;
        drop(io);
        assert_eq!(broken(rig.ended().await).0, FaultCode::CONNECTION_BROKEN);
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
