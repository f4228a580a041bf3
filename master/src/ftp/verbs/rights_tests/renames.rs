//! Renames: both names are judged, what gives way too, and what lies below a directory.

use super::*;

const RULES: &str = "
privpath /rel/secret/* =staff
upload /in/* *
upload /rel/* *
makedir /in/* *
makedir /rel/* *
renameown * *
overwriteown * -carl
deleteown * *
";

async fn site() -> Site {
    let site = Site::start(|_| {}).await;
    site.permits(RULES);
    dirs(&site, "carl", &["/in", "/rel", "/out", "/in/d", "/in/d/x"]).await;
    dirs(&site, "ann", &["/rel/secret"]).await;
    for (at, of) in [
        ("/in/a", "carl"),
        ("/in/b", "carl"),
        ("/in/eves", "eve"),
        ("/in/d/x/f", "eve"),
    ] {
        file(&site, at, of).await;
    }
    site
}

async fn rename(user: &mut FtpScript, from: &str, to: &str, code: u16) -> String {
    user.ask(&format!("RNFR {from}"), 350).await;
    user.ask(&format!("RNTO {to}"), code).await
}

#[test]
fn the_new_place_needs_the_right_to_make_such_a_thing_there() {
    sim(async {
        let site = site().await;
        let mut carl = user(&site, "carl").await;
        rename(&mut carl, "/in/a", "/in/../in/c", 250).await;
        let denied = rename(&mut carl, "/in/c", "/out/c", 550).await;
        assert_eq!(denied, "550 Permission denied\r\n");
        rename(&mut carl, "/in/d", "/out/d", 550).await;
        rename(&mut carl, "/in/d", "/", 550).await;
        let denied = carl.ask("RNFR /in/eves", 550).await;
        assert_eq!(denied, "550 Permission denied\r\n");
        carl.ask("RNFR /", 550).await;
        // Others' files go with the directory that holds them.
        rename(&mut carl, "/in/d", "/in/e", 250).await;
        carl.ask("SIZE /in/e/x/f", 213).await;
    });
}

#[test]
fn a_file_gives_way_only_to_who_may_overwrite_it() {
    sim(async {
        let site = site().await;
        let mut carl = user(&site, "carl").await;
        rename(&mut carl, "/in/a", "/in/eves", 553).await;
        rename(&mut carl, "/in/a", "/in/b", 250).await;
        carl.ask("SIZE /in/a", 550).await;
        file(&site, "/in/of-ann", "ann").await;
        file(&site, "/in/of-ann-too", "ann").await;
        let mut ann = user(&site, "ann").await;
        rename(&mut ann, "/in/of-ann", "/in/of-ann-too", 553).await;
    });
}

#[test]
fn what_was_named_is_judged_again_when_it_is_renamed() {
    sim(async {
        let site = site().await;
        let (mut carl, mut other) = (user(&site, "carl").await, user(&site, "carl").await);
        carl.ask("RNFR /in/a", 350).await;
        other.ask("DELE /in/a", 250).await;
        file(&site, "/in/a", "eve").await;
        let denied = carl.ask("RNTO /in/mine", 550).await;
        assert_eq!(denied, "550 Permission denied\r\n");
        carl.ask("RNFR /in/b", 350).await;
        other.ask("DELE /in/b", 250).await;
        carl.ask("RNTO /in/mine", 550).await;
    });
}

#[test]
fn a_directory_takes_nothing_hidden_along_and_goes_nowhere_else() {
    sim(async {
        let site = site().await;
        let mut carl = user(&site, "carl").await;
        let denied = rename(&mut carl, "/rel", "/in/rel", 550).await;
        assert_eq!(denied, "550 Permission denied\r\n");
        let hidden = rename(&mut carl, "/in/d", "/rel/secret/d", 550).await;
        assert_eq!(hidden, "550 No such file or directory\r\n");
        let name = rename(&mut carl, "/in/d", "/rel/secret", 553).await;
        assert_eq!(name, "553 That name is not allowed here\r\n");
        rename(&mut carl, "/in/d", "/rel/d", 250).await;
    });
}
