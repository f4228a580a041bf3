//! Rules × users × owners × verbs × spellings of one path: one verdict, which a second reader of the rules comes to as
//! well.

use super::*;
use crate::accounts::{Account, Action};
use crate::rights::Refused;
use crate::rights::second::{self, Text};

/// What is there: files, each in a directory that a link leads to.
const PLACES: [(&str, &str); 3] = [("/d", "/to-d"), ("/s", "/to-s"), ("/d/s", "/to-ds")];

/// Sets of rules, each of lines like in a file.
const RULES: [&[(&str, &str, &str)]; 9] = [
    &[("privpath", "*", "*")],
    &[
        ("privpath", "*", "!*"),
        ("upload", "*", "*"),
        ("makedir", "*", "*"),
    ],
    &[
        ("privpath", "/s/*", "=staff"),
        ("download", "*", "*"),
        ("upload", "*", "!=staff *"),
        ("makedir", "/d/*", "*"),
        ("deleteown", "*", "*"),
        ("renameown", "*", "*"),
        ("overwriteown", "/d/*", "-carl"),
    ],
    &[
        ("privpath", "/d/s*", "-ann"),
        ("delete", "/d/*", "=siteop"),
        ("delete", "/s/f", "*"),
        ("rename", "*", "*"),
        ("upload", "/s/*", "*"),
        ("download", "/d/?", "*"),
        ("settime", "*", "=users"),
    ],
    &[
        ("privpath", "*/n", "=staff"),
        ("upload", "*", "*"),
        ("makedir", "*", "*"),
        ("rename", "*", "*"),
        ("resume", "/d/*", "*"),
    ],
    &[
        ("denyname", "*/n", "=users"),
        ("upload", "*", "*"),
        ("makedir", "*", "*"),
        ("renameown", "*", "*"),
        ("resumeown", "/s/*", "*"),
        ("settimeown", "*", "!*"),
    ],
    &[
        ("privpath", "/d", "!-carl *"),
        ("upload", "*", "*"),
        ("delete", "*", "*"),
    ],
    &[
        ("overwrite", "*", "=users"),
        ("upload", "/d/s/", "*"),
        ("download", "/s", "*"),
    ],
    &[],
];

const USERS: [&str; 3] = ["ann", "carl", "bob"];

/// What a reply says.
fn verdict(reply: &str) -> Result<(), Refused> {
    match reply.get(..3) {
        Some("550") if reply.contains("No such file") => {
            assert_eq!(reply, "550 No such file or directory\r\n");
            Err(Refused::Hidden)
        }
        Some("550") => {
            assert_eq!(reply, "550 Permission denied\r\n");
            Err(Refused::Denied)
        }
        Some("553") if reply.contains("File exists") => Err(Refused::Denied),
        Some("553") => {
            assert_eq!(reply, "553 That name is not allowed here\r\n");
            Err(Refused::Name)
        }
        // What is lacking then is a data connection, or a slave.
        Some("213" | "250" | "257" | "200" | "350" | "425" | "450") => Ok(()),
        _ => panic!("{reply}"),
    }
}

/// Names of one entry of a directory: plain, by way of others, with too many slashes, relative, by a link.
fn spellings(dir: &str, link: &str, name: &str) -> Vec<String> {
    vec![
        format!("{dir}/{name}"),
        format!("/x/..{dir}/y/../{name}"),
        format!("//{dir}//.//{name}//"),
        format!("{}/{name}", dir.trim_start_matches('/')),
        format!("{link}/{name}"),
        format!("/to-root{link}/{name}"),
    ]
}

/// Somebody with rules, and what a second reader says of them.
struct Matrix<'a> {
    site: &'a Site,
    user: FtpScript,
    who: Account,
    text: Text,
    told: usize,
}

impl Matrix<'_> {
    fn want(&self, what: Action, at: &str, owner: &str) -> Result<(), Refused> {
        let own = owner == self.who.name;
        second::verdict(&self.text, what, at, own, &self.who)
    }

    async fn said(&mut self, line: &str) -> Result<(), Refused> {
        self.told += 1;
        self.user.send(format!("{line}\r\n")).await;
        verdict(&self.user.reply().await)
    }

    /// Verbs that leave the file as it is.
    async fn file(&mut self, name: &str, at: &str, owner: &str) {
        for (what, line) in [
            (Action::View, "SIZE "),
            (Action::View, "MDTM "),
            (Action::View, "MLST "),
            (Action::View, "STAT "),
            (Action::View, "XCRC "),
            (Action::Download, "RETR "),
            (Action::Download, "PRET RETR "),
            (Action::Resume, "APPE "),
            (Action::Resume, "PRET APPE "),
            (Action::Overwrite, "STOR "),
            (Action::Overwrite, "PRET STOR "),
            (Action::Rename, "RNFR "),
            (Action::SetTime, "MFMT 20200102030405 "),
            (Action::SetTime, "MFCT 20200102030405 "),
        ] {
            let uploads = matches!(what, Action::Resume | Action::Overwrite);
            let mut want = self.want(what, at, owner);
            // Whoever tries to send something to a hidden name hears what a free one says.
            if uploads && want == Err(Refused::Hidden) {
                want = self.want(Action::Upload, at, "");
            }
            let said = self.said(&format!("{line}{name}")).await;
            assert_eq!(
                said, want,
                "{line}{name} of {owner} by {} {:?}",
                self.who.name, self.text
            );
        }
        let said = self.said(&format!("DELE {name}")).await;
        let want = self.want(Action::Delete, at, owner);
        assert_eq!(
            said, want,
            "DELE {name} of {owner} by {} {:?}",
            self.who.name, self.text
        );
        if said.is_ok() {
            file(self.site, at, owner).await;
        }
    }

    /// Verbs that make something that is not there.
    async fn nothing_yet(&mut self, name: &str, at: &str) {
        for line in ["STOR", "PRET STOR", "APPE", "PRET APPE"] {
            let said = self.said(&format!("{line} {name}")).await;
            let want = self.want(Action::Upload, at, "");
            assert_eq!(
                said, want,
                "{line} {name} by {} {:?}",
                self.who.name, self.text
            );
        }
        let said = self.said(&format!("MKD {name}")).await;
        let want = self.want(Action::MakeDir, at, "");
        assert_eq!(
            said, want,
            "MKD {name} by {} {:?}",
            self.who.name, self.text
        );
        if said.is_ok() {
            self.site
                .files
                .vfs
                .remove_dir(&path(at), None)
                .await
                .unwrap();
        }
        let owner = self.who.name.clone();
        if self.want(Action::Rename, "/x", &owner).is_err() {
            return;
        }
        file(self.site, "/x", &owner).await;
        self.user.ask("RNFR /x", 350).await;
        let said = self.said(&format!("RNTO {name}")).await;
        let want = self.want(Action::Upload, at, "");
        assert_eq!(
            said, want,
            "RNTO {name} by {} {:?}",
            self.who.name, self.text
        );
        let left = if said.is_ok() { at } else { "/x" };
        self.site.files.vfs.delete(&path(left), None).await.unwrap();
    }

    async fn directory(&mut self, name: &str, at: &str) {
        for line in ["CWD", "MLST", "STAT"] {
            let said = self.said(&format!("{line} {name}")).await;
            let want = self.want(Action::View, at, "");
            assert_eq!(
                said, want,
                "{line} {name} by {} {:?}",
                self.who.name, self.text
            );
            self.user.send("CWD /\r\n").await;
            self.user.reply().await;
        }
    }
}

#[test]
fn each_verb_and_spelling_has_the_verdict_of_its_target() {
    sim(async {
        let site = Site::start(|_| {}).await;
        dirs(&site, "carl", &["/d", "/s", "/d/s"]).await;
        let vfs = &site.files.vfs;
        for (dir, link) in PLACES.into_iter().chain([("/", "/to-root")]) {
            let link = path(link);
            vfs.make_link(&link, dir.as_bytes(), owner("bob"))
                .await
                .unwrap();
        }
        let mut told = 0;
        for rules in RULES {
            let text: Text = rules
                .iter()
                .map(|(kind, pattern, people)| (*kind, (*pattern).to_owned(), *people))
                .collect();
            site.permits(&second::written(&text));
            for name in USERS {
                told += of_user(&site, name, &text).await;
            }
        }
        assert!(told > 5_000, "{told}");
    });
}

async fn of_user(site: &Site, name: &str, text: &Text) -> usize {
    let group = if name == "ann" { "staff" } else { "users" };
    let mut matrix = Matrix {
        site,
        user: user(site, name).await,
        who: Account {
            admin: name == "bob",
            overwrite: name == "bob",
            fxp: name == "bob",
            ..Account::of_test(name, group)
        },
        text: text.clone(),
        told: 0,
    };
    for (dir, link) in PLACES {
        let at = format!("{dir}/f");
        for owner in [name, "eve"] {
            file(site, &at, owner).await;
            for spelled in spellings(dir, link, "f") {
                matrix.file(&spelled, &at, owner).await;
            }
            site.files.vfs.delete(&path(&at), None).await.unwrap();
        }
        for spelled in spellings(dir, link, "n") {
            matrix.nothing_yet(&spelled, &format!("{dir}/n")).await;
        }
        for spelled in [dir.to_owned(), format!("/{dir}//x/.."), link.to_owned()] {
            matrix.directory(&spelled, dir).await;
        }
    }
    matrix.told
}
