//! Dupes over a real file list.

use std::sync::Arc;

use actix::Addr;
use drftpd_actors::testkit::{MemNet, sim};
use drftpd_actors::{Blocking, Clock, Dice, Drain, EventBus};
use drftpd_protocol::RootId;

use super::*;
use crate::accounts::{Account, AccountsConfig, People};
use crate::config::MasterConfig;
use crate::config::document::DOCUMENT;
use crate::rights::{self, Rights};
use crate::store::Case;
use crate::vfs::testkit::TestVfs;
use crate::vfs::{Owner, PreparedBytes, UploadMode};

fn path(text: &str) -> VfsPath {
    VfsPath::absolute(text.as_bytes()).unwrap()
}

fn ann() -> Owner {
    Owner {
        user: "ann".to_owned(),
        group: "users".to_owned(),
    }
}

struct World {
    files: TestVfs,
    root: RootId,
    dupes: Addr<Dupes>,
}

impl World {
    /// Everything is compared but below /free; /hidden is seen by nobody.
    async fn start() -> Self {
        let clock = Clock::manual(1_000);
        let files = TestVfs::start(&clock).await;
        let root = files.root("one", 1).await;
        let mut config = MasterConfig::default();
        let lines = "dupecheck /free/* !*\ndupecheck * -ann\nprivpath /hidden/* !*";
        config.rights.rules = Arc::new(rights::read::lines(lines, Case::Sensitive).unwrap());
        let (config, dice) = (Arc::new(config), Dice::seeded(1));
        let given = Given {
            rights: Rights::fixed(Arc::clone(&config)),
            config,
            store: files.store.clone(),
            vfs: files.vfs.clone(),
            people: People::new(&AccountsConfig::default(), &dice).unwrap(),
            bus: EventBus::new(),
            net: Arc::new(MemNet::new()),
            clock,
            dice,
            blocking: Blocking::inline(),
            drain: Drain::new(),
        };
        files.vfs.index_names(true).await.unwrap();
        let config = DupeConfig::default();
        let exempt = config.exempt.iter().map(|text| expression(text).unwrap());
        let dupes = Dupes {
            exempt: exempt.collect(),
            config,
            given,
            lately: Lately::default(),
        };
        let world = Self {
            files,
            root,
            dupes: dupes.start(),
        };
        for dir in [
            "/a",
            "/b",
            "/free",
            "/hidden",
            "/a/Rel-GRP",
            "/hidden/Pre-GRP",
        ] {
            world.dir(dir).await;
        }
        world
    }

    async fn dir(&self, at: &str) {
        self.files.vfs.make_dir(&path(at), ann()).await.unwrap();
    }

    async fn file(&self, at: &str, whole: bool) {
        let (vfs, at) = (&self.files.vfs, path(at));
        let begun = vfs.begin_upload(&at, UploadMode::Store, ann(), self.root);
        let file = begun.await.unwrap().file;
        let bytes = PreparedBytes {
            size: 1,
            crc32: 1,
            received: 1,
            blake3: None,
        };
        match whole {
            true => drop(vfs.commit_upload(file, self.root, bytes).await.unwrap()),
            false => vfs.break_upload(file, self.root, Some(1)).await.unwrap(),
        }
    }

    async fn ask(&self, what: Act, user: &str, at: &str, from: Option<&str>) -> Verdict {
        let moved = from.unwrap_or(at);
        let asked = Asked {
            what,
            who: Arc::new(Account::of_test(user, "users")),
            client: None,
            path: path(at),
            entry: self.files.vfs.stat(&path(moved)).await.ok(),
            from: from.map(path),
        };
        self.dupes.send(asked).await.unwrap()
    }

    async fn is_dupe(&self, what: Act, at: &str) -> bool {
        match self.ask(what, "ann", at, None).await {
            Verdict::Allow => false,
            Verdict::Refuse(_) => true,
            Verdict::Silent(_) => panic!("no answer"),
        }
    }
}

#[test]
fn a_directory_or_file_that_is_elsewhere_is_a_dupe_and_said_where() {
    sim(async {
        let world = World::start().await;
        let refused = world.ask(Act::MakeDir, "ann", "/b/Rel-GRP", None).await;
        assert_eq!(
            refused,
            Verdict::Refuse("Dupe: it is /a/Rel-GRP".to_owned())
        );
        // The file list says better what is at the very place.
        assert!(!world.is_dupe(Act::MakeDir, "/a/Rel-GRP").await);
        assert!(
            !world.is_dupe(Act::MakeDir, "/b/rel-grp").await,
            "case counts"
        );
        world.file("/a/Rel-GRP/x.rar", true).await;
        assert!(world.is_dupe(Act::Upload, "/b/x.rar").await);
        assert!(
            !world.is_dupe(Act::MakeDir, "/b/x.rar").await,
            "no directory"
        );
        // Whom no line names, and where it is exempt.
        let other = world.ask(Act::MakeDir, "bob", "/b/Rel-GRP", None).await;
        assert_eq!(other, Verdict::Allow);
        assert!(!world.is_dupe(Act::MakeDir, "/free/Rel-GRP").await);
    });
}

#[test]
fn names_that_everything_has_what_is_hidden_and_what_broke_off_are_no_dupes() {
    sim(async {
        let world = World::start().await;
        for name in ["/a/Rel-GRP/CD1", "/a/Rel-GRP/Sample"] {
            world.dir(name).await;
        }
        world.file("/a/Rel-GRP/rel.nfo", true).await;
        world.file("/a/Rel-GRP/broken.rar", false).await;
        for (what, at) in [
            (Act::MakeDir, "/b/cd1"),
            (Act::MakeDir, "/b/Sample"),
            (Act::Upload, "/b/rel.nfo"),
            (Act::Upload, "/b/broken.rar"),
            (Act::MakeDir, "/b/Pre-GRP"),
        ] {
            assert!(!world.is_dupe(what, at).await, "{at}");
        }
    });
}

#[test]
fn of_two_who_make_the_same_in_one_moment_one_does() {
    sim(async {
        let world = World::start().await;
        assert!(!world.is_dupe(Act::MakeDir, "/a/New-GRP").await);
        assert!(world.is_dupe(Act::MakeDir, "/b/New-GRP").await);
        assert!(
            !world.is_dupe(Act::MakeDir, "/a/New-GRP").await,
            "once more"
        );
        // It was never made.
        tokio::time::sleep(ON_ITS_WAY).await;
        assert!(!world.is_dupe(Act::MakeDir, "/b/New-GRP").await);
    });
}

#[test]
fn what_keeps_its_name_goes_where_it_likes_and_another_name_is_compared() {
    sim(async {
        let world = World::start().await;
        world.dir("/a/Other-GRP").await;
        let moved = |to| world.ask(Act::Rename, "ann", to, Some("/a/Other-GRP"));
        assert_eq!(moved("/b/Other-GRP").await, Verdict::Allow);
        let renamed = moved("/b/Rel-GRP").await;
        assert!(matches!(renamed, Verdict::Refuse(_)), "{renamed:?}");
        assert_eq!(moved("/b/Fresh-GRP").await, Verdict::Allow);
    });
}

#[test]
fn without_the_index_there_is_no_answer() {
    sim(async {
        let world = World::start().await;
        world.files.vfs.index_names(false).await.unwrap();
        let asked = world.ask(Act::MakeDir, "ann", "/b/x", None).await;
        assert_eq!(asked, Verdict::Silent(NAME));
    });
}

#[test]
fn the_document_says_the_defaults_and_a_bad_expression_is_named() {
    let begin = DOCUMENT.find("#[plugins.dupecheck]").unwrap();
    let lines = DOCUMENT[begin..].lines().skip(1);
    let lines = lines.take_while(|line| !line.is_empty());
    let lines = lines.filter(|line| !line.starts_with("# "));
    let text: Vec<&str> = lines.map(|line| line.trim_start_matches('#')).collect();
    let table = text.join("\n").parse().unwrap();
    assert_eq!(
        section::<DupeConfig>(&table).unwrap(),
        DupeConfig::default()
    );
    let wrong = section::<DupeConfig>(&"exempt = ['a', '(']".parse().unwrap()).unwrap_err();
    assert_eq!(wrong[0].key, "exempt[1]");
}
