//! Transfers that are slower than a rule wants.

use drftpd_actors::testkit::sim;
use tokio::io::AsyncWriteExt;

use super::cluster::*;
use crate::accounts::Account;
use crate::ftp::data::TrafficConfig;
use crate::ftp::testkit::FtpScript;
use crate::vfs::FileState;

const SLOW: &str = "426 Transfer was too slow, aborted: it must have 9.8 KiB/s for 10s\r\n";
const AWAY: &str = "421 Your transfer was too slow\r\n";

async fn cluster(then: &str) -> Cluster {
    let rules = format!(
        "rules = [ {{ users = [\"*\"], paths = [\"/fast\"], min_rate = \"10kB\", slow_for = \"10s\", then = \"{then}\" }} ]"
    );
    let of = |name: &str, admin| {
        (
            Account {
                admin,
                ..Account::of_test(name, "users")
            },
            0,
        )
    };
    let cluster = Cluster::start(Setting {
        permits: Some("upload * *\ndownload * *\nmakedir * *\nresume * *\n"),
        traffic: toml::from_str::<TrafficConfig>(&rules).unwrap(),
        people: vec![of("bob", false), of("root", true)],
        ..Setting::default()
    })
    .await;
    let mut user = cluster.user_named("bob").await;
    for dir in ["/fast", "/slow"] {
        user.ask(&format!("MKD {dir}"), 257).await;
    }
    cluster
}

/// Sends ten bytes and no more.
async fn begin(cluster: &Cluster, user: &mut FtpScript, path: &str) -> drftpd_actors::BoxIo {
    let line = format!("STOR {path}");
    let data = agree(cluster, user, How::Pret, &line).await;
    user.ask(&line, 150).await;
    let mut io = data.io().await;
    io.write_all(b"0123456789").await.unwrap();
    io.flush().await.unwrap();
    io
}

#[test]
fn a_slow_upload_hears_426_and_what_came_is_kept() {
    sim(async {
        let cluster = cluster("end").await;
        let mut user = cluster.user_named("bob").await;
        let _open = begin(&cluster, &mut user, "/fast/x").await;
        assert_eq!(user.reply().await, SLOW);
        let there = cluster.stat("/fast/x").await.unwrap();
        assert_eq!((there.state, there.size), (FileState::Partial, 10));
        user.ask("NOOP", 200).await;
        // Where no rule speaks only one that stands ends, and later.
        let _open = begin(&cluster, &mut user, "/slow/x").await;
        assert_eq!(user.reply().await, "426 Transfer stalled, aborted\r\n");
    });
}

#[test]
fn a_slow_download_hears_426() {
    sim(async {
        let cluster = cluster("end").await;
        let mut user = cluster.user_named("bob").await;
        put(
            &cluster,
            &mut user,
            How::Pret,
            "STOR /fast/x",
            &some_bytes(4_000_000),
        )
        .await;
        let data = agree(&cluster, &mut user, How::Pret, "RETR /fast/x").await;
        user.ask("RETR /fast/x", 150).await;
        let _unread = data.io().await;
        assert_eq!(user.reply().await, SLOW);
    });
}

#[test]
fn its_session_or_all_of_its_user_may_end_with_it() {
    sim(async {
        for then in ["kick", "ban"] {
            let cluster = cluster(then).await;
            let mut user = cluster.user_named("bob").await;
            let mut other = cluster.user_named("bob").await;
            let _open = begin(&cluster, &mut user, "/fast/x").await;
            assert_eq!(user.reply().await, SLOW);
            assert_eq!(user.reply().await, AWAY);
            match then {
                "ban" => assert_eq!(other.reply().await, AWAY),
                _ => drop(other.ask("NOOP", 200).await),
            }
            let banned = cluster.files.store.read(|sql| {
                let query = "SELECT banned FROM account WHERE name = 'bob'";
                sql.get(query, [], |row| row.get::<_, Option<i64>>(0))
            });
            let until = banned.unwrap().flatten();
            assert_eq!(until.is_some(), then == "ban", "{until:?}");
        }
    });
}
