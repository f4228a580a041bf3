//! Dupes with SITE XDUPE, and SITE UTIME, as clients see them.

use drftpd_actors::testkit::sim;
use drftpd_protocol::ftp::FtpTime;

use crate::ftp::testkit::{FtpScript, Site, bob, path};
use crate::vfs::{Owner, UploadMode};

/// A site with `/r`, in it two files of Bob's, one that he is uploading, and a directory.
async fn site() -> Site {
    let site = Site::start(|_| {}).await;
    let vfs = &site.files.vfs;
    for dir in ["/r", "/r/Sample"] {
        vfs.make_dir(&path(dir), bob()).await.unwrap();
    }
    site.file("/r/a.r00", b"aa", None).await;
    site.file("/r/a.r01", b"bb", None).await;
    let root = site.files.root("slave", 1).await;
    let at = path("/r/a.r02");
    let runs = vfs.begin_upload(&at, UploadMode::Store, bob(), root);
    let runs = runs.await.unwrap();
    vfs.upload_grew(runs.file, 7);
    site
}

/// Somebody who may not overwrite, in `/r`.
async fn dora(site: &Site) -> FtpScript {
    let mut dora = site.client().await;
    dora.log_in("dora").await;
    dora.ask("CWD /r", 250).await;
    dora
}

#[test]
fn a_dupe_is_refused_by_pret_and_by_stor_and_says_who_uploaded_it() {
    sim(async {
        let site = site().await;
        let mut dora = dora(&site).await;
        for name in ["a.r00", "a.r02"] {
            let told = dora.ask(&format!("PRET STOR {name}"), 553).await;
            assert_eq!(told, "553 File exists, uploaded by bob\r\n", "{name}");
            dora.ask("PASV", 227).await;
            let told = dora.ask(&format!("STOR {name}"), 553).await;
            assert_eq!(told, "553 File exists, uploaded by bob\r\n", "{name}");
        }
        // Nor is what the user sends in another session.
        let (at, owner) = (
            path("/r/own"),
            Owner {
                user: "dora".to_owned(),
                ..bob()
            },
        );
        let root = site.files.root("slave", 1).await;
        let runs = site
            .files
            .vfs
            .begin_upload(&at, UploadMode::Store, owner, root);
        runs.await.unwrap();
        dora.ask("SITE XDUPE 3", 200).await;
        let told = dora.ask("PRET STOR a.r00", 553).await;
        assert!(told.contains("X-DUPE: own\r\n"), "{told}");
        let told = dora.ask("PRET STOR own", 553).await;
        assert!(told.contains("uploaded by dora"), "{told}");
        // Who may overwrite waits for the one that runs, and hears of no dupe.
        let mut bob = site.user().await;
        bob.ask("PRET STOR /r/a.r02", 450).await;
    });
}

#[test]
fn with_xdupe_the_names_that_need_not_be_tried_come_along() {
    sim(async {
        let site = site().await;
        let mut dora = dora(&site).await;
        let told = dora.ask("SITE XDUPE 3", 200).await;
        assert_eq!(told, "200 Activated extended dupe mode 3\r\n");
        let told = dora.ask("PRET STOR a.r01", 553).await;
        let want = "553- X-DUPE: a.r01\r\n553- X-DUPE: a.r00\r\n553- X-DUPE: a.r02\r\n\
                    553 File exists, uploaded by bob\r\n";
        assert_eq!(told, want);
        dora.ask("SITE XDUPE 1", 200).await;
        let told = dora.ask("PRET STOR /r/a.r00", 553).await;
        assert!(
            told.starts_with("553- X-DUPE: a.r00 a.r01 a.r02\r\n553 "),
            "{told}"
        );
        assert!(dora.ask("SITE XDUPE", 200).await.contains("is 1"));
        dora.ask("SITE XDUPE 0", 200).await;
        let told = dora.ask("PRET STOR a.r00", 553).await;
        assert!(!told.contains("X-DUPE"), "{told}");
        for bad in ["SITE XDUPE 5", "SITE XDUPE x", "SITE XDUPE -1"] {
            dora.ask(bad, 501).await;
        }
    });
}

#[test]
fn whoever_may_see_nothing_hears_of_no_dupe() {
    sim(async {
        let site = site().await;
        let mut guest = site.client().await;
        guest.log_in("guest").await;
        guest.ask("SITE XDUPE 3", 200).await;
        for name in ["a.r00", "a.r02", "none"] {
            let told = guest.ask(&format!("PRET STOR /r/{name}"), 550).await;
            assert!(!told.contains("X-DUPE") && !told.contains("bob"), "{told}");
        }
    });
}

#[test]
fn renaming_onto_a_file_is_a_dupe_for_who_may_not_overwrite() {
    sim(async {
        let site = site().await;
        let mut dora = dora(&site).await;
        dora.ask("RNFR a.r00", 350).await;
        dora.ask("RNTO a.r01", 553).await;
        dora.ask("RNFR a.r00", 350).await;
        dora.ask("RNTO b.r00", 250).await;
    });
}

#[test]
fn site_utime_sets_what_mdtm_shows_in_both_forms() {
    sim(async {
        let site = site().await;
        let mut bob = site.user().await;
        bob.ask("SITE UTIME 20240131010203 /r/a.r00", 200).await;
        assert_eq!(
            bob.ask("MDTM /r/a.r00", 213).await,
            "213 20240131010203\r\n"
        );
        bob.ask("CWD /r", 250).await;
        let long = "SITE UTIME a.r00 20200101000000 20210203040506 20200101000000 UTC";
        bob.ask(long, 200).await;
        assert_eq!(bob.ask("MDTM a.r00", 213).await, "213 20210203040506\r\n");
        bob.ask("SITE UTIME 20240131010203 none", 550).await;
        bob.ask("SITE UTIME", 501).await;
        let help = bob.ask("SITE HELP", 214).await;
        assert!(
            help.contains(" UTIME ") && help.contains(" XDUPE "),
            "{help}"
        );
    });
}

#[test]
fn times_of_creation_are_kept_shown_and_set() {
    sim(async {
        let site = site().await;
        let mut bob = site.user().await;
        bob.ask("OPTS MLST modify;create;", 200).await;
        bob.ask("MFMT 20240131010203 /r/a.r00", 213).await;
        let fresh = bob.ask("MLST /r/a.r00", 250).await;
        let of_its_upload = FtpTime::from_unix(site.clock.unix());
        let facts = format!(" modify=20240131010203;create={of_its_upload};");
        assert!(fresh.contains(&facts), "{fresh}");

        let told = bob.ask("MFCT 20200102030405 /r/a.r00", 213).await;
        assert_eq!(told, "213 Create=20200102030405; /r/a.r00\r\n");
        let facts = " modify=20240131010203;create=20200102030405; /r/a.r00\r\n";
        assert!(bob.ask("MLST /r/a.r00", 250).await.contains(facts));
        let told = bob
            .ask("MFF create=19990101000000;modify=20000101000000; /r", 213)
            .await;
        assert_eq!(
            told,
            "213 Modify=20000101000000;Create=19990101000000; /r\r\n"
        );
        let facts = " modify=20000101000000;create=19990101000000; /r\r\n";
        assert!(bob.ask("MLST /r", 250).await.contains(facts));

        bob.ask("MFCT 20240131010203 /none", 550).await;
        bob.ask("MFCT 2024 /r/a.r00", 501).await;
        bob.ask("MFF Modify=20240131010203;UNIX.mode=0777; /r", 504)
            .await;
        assert!(bob.ask("MLST /r", 250).await.contains(facts));
        let feat = bob.ask("FEAT", 211).await;
        assert!(
            feat.contains("\r\n MFCT\r\n MFF Create;Modify;\r\n"),
            "{feat}"
        );
        assert!(feat.contains("create*;"), "{feat}");
    });
}

#[test]
fn opts_mlst_chooses_facts_and_names_them() {
    sim(async {
        let site = site().await;
        let mut bob = site.user().await;
        let told = bob.ask("OPTS MLST size;type;nonsense;", 200).await;
        assert_eq!(told, "200 MLST OPTS type;size;\r\n");
        let shown = bob.ask("MLST /r/a.r00", 250).await;
        assert!(
            shown.contains("\r\n type=file;size=2; /r/a.r00\r\n"),
            "{shown}"
        );
        let feat = bob.ask("FEAT", 211).await;
        assert!(feat.contains("type*;size*;modify;"), "{feat}");
        assert_eq!(bob.ask("OPTS MLST", 200).await, "200 MLST OPTS \r\n");
    });
}
