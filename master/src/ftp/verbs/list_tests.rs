//! Listings as clients see them, against a real file list.

use drftpd_protocol::RootId;
use drftpd_protocol::wire::Base;
use tokio::io::AsyncReadExt;

use crate::ftp::config::Offline;
use crate::ftp::testkit::{FtpScript, Site, bob, path};
use crate::vfs::{PreparedBytes, UploadMode};
use drftpd_actors::testkit::sim;

/// A site with `/pub`, in it an empty `empty`, `a b.bin` of 3000 bytes and `-la`, and `/pub/x.txt` that is being
/// uploaded.
async fn site() -> Site {
    let site = Site::start(|_| {}).await;
    let vfs = &site.files.vfs;
    for dir in ["/pub", "/pub/empty"] {
        vfs.make_dir(&path(dir), bob()).await.unwrap();
    }
    let root = site.files.root("slave", 1).await;
    file(&site, root, "/pub/a b.bin", 3000).await;
    file(&site, root, "/pub/-la", 1).await;
    let at = path("/pub/x.txt");
    let growing = vfs.begin_upload(&at, UploadMode::Store, bob(), root);
    let growing = growing.await.unwrap();
    assert_eq!(growing.base, Base::Empty);
    vfs.upload_grew(growing.file, 77);
    site
}

async fn file(site: &Site, root: RootId, at: &str, size: u64) {
    let vfs = &site.files.vfs;
    let at = path(at);
    let begun = vfs.begin_upload(&at, UploadMode::Store, bob(), root);
    let bytes = PreparedBytes {
        size,
        crc32: 0xA1B2_C3D4,
        blake3: None,
        received: size,
    };
    let file = begun.await.unwrap().file;
    vfs.commit_upload(file, root, bytes).await.unwrap();
}

/// Opens a data connection by PASV, sends the verb, and gives what came over it.
async fn fetch(site: &Site, client: &mut FtpScript, line: &str) -> String {
    let mut data = passive(site, client, "PASV").await;
    client.ask(line, 150).await;
    let mut all = Vec::new();
    data.read_to_end(&mut all).await.unwrap();
    drop(data);
    client.expect(226).await;
    String::from_utf8(all).unwrap()
}

async fn passive(site: &Site, client: &mut FtpScript, verb: &str) -> drftpd_actors::BoxIo {
    use drftpd_actors::Net;
    let at = match verb {
        "PASV" => super::testing::address(&client.ask(verb, 227).await),
        verb => (
            [127, 0, 0, 1],
            super::testing::port(&client.ask(verb, 229).await),
        )
            .into(),
    };
    site.net.connect(None, at).await.unwrap()
}

#[test]
fn what_is_offline_is_shown_as_configured() {
    sim(async {
        let lines = |text: &str, of: &str| {
            let all = text.lines().filter(|line| line.contains(of));
            all.map(str::to_owned).collect::<Vec<_>>()
        };
        for (how, count) in [
            (Offline::Shown, 1),
            (Offline::Dashes, 1),
            (Offline::Marked, 2),
            (Offline::Hidden, 0),
        ] {
            // No slave shows the root that the files are on.
            let site = Site::start(|config| config.offline = how).await;
            site.files.vfs.make_dir(&path("/pub"), bob()).await.unwrap();
            let root = site.files.root("slave", 1).await;
            file(&site, root, "/pub/x.bin", 3000).await;
            let mut client = site.user().await;
            let listed = lines(&fetch(&site, &mut client, "LIST /pub").await, "x.bin");
            assert_eq!(listed.len(), count, "{how:?} {listed:?}");
            let dashes = listed.iter().filter(|line| line.starts_with("---------- "));
            let marks = if how == Offline::Shown { 0 } else { count };
            assert_eq!(dashes.count(), marks, "{listed:?}");
            let told = lines(&fetch(&site, &mut client, "MLSD /pub").await, "x.bin");
            assert_eq!(told.len(), count, "{told:?}");
            if how == Offline::Marked {
                assert!(listed[1].ends_with(" x.bin-OFFLINE"), "{listed:?}");
                assert!(!told[0].contains("perm=r"), "{told:?}");
            }
            let names = fetch(&site, &mut client, "NLST /pub").await;
            assert_eq!(lines(&names, "x.bin").len(), count.min(1));
            let only = fetch(&site, &mut client, "LIST /pub/x.bin").await;
            assert_eq!(lines(&only, "x.bin").len(), count);
            client.ask("SIZE /pub/x.bin", 213).await;
            client.ask("PASV", 227).await;
            client.ask("RETR /pub/x.bin", 450).await;
        }
    });
}

#[test]
fn a_directory_is_listed_in_full_and_never_without_its_total() {
    sim(async {
        let site = site().await;
        let mut bob = site.user().await;
        let all = fetch(&site, &mut bob, "LIST /pub").await;
        let lines: Vec<_> = all.lines().collect();
        assert_eq!(lines.len(), 5, "{all}");
        assert!(lines[0].starts_with("total "));
        assert!(lines[1].ends_with(" -la") && lines[2].ends_with(" a b.bin"));
        assert!(lines[3].starts_with("drwxr-xr-x") && lines[3].ends_with(" empty"));
        assert!(
            lines[4].contains(" 77 ") && lines[4].ends_with(" x.txt"),
            "{all}"
        );
        assert!(lines[1..].iter().all(|line| line.len() >= 38));
        assert_eq!(
            fetch(&site, &mut bob, "LIST /pub/empty").await,
            "total 0\r\n"
        );
    });
}

#[test]
fn a_name_is_taken_literally_before_it_is_options_or_a_pattern() {
    sim(async {
        let site = site().await;
        let mut bob = site.user().await;
        bob.ask("CWD /pub", 250).await;
        let names = |all: String| -> Vec<String> {
            let lines = all.lines().map(str::to_owned);
            lines.filter(|line| !line.starts_with("total")).collect()
        };
        // A file that is called like options.
        assert_eq!(names(fetch(&site, &mut bob, "NLST -la").await), ["-la"]);
        // Options with nothing, and with a name with a blank in it.
        assert_eq!(names(fetch(&site, &mut bob, "LIST -a").await).len(), 4);
        let one = names(fetch(&site, &mut bob, "LIST -a a b.bin").await);
        assert!(one.len() == 1 && one[0].ends_with(" a b.bin"));
        // A pattern in the last name.
        assert_eq!(
            names(fetch(&site, &mut bob, "NLST *.bin").await),
            ["a b.bin"]
        );
        assert_eq!(names(fetch(&site, &mut bob, "NLST *.none").await).len(), 0);
        bob.ask("CWD /", 250).await;
        assert_eq!(
            names(fetch(&site, &mut bob, "NLST pub/*.bin").await),
            ["pub/a b.bin"]
        );
    });
}

#[test]
fn names_come_behind_what_the_client_put_before_them() {
    sim(async {
        let site = site().await;
        let mut bob = site.user().await;
        let at_home = fetch(&site, &mut bob, "NLST").await;
        assert_eq!(at_home, "pub\r\n");
        let inside = fetch(&site, &mut bob, "NLST pub").await;
        assert_eq!(
            inside,
            "pub/-la\r\npub/a b.bin\r\npub/empty\r\npub/x.txt\r\n"
        );
        assert_eq!(
            fetch(&site, &mut bob, "NLST /pub/").await.lines().next(),
            Some("/pub/-la")
        );
        assert_eq!(
            fetch(&site, &mut bob, "NLST pub/x.txt").await,
            "pub/x.txt\r\n"
        );
    });
}

#[test]
fn machine_listings_carry_facts_and_are_for_directories() {
    sim(async {
        let site = site().await;
        let mut bob = site.user().await;
        let all = fetch(&site, &mut bob, "MLSD pub").await;
        let file = all.lines().find(|line| line.ends_with(" a b.bin")).unwrap();
        assert!(
            file.contains("type=file;") && file.contains("size=3000;"),
            "{file}"
        );
        assert!(file.contains("perm=adfrw;"), "{file}");
        let dir = all.lines().find(|line| line.ends_with(" empty")).unwrap();
        assert!(
            dir.contains("type=dir;") && dir.contains("perm=cdeflmp;"),
            "{dir}"
        );
        bob.ask("MLSD pub/x.txt", 501).await;
        bob.ask("MLSD none", 550).await;
        let one = bob.ask("MLST pub/a b.bin", 250).await;
        assert!(
            one.contains("size=3000;") && one.contains(" /pub/a b.bin\r\n"),
            "{one}"
        );
        assert!(bob.ask("MLST", 250).await.contains("type=dir;"));
        bob.ask("OPTS MLST size;", 200).await;
        let short = fetch(&site, &mut bob, "MLSD pub").await;
        assert!(
            short.lines().any(|line| line == "size=3000; a b.bin"),
            "{short}"
        );
    });
}

#[test]
fn what_cannot_be_listed_is_said_before_150_and_takes_the_endpoint_with_it() {
    sim(async {
        let site = site().await;
        let mut bob = site.user().await;
        bob.ask("LIST", 425).await;
        bob.ask("PASV", 227).await;
        bob.ask("LIST none", 550).await;
        bob.ask("LIST", 425).await;
        bob.ask("PASV", 227).await;
        bob.ask("LIST pub/x.txt/y", 550).await;
    });
}

#[test]
fn nobody_on_the_data_connection_is_425_after_the_limit() {
    sim(async {
        let site = site().await;
        let mut bob = site.user().await;
        bob.ask("PASV", 227).await;
        bob.ask("LIST", 150).await;
        bob.expect(425).await;
        bob.ask("NOOP", 200).await;
    });
}

#[test]
fn the_client_may_listen_as_well() {
    use drftpd_actors::Net;
    sim(async {
        let site = site().await;
        let mut bob = site.user().await;
        let listener = site
            .net
            .bind("127.0.0.1:5000".parse().unwrap())
            .await
            .unwrap();
        for line in ["PORT 127,0,0,1,19,136", "EPRT |1|127.0.0.1|5000|"] {
            bob.ask(line, 200).await;
            bob.ask("NLST", 150).await;
            let mut data = listener.accept().await.unwrap().adopt().unwrap();
            let mut all = String::new();
            data.read_to_string(&mut all).await.unwrap();
            drop(data);
            assert_eq!(all, "pub\r\n");
            bob.expect(226).await;
        }
        drop(listener);
        bob.ask("PORT 127,0,0,1,19,136", 200).await;
        bob.ask("LIST", 150).await;
        bob.expect(425).await;
    });
}

#[test]
fn stat_lists_over_the_control_connection_with_live_sizes() {
    sim(async {
        let site = site().await;
        let mut bob = site.user().await;
        bob.ask("CWD pub", 250).await;
        let listed = bob.ask("STAT -l", 213).await;
        assert!(
            listed.starts_with("213-") && listed.contains("total "),
            "{listed}"
        );
        assert!(
            listed.contains(" 77 ") && listed.contains(" x.txt\r\n"),
            "{listed}"
        );
        assert!(listed.ends_with("213 End of status\r\n"), "{listed}");
        assert!(bob.ask("STAT -la empty", 213).await.contains("total 0\r\n"));
        assert!(bob.ask("STAT a b.bin", 213).await.contains(" a b.bin\r\n"));
        bob.ask("STAT none", 550).await;
        let own = bob.ask("STAT", 211).await;
        assert!(own.contains("bob") && own.contains("/pub"), "{own}");
    });
}

#[test]
fn a_directory_of_several_pages_comes_whole_and_in_order() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let vfs = &site.files.vfs;
        for number in 0..1200 {
            let name = format!("/{number:04}");
            vfs.make_dir(&path(&name), bob()).await.unwrap();
        }
        let mut bob = site.user().await;
        let all = fetch(&site, &mut bob, "NLST").await;
        let want: String = (0..1200).map(|number| format!("{number:04}\r\n")).collect();
        assert!(all == want);
        let listed = bob.ask("STAT -l", 213).await;
        assert_eq!(listed.lines().count(), 1200 + 3);
    });
}

#[test]
fn an_abort_of_a_listing_is_426_and_226() {
    sim(async {
        let site = site().await;
        let mut bob = site.user().await;
        bob.ask("PASV", 227).await;
        bob.ask("LIST", 150).await;
        bob.ask("ABOR", 426).await;
        bob.expect(226).await;
        bob.ask("ABOR", 226).await;
    });
}
