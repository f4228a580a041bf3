//! Uploads of nothing, where they are wanted and where they are not.

use drftpd_actors::testkit::sim;
use tokio::io::AsyncWriteExt;

use super::cluster::*;
use crate::vfs::VfsError;

const PERMITS: &str = "
upload * *
download * *
overwrite * *
resume * *
allowempty /locks.* *
allowempty * !*
";

#[test]
fn nothing_is_kept_of_an_empty_upload_unless_a_line_allows_it() {
    sim(async {
        let setting = Setting {
            permits: Some(PERMITS),
            ..Setting::default()
        };
        let cluster = Cluster::start(setting).await;
        let mut user = cluster.user().await;
        put(&cluster, &mut user, How::Pret, "STOR there", b"bytes").await;
        for how in [How::Pret, How::Pasv] {
            for line in ["STOR nothing", "APPE nothing", "STOR there"] {
                let data = agree(&cluster, &mut user, how, line).await;
                user.ask(line, 150).await;
                data.io().await.shutdown().await.unwrap();
                let said = user.reply().await;
                let text = "550 Nothing was received, and empty files are not kept here\r\n";
                assert_eq!(said, text, "{how:?} {line}");
            }
            let gone = cluster.stat("/nothing").await;
            assert!(matches!(gone, Err(VfsError::NotFound(_))));
            assert_eq!(get(&cluster, &mut user, how, "RETR there").await, b"bytes");
            // Where something is already, nothing more is no empty file.
            put(&cluster, &mut user, how, "APPE there", b"").await;
            put(&cluster, &mut user, how, "STOR locks.1", b"").await;
            assert_eq!(cluster.stat("/locks.1").await.unwrap().size, 0);
        }
        assert!(cluster.is_clean().await);
    });
}
