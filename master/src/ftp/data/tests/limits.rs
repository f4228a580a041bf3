//! Disk quotas, and speeds that transfers share, as clients feel them, with a slave that moves the bytes.

use std::time::Duration;

use drftpd_actors::testkit::sim;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, sleep};

use super::cluster::*;
use crate::accounts::Account;
use crate::ftp::testkit::FtpScript;
use crate::store::{Batch, Command, StoreError};

/// Gives Bob a limit.
struct Limit(&'static str, i64);

impl Command for Limit {
    type Answer = ();
    type Error = StoreError;

    fn apply(self, batch: &Batch<'_>) -> Result<(), StoreError> {
        let sql = "INSERT INTO account_limit (account, what, value) VALUES ('bob', ?1, ?2)";
        batch.run(sql, (self.0, self.1))?;
        Ok(())
    }
}

async fn cluster(what: &'static str, value: i64) -> Cluster {
    let bob = Account {
        admin: true,
        overwrite: true,
        ..Account::of_test("bob", "users")
    };
    let cluster = Cluster::start(Setting {
        people: vec![(bob, 0)],
        ..Setting::default()
    });
    let cluster = cluster.await;
    let limit = Limit(what, value);
    cluster.files.store.change(limit).await.unwrap();
    cluster
}

#[test]
fn what_a_quota_does_not_take_is_refused_before_150_or_broken_off_and_not_kept() {
    sim(async {
        let cluster = cluster("disk", 3000).await;
        let mut bob = cluster.user().await;
        put(&cluster, &mut bob, How::Pret, "STOR /a", &some_bytes(1000)).await;
        for how in [How::Pret, How::Pasv, How::Port] {
            bob.ask("ALLO 2001", 200).await;
            let data = agree(&cluster, &mut bob, how, "STOR /b").await;
            let said = bob.ask("STOR /b", 552).await;
            assert!(
                said.contains("files of user bob may take 2.9 KiB"),
                "{said}"
            );
            drop(data);
            // Nobody has said how much this is.
            let data = agree(&cluster, &mut bob, how, "STOR /c").await;
            bob.ask("STOR /c", 150).await;
            let mut io = data.io().await;
            drop(io.write_all(&some_bytes(2001)).await);
            drop(io.shutdown().await);
            let said = bob.expect(552).await;
            assert!(said.contains("Disk quota exceeded"), "{said}");
            for gone in ["/b", "/c"] {
                assert!(cluster.stat(gone).await.is_err(), "{how:?} {gone}");
            }
        }
        put(&cluster, &mut bob, How::Pret, "STOR /d", &some_bytes(2000)).await;
        bob.ask("DELE /a", 250).await;
        put(&cluster, &mut bob, How::Pasv, "APPE /d", &some_bytes(1000)).await;
        assert_eq!(cluster.stat("/d").await.unwrap().size, 3000);
        assert!(cluster.is_clean().await);
    });
}

#[test]
fn transfers_that_share_a_speed_have_their_new_part_when_another_begins_or_ends() {
    sim(async {
        let cluster = cluster("rate_down", 100_000).await;
        let (mut one, mut two) = (cluster.user().await, cluster.user().await);
        let bytes = some_bytes(500_000);
        put(&cluster, &mut one, How::Pret, "STOR /x", &bytes).await;
        let begun = Instant::now();
        let took = async |client: &mut FtpScript, after: u64| {
            sleep(Duration::from_millis(after)).await;
            let got = get(&cluster, client, How::Pret, "RETR /x").await;
            assert!(got == bytes);
            begun.elapsed().as_secs_f64()
        };
        // Alone for 2.5 s; then both have half, until the first has all; then the second is alone.
        let (first, second) = tokio::join!(took(&mut one, 0), took(&mut two, 2_500));
        assert!((7.0..=8.0).contains(&first), "{first} s");
        assert!((9.5..=10.6).contains(&second), "{second} s");
        assert!(cluster.is_clean().await);
    });
}
