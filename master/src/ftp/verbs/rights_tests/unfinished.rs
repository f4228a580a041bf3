//! Uploads that are hidden until they are complete: for all but their uploader they are not there.

use super::*;
use drftpd_protocol::{FileId, RootId};

const RULES: &str = "
hideuploads /open/* !*
hideuploads * *
download * *
upload * *
makedir * *
resume * *
overwriteown * *
delete * *
rename * *
settime * *
";

/// An upload of ann's.
async fn upload(site: &Site, at: &str) -> (FileId, RootId) {
    let root = site.files.root("slave", 1).await;
    let (vfs, at) = (&site.files.vfs, path(at));
    let begun = vfs.begin_upload(&at, UploadMode::Store, owner("ann"), root);
    let file = begun.await.unwrap().file;
    vfs.upload_grew(file, 1_000);
    (file, root)
}

async fn site() -> Site {
    let site = Site::start(|_| {}).await;
    site.permits(RULES);
    dirs(&site, "carl", &["/in", "/open"]).await;
    file(&site, "/in/eves", "eve").await;
    site
}

/// The same site, while `/in/runs` is sent and after the sending of `/in/broke` broke off.
async fn site_with_uploads() -> (Site, FileId, RootId) {
    let site = site().await;
    site.clock.advance(std::time::Duration::from_secs(60));
    let (file, root) = upload(&site, "/in/broke").await;
    let broken = site.files.vfs.break_upload(file, root, Some(700));
    broken.await.unwrap();
    let (file, root) = upload(&site, "/in/runs").await;
    (site, file, root)
}

/// Whatever is said to a line.
async fn any(user: &mut FtpScript, line: &str) -> String {
    user.send(format!("{line}\r\n")).await;
    user.reply().await
}

/// What somebody hears who looks for them everywhere.
async fn heard(site: &Site, user: &mut FtpScript) -> Vec<String> {
    let mut heard = Vec::new();
    let verbs = [
        "CWD",
        "SIZE",
        "MDTM",
        "MLST",
        "STAT",
        "STAT -l",
        "XCRC",
        "RETR",
        "PRET RETR",
        "DELE",
        "RMD",
        "RNFR",
        "MFMT 20250101000000",
    ];
    for at in ["/in/runs", "/in/broke"] {
        for verb in verbs {
            heard.push(any(user, &format!("{verb} {at}")).await);
        }
    }
    for line in ["MLST /in", "STAT -l /in"] {
        heard.push(any(user, line).await);
    }
    user.ask("SITE XDUPE 3", 200).await;
    heard.push(user.ask("PRET STOR /in/eves", 553).await);
    for line in ["LIST /in", "NLST /in", "MLSD /in", "LIST /in/r*", "MLSD /"] {
        heard.push(fetch(site, user, line).await);
    }
    heard
}

#[test]
fn nobody_else_can_tell_that_something_is_being_sent() {
    sim(async {
        let ((with, ..), without) = (site_with_uploads().await, site().await);
        without.clock.advance(std::time::Duration::from_secs(60));
        for name in ["carl", "dora"] {
            let mut there = user(&with, name).await;
            let mut absent = user(&without, name).await;
            let (there, absent) = (
                heard(&with, &mut there).await,
                heard(&without, &mut absent).await,
            );
            assert!(there.iter().any(|said| said.contains("eves")));
            assert_eq!(there, absent, "{name}");
        }
    });
}

#[test]
fn its_uploader_sees_it_and_a_path_may_be_left_out() {
    sim(async {
        let (site, ..) = site_with_uploads().await;
        let mut ann = user(&site, "ann").await;
        assert_eq!(ann.ask("SIZE /in/runs", 213).await, "213 1000\r\n");
        assert_eq!(ann.ask("SIZE /in/broke", 213).await, "213 700\r\n");
        assert!(fetch(&site, &mut ann, "NLST /in").await.contains("runs"));
        upload(&site, "/open/runs").await;
        let mut carl = user(&site, "carl").await;
        carl.ask("SIZE /open/runs", 213).await;
    });
}

#[test]
fn its_name_is_taken_and_nothing_more_is_told() {
    sim(async {
        let (site, ..) = site_with_uploads().await;
        for name in ["carl", "dora"] {
            let mut user = user(&site, name).await;
            for at in ["/in/runs", "/in/broke"] {
                for verb in ["PRET STOR", "PRET APPE", "STOR", "APPE", "MKD"] {
                    let said = user.ask(&format!("{verb} {at}"), 450).await;
                    assert_eq!(said, "450 File is being uploaded, try again later\r\n");
                }
                user.ask("REST 5000", 350).await;
                user.ask(&format!("STOR {at}"), 450).await;
                user.ask("RNFR /in/eves", 350).await;
                user.ask(&format!("RNTO {at}"), 553).await;
            }
        }
    });
}

#[test]
fn it_is_there_for_all_as_soon_as_it_is_complete() {
    sim(async {
        let (site, file, root) = site_with_uploads().await;
        let mut carl = user(&site, "carl").await;
        let before = carl.ask("MDTM /in", 213).await;
        carl.ask("SIZE /in/runs", 550).await;
        let bytes = PreparedBytes {
            size: 1_000,
            crc32: 1,
            blake3: None,
            received: 1_000,
        };
        site.files
            .vfs
            .commit_upload(file, root, bytes)
            .await
            .unwrap();
        assert_eq!(carl.ask("SIZE /in/runs", 213).await, "213 1000\r\n");
        // Whoever looks at the directory's time finds it, too.
        assert_ne!(carl.ask("MDTM /in", 213).await, before);
    });
}
