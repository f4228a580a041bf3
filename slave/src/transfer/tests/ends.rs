//! What the master is told, and told again.

use drftpd_protocol::wire::TransferProgress;
use tokio::time::sleep;

use super::*;

#[test]
fn an_end_is_kept_until_the_master_has_stored_it() {
    in_memory(|mut rig| async move {
        let mut client = rig.upload(7, Base::Empty).await;
        write(&mut client, b"x").await;
        client.shutdown().await.unwrap();
        let ended = rig.ended().await;
        assert_eq!(rig.transfers.running().await, [ended.transfer]);
        assert_eq!(rig.transfers.unacknowledged().await[0], ended);
        rig.transfers.ended_seen(ended.transfer);
        assert_eq!(rig.transfers.unacknowledged().await, []);
        assert_eq!(rig.transfers.running().await, []);
    });
}

#[test]
fn no_end_is_lost_when_the_links_queue_is_full() {
    in_memory(|mut rig| async move {
        const MANY: u64 = 200;
        let job = rig.store(7, b"");
        for _ in 0..MANY {
            drop(rig.download(job.clone()).await);
        }
        sleep(Duration::from_secs(1)).await;
        let mut told = Vec::new();
        for _ in 0..MANY {
            told.push(rig.ended().await.transfer.0);
        }
        assert_eq!(told, (1..=MANY).collect::<Vec<_>>());
    });
}

#[test]
fn without_a_link_transfers_run_and_their_ends_wait() {
    in_memory(|mut rig| async move {
        let (_, gone) = mpsc::channel(1);
        drop(std::mem::replace(&mut rig.notices, gone));
        let mut client = rig.upload(7, Base::Empty).await;
        write(&mut client, b"x").await;
        client.shutdown().await.unwrap();
        sleep(Duration::from_secs(1)).await;
        let ends = rig.transfers.unacknowledged().await;
        assert_eq!(ends[0].outcome, prepared(1, b"x"));
    });
}

#[test]
fn progress_is_told_together_for_those_that_moved() {
    in_memory(|mut rig| async move {
        let mut first = rig.upload(7, Base::Empty).await;
        let mut second = rig.upload(8, Base::Empty).await;
        let _idle = rig.upload(9, Base::Empty).await;
        write(&mut first, b"12345").await;
        write(&mut second, b"123").await;
        let moved = vec![(TransferId(1), 5), (TransferId(2), 3)];
        let told = rig.notices.recv().await.unwrap();
        assert_eq!(told, TransferNotice::Progress(TransferProgress { moved }));
        sleep(Duration::from_secs(5)).await;
        assert!(rig.notices.try_recv().is_err(), "nothing moved since");
        let load = rig.transfers.load();
        assert_eq!(load.transfers, 3);
        assert!(load.receiving > 0 && load.sending == 0);
    });
}

#[test]
fn an_abort_of_what_has_not_begun_is_silent_and_of_what_is_not_there_no_fault() {
    in_memory(|mut rig| async move {
        let (transfer, to) = rig.listen().await;
        let mut client = rig.connect(to).await;
        rig.abort(transfer).await;
        rig.abort(transfer).await;
        assert_eq!(read_all(&mut client).await, b"");
        assert_eq!(rig.transfers.running().await, []);
        assert!(rig.notices.try_recv().is_err());
    });
}

#[test]
fn a_registry_that_panics_knows_its_transfers_and_their_ends_afterwards() {
    in_memory(|mut rig| async move {
        let mut over = rig.upload(7, Base::Empty).await;
        over.shutdown().await.unwrap();
        let ended = rig.ended().await;
        let mut first = rig.upload(8, Base::Empty).await;
        let mut second = rig.upload(9, Base::Empty).await;
        write(&mut first, b"first").await;
        rig.transfers.panic_on_purpose();
        let all = [2, 3, 1].map(TransferId);
        assert_eq!(rig.transfers.running().await, all);
        assert_eq!(rig.transfers.load().transfers, 2);
        assert_eq!(rig.transfers.unacknowledged().await, [ended]);
        let files = rig.transfers.running_files().await;
        assert_eq!(files.into_iter().collect::<Vec<_>>(), [file(8), file(9)]);
        // It tells how far they are, its uploads are not begun twice, and they can be aborted.
        rig.moved(5).await;
        let (twice, _) = rig.listen().await;
        let busy = rig.begin(twice, rig.receive(8, Base::Empty)).await;
        assert_eq!(busy.unwrap_err().code, FaultCode::BUSY);
        rig.abort(TransferId(2)).await;
        let (code, ..) = broken(rig.ended().await);
        assert_eq!(code, FaultCode::ABORTED);
        write(&mut second, b"x").await;
        second.shutdown().await.unwrap();
        assert_eq!(rig.ended().await.outcome, prepared(1, b"x"));
    });
}
