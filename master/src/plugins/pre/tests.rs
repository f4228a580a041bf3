//! Releasing over a real store and file list.

use drftpd_actors::Clock;
use drftpd_actors::testkit::sim;
use drftpd_protocol::RootId;

use super::*;
use crate::accounts::Account;
use crate::accounts::earned::Earns;
use crate::accounts::ratio::Ratio;
use crate::accounts::table::{AddAccount, Stored};
use crate::vfs::testkit::TestVfs;
use crate::vfs::{Owner, PreparedBytes, UploadMode};

fn path(text: &str) -> VfsPath {
    VfsPath::absolute(text.as_bytes()).unwrap()
}

fn ann() -> Owner {
    Owner {
        user: "ann".to_owned(),
        group: "grp".to_owned(),
    }
}

struct World {
    files: TestVfs,
    clock: Clock,
    root: RootId,
    pre: Arc<Pre>,
}

impl World {
    async fn start() -> Self {
        let clock = Clock::manual(1_000);
        let files = TestVfs::start(&clock).await;
        let root = files.root("one", 1).await;
        let account = Account {
            ratio: Ratio(3000),
            ..Account::of_test("ann", "grp")
        };
        let stored = Stored::new(account, None, 1);
        assert!(files.store.change(AddAccount(stored)).await.unwrap());
        for dir in ["/mp3", "/priv", "/priv/x"] {
            files.vfs.make_dir(&path(dir), ann()).await.unwrap();
        }
        let sections =
            "list = [{ name = 'mp3', path = '/mp3' }, { name = 'gone', path = '/gone' }]";
        let sections: SectionsConfig = toml::from_str(sections).unwrap();
        let config = PreConfig {
            owner: Some("site".to_owned()),
            credits: true,
            ..PreConfig::default()
        };
        let pre = Arc::new(Pre {
            config,
            sections,
            clock: clock.clone(),
            vfs: files.vfs.clone(),
            changes: Changes::default(),
        });
        Self {
            files,
            clock,
            root,
            pre,
        }
    }

    /// Begins a file, and completes it if it shall be whole.
    async fn file(&self, at: &str, size: u64, whole: bool) {
        let (vfs, at) = (&self.files.vfs, path(at));
        let earns = Earns {
            account: "ann".to_owned(),
            ratio: Ratio(0),
            counts: true,
        };
        let with = (self.root, Some(earns));
        let begun = vfs.begin_paid(&at, UploadMode::Store, ann(), with, 0);
        let file = begun.await.unwrap().file;
        let bytes = PreparedBytes {
            size,
            crc32: 1,
            received: size,
            blake3: None,
        };
        if whole {
            vfs.commit_upload(file, self.root, bytes).await.unwrap();
        }
    }

    async fn release(&self) -> Result<Report, VfsError> {
        let (from, to) = (path("/priv/x"), path("/mp3/x"));
        let release = Release {
            pre: Arc::clone(&self.pre),
            section: "mp3".to_owned(),
            from: from.clone(),
            by: "ann".to_owned(),
        };
        let vfs = &self.files.vfs;
        vfs.rename_along(&from, &to, "ann", release).await
    }

    fn credits(&self) -> i64 {
        let query = "SELECT credits FROM account";
        let read = self
            .files
            .store
            .read(|sql| sql.get(query, [], |row| row.get(0)));
        read.unwrap().unwrap()
    }
}

#[test]
fn a_release_has_its_place_its_owner_its_times_and_its_credits_in_one_step() {
    sim(async {
        let world = World::start().await;
        world.file("/priv/x/a", 100, true).await;
        let before = world.credits();
        world.clock.set(5_000);
        let report = world.release().await.unwrap();
        assert_eq!((report.files, report.bytes), (1, 100));
        for (at, group) in [("/mp3/x", "grp"), ("/mp3/x/a", "grp")] {
            let entry = world.files.vfs.stat(&path(at)).await.unwrap();
            let is = (entry.owner.as_str(), entry.group.as_str(), entry.modified);
            assert_eq!(is, ("site", group, 5_000), "{at}");
        }
        assert_eq!(world.credits(), before + 300);
    });
}

#[test]
fn what_is_not_complete_is_not_released() {
    sim(async {
        let world = World::start().await;
        world.file("/priv/x/a", 100, true).await;
        world.file("/priv/x/b", 100, false).await;
        let before = world.credits();
        let refused = world.release().await.err().unwrap();
        assert!(refused.to_string().contains("not complete"), "{refused}");
        assert!(world.files.vfs.stat(&path("/priv/x/a")).await.is_ok());
        assert_eq!(world.credits(), before);
    });
}

#[test]
fn a_section_must_be_known_and_there() {
    sim(async {
        let world = World::start().await;
        let from = path("/priv/x");
        let to = world.pre.place("MP3", &from).await.unwrap();
        assert_eq!(to, path("/mp3/x"));
        let unknown = world.pre.place("xxx", &from).await.unwrap_err();
        assert!(unknown.message.contains("mp3, gone"), "{unknown}");
        assert!(world.pre.place("gone", &from).await.is_err());
    });
}

#[test]
fn the_document_says_the_defaults() {
    let text = crate::config::document::DOCUMENT;
    let section = &text[text.find("#[plugins.pre]").unwrap()..];
    let of = |key: &str| {
        let mut lines = section.lines();
        let line = lines.find(|line| line.starts_with(&format!("#{key} = ")));
        line.unwrap().trim_start_matches('#').to_owned()
    };
    let table = ["credits", "most_files"].map(of).join("\n");
    let config = super::section::<PreConfig>(&table.parse().unwrap());
    assert_eq!(config.unwrap(), PreConfig::default());
}
