//! The relay door: one token, one use, ten seconds, one address.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use drftpd_actors::testkit::sim;
use drftpd_actors::{BoxIo, Net};
use drftpd_protocol::wire::{FaultCode, RELAY_MAGIC, RELAY_OK, RelayToken};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;

use crate::slaves::testkit::{Rig, SLAVE_IP, slave};
use crate::slaves::{SlaveError, SlavesConfig};

async fn dial(rig: &Rig, from: IpAddr, token: RelayToken) -> BoxIo {
    let net = rig.net.at(from);
    let mut io = net.connect(None, rig.client.address()).await.unwrap();
    io.write_all(RELAY_MAGIC).await.unwrap();
    io.write_all(&token.0).await.unwrap();
    io
}

async fn is_closed(mut io: BoxIo) -> bool {
    io.read(&mut [0]).await.is_ok_and(|bytes| bytes == 0)
}

#[test]
fn a_slave_dials_and_the_connection_is_the_data_connection() {
    sim(async {
        let rig = Rig::new().await;
        let _link = rig.slave("a", &[1]).await;
        let expected = rig.client.expect_relay(&slave("a")).await.unwrap();
        let mut far = dial(&rig, SLAVE_IP, expected.token).await;
        far.write_all(b"early").await.unwrap();
        let mut near = expected.connection.await.unwrap();
        let mut ok = [0];
        far.read_exact(&mut ok).await.unwrap();
        assert_eq!(ok, [RELAY_OK]);
        let mut bytes = [0; 5];
        near.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"early");
        near.write_all(b"back").await.unwrap();
        far.read_exact(&mut bytes[..4]).await.unwrap();
        assert_eq!(&bytes[..4], b"back");
        assert!(
            is_closed(dial(&rig, SLAVE_IP, expected.token).await).await,
            "used"
        );
    });
}

#[test]
fn a_wrong_a_late_and_a_foreign_dialler_are_closed() {
    sim(async {
        let rig = Rig::new().await;
        let _link = rig.slave("a", &[1]).await;
        let wrong = RelayToken([1; 32]);
        assert!(is_closed(dial(&rig, SLAVE_IP, wrong).await).await);

        let late = rig.client.expect_relay(&slave("a")).await.unwrap();
        sleep(Duration::from_secs(11)).await;
        assert!(late.connection.await.is_err());
        assert!(is_closed(dial(&rig, SLAVE_IP, late.token).await).await);

        let mine = rig.client.expect_relay(&slave("a")).await.unwrap();
        let elsewhere = Ipv4Addr::new(10, 0, 0, 8).into();
        assert!(is_closed(dial(&rig, elsewhere, mine.token).await).await);
        assert!(mine.connection.await.is_err());
    });
}

#[test]
fn an_offline_slave_is_not_expected_and_the_table_is_bounded() {
    sim(async {
        let rig = Rig::with(SlavesConfig {
            max_relays: 1,
            remerge_at_start: false,
            ..SlavesConfig::default()
        })
        .await;
        let offline = rig.client.expect_relay(&slave("a")).await;
        assert!(matches!(offline, Err(SlaveError::Offline(_))));
        let _link = rig.slave("a", &[1]).await;
        let _one = rig.client.expect_relay(&slave("a")).await.unwrap();
        let Err(SlaveError::Fault(fault)) = rig.client.expect_relay(&slave("a")).await else {
            panic!("no fault");
        };
        assert_eq!(fault.code, FaultCode::BUSY);
    });
}
