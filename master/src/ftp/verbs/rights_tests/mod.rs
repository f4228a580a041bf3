//! Permissions as clients meet them: one verdict for every user, verb and spelling of a name, and nothing told of what is
//! hidden.

mod hidden;
mod matrix;
mod renames;
mod unfinished;

use drftpd_actors::Net;
use drftpd_actors::testkit::sim;
use tokio::io::AsyncReadExt;

use crate::ftp::testkit::{FtpScript, Site, path};
use crate::ftp::verbs::testing;
use crate::vfs::{Owner, PreparedBytes, UploadMode};

/// Somebody who is logged in.
async fn user(site: &Site, name: &str) -> FtpScript {
    let mut user = site.client().await;
    user.log_in(name).await;
    user
}

fn owner(name: &str) -> Owner {
    Owner {
        user: name.to_owned(),
        group: "users".to_owned(),
    }
}

/// Puts a complete file of somebody's there.
async fn file(site: &Site, at: &str, of: &str) {
    let root = site.files.root("slave", 1).await;
    let vfs = &site.files.vfs;
    let at = path(at);
    let begun = vfs.begin_upload(&at, UploadMode::Store, owner(of), root);
    let file = begun.await.unwrap().file;
    let bytes = PreparedBytes {
        size: 5,
        crc32: 0xA1B2_C3D4,
        blake3: None,
        received: 5,
    };
    vfs.commit_upload(file, root, bytes).await.unwrap();
}

/// Makes directories of somebody's.
async fn dirs(site: &Site, of: &str, dirs: &[&str]) {
    for dir in dirs {
        let made = site.files.vfs.make_dir(&path(dir), owner(of)).await;
        made.unwrap();
    }
}

/// A listing, over a data connection.
async fn fetch(site: &Site, user: &mut FtpScript, line: &str) -> String {
    let at = testing::address(&user.ask("PASV", 227).await);
    let mut data = site.net.connect(None, at).await.unwrap();
    user.ask(line, 150).await;
    let mut all = String::new();
    data.read_to_string(&mut all).await.unwrap();
    drop(data);
    user.expect(226).await;
    all
}

#[test]
fn rules_that_were_read_again_count_for_the_next_verb() {
    sim(async {
        let site = Site::start(|_| {}).await;
        file(&site, "/f", "carl").await;
        let mut carl = user(&site, "carl").await;
        carl.ask("SIZE /f", 550).await;
        site.permits("privpath * *\n");
        carl.ask("SIZE /f", 213).await;
        let denied = carl.ask("DELE /f", 550).await;
        assert_eq!(denied, "550 Permission denied\r\n");
        site.permits("deleteown * *\n");
        carl.ask("DELE /f", 250).await;
    });
}
