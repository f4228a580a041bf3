//! What transfers earn and cost, as a client feels it, with a slave that moves the bytes.

use drftpd_actors::testkit::{settle, sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::cluster::*;
use crate::accounts::Account;
use crate::accounts::credits::{self, Balance};
use crate::accounts::period::Period;
use crate::accounts::ratio::Ratio;
use crate::accounts::tally::{self, Tally};

/// Bob pays for what he takes, Ann does not.
async fn cluster() -> Cluster {
    let of = |name: &str, ratio: u32| Account {
        admin: true,
        overwrite: true,
        ratio: Ratio(ratio),
        ..Account::of_test(name, "users")
    };
    Cluster::start(Setting {
        people: vec![
            (of("bob", 3000), 0),
            (of("ann", 0), 0),
            (of("eve", 1000), 0),
        ],
        ..Setting::default()
    })
    .await
}

impl Cluster {
    fn balance(&self, name: &str) -> Balance {
        let now = self.services.clock.unix();
        let there = self
            .files
            .store
            .read(|sql| credits::balance(sql, name, now));
        there.unwrap().unwrap()
    }

    fn credits(&self, name: &str) -> i64 {
        let balance = self.balance(name);
        assert_eq!(balance.held, 0);
        balance.credits
    }

    fn moved(&self, name: &str) -> Tally {
        let now = self.services.clock.unix();
        let there = self
            .files
            .store
            .read(|sql| tally::of(sql, name, Period::Day, now));
        there.unwrap()
    }
}

#[test]
fn uploads_earn_and_downloads_cost_what_was_moved_whichever_way_the_bytes_go() {
    sim(async {
        let cluster = cluster().await;
        let (mut bob, mut ann) = (cluster.user().await, cluster.user_named("ann").await);
        let bytes = some_bytes(1000);
        let mut has = 0;
        for (n, how) in ALL.into_iter().enumerate() {
            put(&cluster, &mut bob, how, &format!("STOR /{n}.bin"), &bytes).await;
            has += 3000;
            assert_eq!(cluster.credits("bob"), has, "{how:?}");
            assert_eq!(
                get(&cluster, &mut bob, how, &format!("RETR /{n}.bin")).await,
                bytes
            );
            has -= 1000;
            assert_eq!(cluster.credits("bob"), has, "{how:?}");
            bob.ask("REST 900", 350).await;
            let rest = get(&cluster, &mut bob, How::Pasv, &format!("RETR /{n}.bin")).await;
            assert_eq!(rest, bytes[900..]);
            has -= 100;
            assert_eq!(cluster.credits("bob"), has, "{how:?}");
            get(&cluster, &mut ann, how, &format!("RETR /{n}.bin")).await;
        }
        put(&cluster, &mut bob, How::Pret, "APPE /0.bin", &bytes[..50]).await;
        assert_eq!(cluster.credits("bob"), has + 150);
        bob.ask("DELE /0.bin", 250).await;
        assert_eq!(cluster.credits("bob"), has - 3000);
        settle().await;
        let (of_bob, of_ann) = (cluster.moved("bob"), cluster.moved("ann"));
        assert_eq!((of_bob.up.files, of_bob.up.bytes), (4, 4000));
        assert_eq!((of_bob.down.files, of_bob.down.bytes), (10, 5500));
        assert_eq!((of_ann.down.files, of_ann.down.bytes), (5, 5000));
        assert_eq!(cluster.credits("ann"), 0);
        assert!(cluster.is_clean().await);
    });
}

#[test]
fn who_has_too_few_credits_hears_it_in_one_line_before_anything_begins() {
    sim(async {
        let cluster = cluster().await;
        let (mut ann, mut eve) = (
            cluster.user_named("ann").await,
            cluster.user_named("eve").await,
        );
        put(
            &cluster,
            &mut ann,
            How::Pret,
            "STOR /big.bin",
            &some_bytes(5000),
        )
        .await;
        let said = eve.ask("PRET RETR /big.bin", 550).await;
        assert_eq!(
            said,
            "550 Not enough credits: it takes 1 B, you have 0 B\r\n"
        );
        put(
            &cluster,
            &mut eve,
            How::Pret,
            "STOR /own.bin",
            &some_bytes(4999),
        )
        .await;
        eve.ask("PRET RETR /big.bin", 200).await;
        eve.ask("PASV", 227).await;
        let said = eve.ask("RETR /big.bin", 550).await;
        assert!(
            said.contains("it takes 4.9 KiB, you have 4.9 KiB"),
            "{said}"
        );
        // The rest of it is no more than there is.
        eve.ask("REST 1", 350).await;
        get(&cluster, &mut eve, How::Pasv, "RETR /big.bin").await;
        assert_eq!(cluster.credits("eve"), 0);
        assert!(cluster.is_clean().await);
    });
}

#[test]
fn what_a_running_download_may_take_is_nobody_elses_and_what_it_did_not_move_comes_back() {
    sim(async {
        let mut cluster = cluster().await;
        let big = some_bytes(8 << 20);
        let size = 8 << 20;
        let (mut first, mut second) = (
            cluster.user_named("eve").await,
            cluster.user_named("eve").await,
        );
        put(&cluster, &mut first, How::Pret, "STOR /big.bin", &big).await;
        assert_eq!(cluster.credits("eve"), size);
        let data = agree(&cluster, &mut first, How::Pret, "RETR /big.bin").await;
        first.ask("RETR /big.bin", 150).await;
        let mut io = data.io().await;
        io.read_exact(&mut [0; 1000]).await.unwrap();
        assert_eq!(cluster.balance("eve").held, size);
        second.ask("PRET RETR /big.bin", 550).await;
        first.ask("ABOR", 426).await;
        first.expect(226).await;
        drop(io);
        settle().await;
        let broken = cluster.logged.drain().pop().unwrap();
        assert!(!broken.complete);
        let paid = size - cluster.credits("eve");
        assert!((1000..size).contains(&paid), "{paid}");
        let moved = cluster.moved("eve").down;
        assert_eq!((moved.files, moved.bytes), (0, paid.unsigned_abs()));
        second.ask("PRET RETR /big.bin", 200).await;
        second.ask("QUIT", 221).await;
        assert!(cluster.is_clean().await);
    });
}

#[test]
fn an_upload_that_broke_off_earns_nothing_until_somebody_has_made_it_whole() {
    sim(async {
        let cluster = cluster().await;
        let mut bob = cluster.user().await;
        let bytes = some_bytes(9000);
        let data = agree(&cluster, &mut bob, How::Pret, "STOR /a.bin").await;
        bob.ask("STOR /a.bin", 150).await;
        let mut io = data.io().await;
        io.write_all(&bytes[..6000]).await.unwrap();
        settle().await;
        bob.ask("ABOR", 426).await;
        bob.expect(226).await;
        drop(io);
        assert_eq!(cluster.credits("bob"), 0);
        let kept = usize::try_from(cluster.stat("/a.bin").await.unwrap().size).unwrap();
        let mut eve = cluster.user_named("eve").await;
        put(&cluster, &mut eve, How::Pret, "APPE /a.bin", &bytes[kept..]).await;
        let (of_bob, of_eve) = (cluster.credits("bob"), cluster.credits("eve"));
        assert_eq!((of_bob, of_eve), (3 * kept as i64, (9000 - kept) as i64));
        let moved = (cluster.moved("bob").up, cluster.moved("eve").up);
        assert_eq!((moved.0.files, moved.1.files), (0, 1));
        assert_eq!(moved.0.bytes + moved.1.bytes, 9000);
        assert!(cluster.is_clean().await);
    });
}
