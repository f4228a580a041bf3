//! What breaks under TLS: ends that are none, stalls, aborts.

use rustls::version::TLS13;
use socket2::SockRef;
use tokio::time::Instant;

use super::secured::{BOTH, Client, close};
use super::*;

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

#[test]
fn a_client_that_takes_or_gives_nothing_stalls() {
    on_loopback(|mut rig| async move {
        let bytes = pattern(20_000_000);
        let job = rig.store(7, &bytes);
        let client = Client::for_rig(&rig, &TLS13);
        let soon = |order: &mut BeginTransfer| order.stall_timeout_ms = 300;
        let (_, _lazy) = client.limited(&mut rig, job, soon).await;
        let (code, gone, kept) = broken(rig.ended().await);
        assert_eq!((code, kept), (FaultCode::STALLED, None));
        assert!(gone > 0 && gone < bytes.len() as u64, "{gone}");
        for (node, size) in [(1, 1000), (2, 5_000_000)] {
            let job = rig.receive(node, Base::Empty);
            let (_, mut io) = client.limited(&mut rig, job, soon).await;
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
            let (transfer, mut io) = client.limited(&mut rig, job, |_| {}).await;
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
