//! Of what is hidden nothing is told: whoever may not see it cannot tell a site where it is from one where it is not.

use super::*;
use crate::vfs::VfsClient;

const RULES: &str = "
privpath /pub/secret* =staff
privpath */.hidden* =staff
privpath /staff/* =staff
download * *
upload * *
makedir * *
resume * *
delete * *
rename * *
settime * *
overwriteown * *
";

/// Everything that is hidden. Made last, so that nothing else has another number for it.
async fn hide(site: &Site) {
    let vfs = &site.files.vfs;
    dirs(site, "ann", &["/staff", "/staff/deep", "/pub/secret.d"]).await;
    for at in [
        "/staff/f",
        "/staff/deep/f",
        "/pub/secret.d/f",
        "/pub/secret",
        "/pub/.hidden",
    ] {
        file(site, at, "carl").await;
    }
    let root = site.files.root("slave", 1).await;
    let at = path("/pub/secret.part");
    let runs = vfs.begin_upload(&at, UploadMode::Store, owner("ann"), root);
    let runs = runs.await.unwrap();
    vfs.upload_grew(runs.file, 1_000);
    link(vfs, "/staff/loop", "/staff/loop").await;
    link(vfs, "/staff/back", "/pub").await;
}

async fn link(vfs: &VfsClient, at: &str, to: &str) {
    vfs.make_link(&path(at), to.as_bytes(), owner("ann"))
        .await
        .unwrap();
}

async fn site(hidden: bool) -> Site {
    let site = Site::start(|_| {}).await;
    site.permits(RULES);
    dirs(&site, "carl", &["/pub", "/pub/open"]).await;
    file(&site, "/pub/open/f", "carl").await;
    file(&site, "/pub/f", "carl").await;
    file(&site, "/pub/eves", "eve").await;
    let vfs = &site.files.vfs;
    for (at, to) in [
        ("/pub/in", "/staff"),
        ("/pub/at", "/staff/f"),
        ("/pub/up", "secret.d"),
    ] {
        link(vfs, at, to).await;
    }
    if hidden {
        hide(&site).await;
    }
    site
}

/// Names that lead to what is hidden, by path and by link, and what would lie deeper.
const NAMES: [&str; 19] = [
    "/staff",
    "/staff/",
    "/staff/f",
    "/staff/deep",
    "/staff/deep/f",
    "/staff/loop",
    "/staff/loop/x",
    "/staff/back/f",
    "/staff/none",
    "/pub/secret",
    "/pub/secret.d",
    "/pub/secret.d/f",
    "/pub/.hidden",
    "/pub/secret.part",
    "/pub/in/f",
    "/pub/in/none",
    "/pub/at",
    "/pub/up",
    "/pub/up/f",
];

/// Says everything that could tell of them, and notes all that is heard.
async fn heard(site: &Site, name: &str) -> Vec<String> {
    let mut user = user(site, name).await;
    let mut heard = Vec::new();
    for line in ["SITE XDUPE 3", "PASV"] {
        user.send(format!("{line}\r\n")).await;
        user.reply().await;
    }
    for at in NAMES {
        for verb in [
            "CWD",
            "SIZE",
            "MDTM",
            "MLST",
            "STAT",
            "STAT -la",
            "XCRC",
            "XMD5",
            "HASH",
            "RETR",
            "PRET RETR",
            "PRET STOR",
            "PRET APPE",
            "STOR",
            "APPE",
            "MKD",
            "RNFR",
            "MFMT 20200102030405",
            "MFCT 20200102030405",
            "MDTM 20200102030405",
            "SITE UTIME 20200102030405",
            "REST 1\r\nSTOR",
            "RNFR /pub/f\r\nRNTO",
            "RMD",
            "DELE",
        ] {
            // Links themselves are no secret, and go away.
            if (verb == "DELE" || verb == "RNFR") && ["/pub/at", "/pub/up"].contains(&at) {
                continue;
            }
            let lines = format!("{verb} {at}\r\n");
            user.send(&lines).await;
            for _ in lines.lines() {
                heard.push(format!("{verb} {at}: {}", user.reply().await));
            }
            user.ask("NOOP", 200).await;
            user.ask("CWD /", 250).await;
        }
    }
    for line in [
        "PRET STOR /pub/eves",
        "STAT /",
        "STAT /pub",
        "STAT /pub/s*",
        "STAT /p*/*",
        "MLST /pub",
        "MLST /",
        "MLST /pub/in",
    ] {
        user.send(format!("{line}\r\n")).await;
        heard.push(format!("{line}: {}", user.reply().await));
    }
    for line in [
        "LIST",
        "LIST /pub",
        "LIST -d /pub",
        "NLST /pub",
        "MLSD /",
        "MLSD /pub",
        "NLST /pub/*",
        "LIST /pub/s*",
    ] {
        heard.push(format!("{line}: {}", fetch(site, &mut user, line).await));
    }
    heard
}

#[test]
fn whoever_may_not_see_it_cannot_tell_whether_it_is_there() {
    sim(async {
        let (with, without) = (site(true).await, site(false).await);
        for name in ["carl", "guest"] {
            let (with, without) = (heard(&with, name).await, heard(&without, name).await);
            assert!(with.iter().any(|said| said.contains("open")));
            for (with, without) in with.iter().zip(&without) {
                assert_eq!(with, without, "{name}");
            }
            assert_eq!(with.len(), without.len());
        }
    });
}

#[test]
fn whoever_may_see_it_does() {
    sim(async {
        let site = site(true).await;
        let mut ann = user(&site, "ann").await;
        let listed = fetch(&site, &mut ann, "LIST /pub").await;
        for name in [
            " secret\r\n",
            " secret.d\r\n",
            " .hidden\r\n",
            " in -> /staff\r\n",
        ] {
            assert!(listed.contains(name), "{listed}");
        }
        // Sums of what they all see.
        assert!(listed.starts_with("total 1\r\n"), "{listed}");
        ann.ask("SIZE /pub/in/f", 213).await;
        ann.ask("CWD /staff/deep", 250).await;
        let told = ann.ask("STAT /staff/loop", 550).await;
        assert_eq!(told, "550 No such file or directory\r\n");
        let mut carl = user(&site, "carl").await;
        let listed = fetch(&site, &mut carl, "LIST /pub").await;
        assert!(listed.starts_with("total 0\r\n"), "{listed}");
        assert!(listed.contains(" in\r\n"), "{listed}");
    });
}

#[test]
fn names_of_dupes_are_those_that_are_seen() {
    sim(async {
        let site = site(true).await;
        file(&site, "/pub/more", "eve").await;
        let mut carl = user(&site, "carl").await;
        carl.ask("SITE XDUPE 3", 200).await;
        let told = carl.ask("PRET STOR /pub/eves", 553).await;
        assert!(told.contains("X-DUPE: more\r\n"), "{told}");
        assert!(
            !told.contains("secret") && !told.contains("hidden"),
            "{told}"
        );
        // His own he may send again.
        assert!(!told.contains("X-DUPE: f\r\n"), "{told}");
    });
}
