//! The end of a slave.

use std::time::Duration;

use drftpd_protocol::TransferId;
use drftpd_protocol::wire::{DataPath, Family, FaultCode, OpenData, PeerRule, Ping, Pong};

use super::with_slave;

fn open(number: u64) -> OpenData {
    OpenData {
        transfer: TransferId(number),
        path: DataPath::Listen {
            family: Family::V4,
            peers: PeerRule::Any,
        },
        connect_timeout_ms: 30_000,
    }
}

#[test]
fn a_slave_without_transfers_ends_at_once_and_hangs_up() {
    with_slave(1, |master, slave| async move {
        let running = slave.start();
        let (mut talk, _) = master.welcome().await;
        slave.deps.drain.begin(Duration::from_secs(60));
        talk.hung_up().await;
        assert!(running.await.expect("ends").is_ok());
        assert!(!slave.deps.view.borrow().is_up());
    });
}

#[test]
fn a_slave_that_drains_waits_for_its_channels_and_takes_no_new_ones() {
    with_slave(1, |master, slave| async move {
        let running = slave.start();
        let (mut talk, _) = master.welcome().await;
        let opened = talk.call(&open(1)).await.expect("is open");
        assert_ne!(opened.port, 0);
        slave.deps.drain.begin(Duration::from_secs(300));
        tokio::task::yield_now().await;
        let fault = talk.call(&open(2)).await.unwrap_err();
        assert_eq!(fault.code, FaultCode::BUSY);
        assert_eq!(talk.call(&Ping {}).await, Ok(Pong {}));
        let begun = tokio::time::Instant::now();
        talk.hung_up().await;
        assert!(running.await.expect("ends").is_ok());
        let waited = begun.elapsed().as_secs();
        assert!(
            (20..=40).contains(&waited),
            "the channel lived for 30 s: {waited}"
        );
    });
}
