//! Parts of files: RANG before RETR and HASH.

use drftpd_actors::testkit::sim;

use super::cluster::*;

/// SHA-256 of the bytes of `some_bytes(1000)` from 10 to 19, as a part of its own says.
async fn sum(cluster: &Cluster, bytes: &[u8]) -> String {
    let mut user = cluster.user().await;
    put(cluster, &mut user, How::Pret, "STOR part", bytes).await;
    let told = user.ask("HASH part", 213).await;
    told.split(' ').nth(3).unwrap().to_owned()
}

#[test]
fn rang_names_the_only_bytes_of_the_next_retr() {
    sim(async {
        let cluster = Cluster::start(Setting::default()).await;
        let mut user = cluster.user().await;
        let whole = some_bytes(1000);
        put(&cluster, &mut user, How::Pret, "STOR x", &whole).await;
        for how in [How::Pret, How::Pasv] {
            for (said, want) in [
                ("RANG 10 19", &whole[10..20]),
                ("RANG 0 0", &whole[..1]),
                ("RANG 990 5000", &whole[990..]),
            ] {
                user.ask(said, 350).await;
                assert_eq!(
                    get(&cluster, &mut user, how, "RETR x").await,
                    want,
                    "{said}"
                );
            }
            // It was for that one transfer; REST and RANG put each other out.
            assert_eq!(get(&cluster, &mut user, how, "RETR x").await, whole);
            user.ask("RANG 10 19", 350).await;
            user.ask("REST 999", 350).await;
            assert_eq!(get(&cluster, &mut user, how, "RETR x").await, &whole[999..]);
            user.ask("RANG 10 19", 350).await;
            user.ask("RANG 1 0", 350).await;
            assert_eq!(get(&cluster, &mut user, how, "RETR x").await, whole);
        }
        user.ask("RANG 1000 1001", 350).await;
        user.ask("PASV", 227).await;
        user.ask("RETR x", 554).await;
        user.ask("RANG 10 19", 350).await;
        user.ask("STOR y", 503).await;
        for bad in ["RANG", "RANG 5", "RANG 9 5", "RANG a b"] {
            user.ask(bad, 501).await;
        }
        assert!(cluster.is_clean().await);
    });
}

#[test]
fn hash_is_of_the_part_that_rang_named() {
    sim(async {
        let cluster = Cluster::start(Setting::default()).await;
        let mut user = cluster.user().await;
        let whole = some_bytes(1000);
        put(&cluster, &mut user, How::Pret, "STOR x", &whole).await;
        let want = sum(&cluster, &whole[10..20]).await;
        user.ask("RANG 10 19", 350).await;
        let told = user.ask("HASH x", 213).await;
        assert_eq!(told, format!("213 SHA-256 10-19 {want} x\r\n"));
        user.ask("OPTS HASH CRC32", 200).await;
        let whole_sum = user.ask("HASH x", 213).await;
        assert!(whole_sum.starts_with("213 CRC32 0-1000 "), "{whole_sum}");
    });
}
