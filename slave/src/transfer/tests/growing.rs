//! Downloads of a file that is still being uploaded.

use tokio::time::sleep;

use super::*;

#[test]
fn a_growing_file_is_followed_to_its_end() {
    in_memory(|mut rig| async move {
        let bytes = pattern(400_000);
        let mut uploader = rig.upload(7, Base::Empty).await;
        write(&mut uploader, &bytes[..100_000]).await;
        sleep(Duration::from_secs(1)).await;
        let (transfer, to) = rig.listen().await;
        let mut reader = rig.connect(to).await;
        let begun = rig.begin(transfer, rig.send(7)).await;
        assert_eq!(begun, Ok(Begun::of(100_000)));
        assert!(read_some(&mut reader, 100_000).await == bytes[..100_000]);
        for piece in bytes[100_000..].chunks(100_000) {
            sleep(Duration::from_secs(1)).await;
            write(&mut uploader, piece).await;
            assert!(read_some(&mut reader, piece.len()).await == piece);
        }
        uploader.shutdown().await.unwrap();
        assert_eq!(read_all(&mut reader).await, b"");
        drop(reader);
        assert_eq!(rig.ended().await.outcome, prepared(400_000, &bytes));
        assert_eq!(rig.ended().await.outcome, sent(400_000));
    });
}

#[test]
fn when_the_upload_breaks_the_download_breaks_behind_its_last_byte() {
    in_memory(|mut rig| async move {
        let mut uploader = rig.upload(7, Base::Empty).await;
        write(&mut uploader, b"12345").await;
        sleep(Duration::from_secs(1)).await;
        let mut reader = rig.download(rig.send(7)).await;
        sleep(Duration::from_secs(1)).await;
        rig.abort(TransferId(1)).await;
        assert_eq!(read_some(&mut reader, 5).await, b"12345");
        let (first, second) = (rig.ended().await, rig.ended().await);
        assert_eq!(broken(first), (FaultCode::ABORTED, 5, Some(5)));
        assert_eq!(broken(second), (FaultCode::CONNECTION_BROKEN, 5, None));
    });
}

#[test]
fn a_part_of_a_growing_file_ends_where_it_was_asked_to() {
    in_memory(|mut rig| async move {
        let mut uploader = rig.upload(7, Base::Empty).await;
        write(&mut uploader, b"1234").await;
        sleep(Duration::from_secs(1)).await;
        let mut job = rig.send(7);
        if let Job::Send(job) = &mut job {
            (job.offset, job.length) = (6, Some(3));
        }
        let mut reader = rig.download(job).await;
        sleep(Duration::from_secs(1)).await;
        write(&mut uploader, b"567890").await;
        assert_eq!(read_all(&mut reader).await, b"789");
        drop(reader);
        assert_eq!(rig.ended().await.outcome, sent(3));
    });
}

#[test]
fn what_is_left_of_a_broken_upload_goes_out_to_its_end() {
    in_memory(|mut rig| async move {
        let mut uploader = rig.upload(7, Base::Empty).await;
        write(&mut uploader, b"12345").await;
        sleep(Duration::from_secs(1)).await;
        rig.abort(TransferId(1)).await;
        broken(rig.ended().await);
        let mut reader = rig.download(rig.send(7)).await;
        assert_eq!(read_all(&mut reader).await, b"12345");
        drop(reader);
        assert_eq!(rig.ended().await.outcome, sent(5));
    });
}

#[test]
fn a_follower_can_be_aborted_while_it_waits() {
    in_memory(|mut rig| async move {
        let _uploader = rig.upload(7, Base::Empty).await;
        let (transfer, to) = rig.listen().await;
        let _reader = rig.connect(to).await;
        rig.begin(transfer, rig.send(7)).await.unwrap();
        rig.abort(transfer).await;
        let ended = rig.ended().await;
        assert_eq!(ended.transfer, transfer);
        assert_eq!(broken(ended).0, FaultCode::ABORTED);
    });
}
