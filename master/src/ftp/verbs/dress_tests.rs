//! Pages, words and the user line, as clients hear them.

use drftpd_actors::Net;
use drftpd_actors::testkit::sim;
use tokio::io::AsyncReadExt;

use crate::ftp::testkit::{Site, bob, path};
use crate::pages::{PagesConfig, UserLine};

/// A site with `/in`, and texts from a folder.
async fn site(user_line: UserLine, files: &[(&str, &str)]) -> Site {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let file = dir.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    let site = Site::start(|_| {}).await;
    site.files.vfs.make_dir(&path("/in"), bob()).await.unwrap();
    site.shows(PagesConfig {
        folder: Some(dir.path().to_owned()),
        user_line,
        ..PagesConfig::default()
    });
    site
}

#[test]
fn pages_and_words_are_inner_lines_of_the_replies_they_belong_to() {
    sim(async {
        let site = site(
            UserLine::Never,
            &[
                ("welcome.txt", "Hello ${user}\n\n230 not the last line\n"),
                ("goodbye.txt", "Bye ${user}\n"),
                ("messages/in/.message", "You are in ${path}\n"),
                (
                    "theme.txt",
                    "logged_in = ${user} of ${group} is in\ndirectory = now ${path}\n",
                ),
            ],
        )
        .await;
        let mut bob = site.client().await;
        bob.ask("USER bob", 331).await;
        let hello = bob.ask("PASS secret", 230).await;
        assert_eq!(
            hello,
            "230-Hello bob\r\n230-\r\n230-230 not the last line\r\n230 bob of users is in\r\n"
        );
        assert_eq!(
            bob.ask("CWD /in", 250).await,
            "250-You are in /in\r\n250 now /in\r\n"
        );
        assert_eq!(bob.ask("CWD /", 250).await, "250 now /\r\n");
        let bye = bob.ask("QUIT", 221).await;
        assert!(bye.starts_with("221-Bye bob\r\n221 "), "{bye}");
        // Who is not logged in hears nothing of the site.
        let bye = site.client().await.ask("QUIT", 221).await;
        assert!(bye.starts_with("221 "), "{bye}");
    });
}

#[test]
fn the_user_line_is_part_of_226_where_it_is_asked_for() {
    sim(async {
        for (user_line, line) in [
            (UserLine::Transfers, ""),
            (UserLine::Always, "226-[Credits: 0 B] [Ratio: 1:0]\r\n"),
        ] {
            let site = site(user_line, &[]).await;
            let mut bob = site.user().await;
            let told = bob.ask("PASV", 227).await;
            let at = super::testing::address(&told);
            let mut data = site.net.connect(None, at).await.unwrap();
            bob.ask("LIST", 150).await;
            data.read_to_end(&mut Vec::new()).await.unwrap();
            drop(data);
            let end = bob.expect(226).await;
            assert_eq!(end, format!("{line}226 Transfer complete\r\n"));
        }
    });
}
