//! Nuking over a real store and file list.

use drftpd_actors::Clock;
use drftpd_actors::testkit::sim;
use drftpd_protocol::RootId;

use super::*;
use crate::accounts::earned::Earns;
use crate::accounts::table::{AddAccount, Stored};
use crate::accounts::{Account, ratio::Ratio};
use crate::config::document::DOCUMENT;
use crate::vfs::testkit::TestVfs;
use crate::vfs::{Owner, PreparedBytes, UploadMode};

fn path(text: &str) -> VfsPath {
    VfsPath::absolute(text.as_bytes()).unwrap()
}

struct World {
    files: TestVfs,
    root: RootId,
    nukes: Arc<Nukes>,
}

impl World {
    async fn start() -> Self {
        let files = TestVfs::start(&Clock::manual(1_000)).await;
        let root = files.root("one", 1).await;
        let nukes = Arc::new(Nukes {
            config: NukeConfig {
                most_files: 3,
                ..NukeConfig::default()
            },
            shelf: Shelf::new(NAME, files.store.clone()),
            changes: Changes::default(),
            vfs: files.vfs.clone(),
        });
        let world = Self { files, root, nukes };
        for (name, ratio) in [("ann", 3000), ("bob", 500), ("leech", 0)] {
            let mut account = Account::of_test(name, "users");
            account.ratio = Ratio(ratio);
            let mut stored = Stored::new(account, None, 1);
            stored.credits = 1_000;
            assert!(world.files.store.change(AddAccount(stored)).await.unwrap());
        }
        world.dir("/in").await;
        world.dir("/in/x").await;
        world
    }

    async fn dir(&self, at: &str) {
        let (vfs, at) = (&self.files.vfs, path(at));
        vfs.make_dir(&at, owner("ann")).await.unwrap();
    }

    async fn file(&self, at: &str, user: &str, size: u64) {
        let (vfs, at) = (&self.files.vfs, path(at));
        let ratio = match user {
            "ann" => 3_000,
            "bob" => 500,
            _ => 0,
        };
        let earns = Earns {
            account: user.to_owned(),
            ratio: Ratio(ratio),
            counts: true,
        };
        let with = (self.root, Some(earns));
        let begun = vfs.begin_paid(&at, UploadMode::Store, owner(user), with, 0);
        let file = begun.await.unwrap().file;
        let bytes = PreparedBytes {
            size,
            crc32: 1,
            received: size,
            blake3: None,
        };
        vfs.commit_upload(file, self.root, bytes).await.unwrap();
    }

    async fn nuke(&self, from: &str, to: &str, multiplier: u64) -> Result<Record, VfsError> {
        let nuking = Nuking {
            nukes: Arc::clone(&self.nukes),
            from: path(from),
            by: "op".to_owned(),
            why: "bad".to_owned(),
            multiplier,
            penalties: Vec::new(),
        };
        let (from, to) = (path(from), path(to));
        self.files.vfs.rename_along(&from, &to, "op", nuking).await
    }

    async fn undo(&self, from: &str, to: &str, record: Record) -> Result<Record, VfsError> {
        let undoing = Undoing {
            nukes: Arc::clone(&self.nukes),
            record,
            by: "op".to_owned(),
        };
        let (from, to) = (path(from), path(to));
        self.files.vfs.rename_along(&from, &to, "op", undoing).await
    }

    /// Credits of ann, bob and the leech.
    fn credits(&self) -> Vec<i64> {
        let query = "SELECT credits FROM account ORDER BY name";
        let read = self
            .files
            .store
            .read(|sql| sql.all(query, [], |row| row.get(0)));
        read.unwrap()
    }
}

fn owner(user: &str) -> Owner {
    Owner {
        user: user.to_owned(),
        group: "users".to_owned(),
    }
}

#[test]
fn a_nuke_takes_what_was_earned_and_the_bytes_and_its_undoing_gives_all_back() {
    sim(async {
        let world = World::start().await;
        world.file("/in/x/1", "ann", 100).await;
        world.file("/in/x/2", "bob", 10).await;
        world.file("/in/x/3", "leech", 70).await;
        let earned = world.credits();
        let record = world.nuke("/in/x", "/in/[NUKED]-x", 3).await.unwrap();
        let lost = |user: &str| {
            let of = record.penalties.iter().find(|of| of.user == user);
            of.map(|of| of.credits)
        };
        let all = [lost("ann"), lost("bob"), lost("leech")];
        assert_eq!(all, [Some(300 + 200), Some(5 + 20), Some(0)]);
        let then = [earned[0] - 500, earned[1] - 25, earned[2]];
        assert_eq!(world.credits(), then);
        assert_eq!((record.files, record.bytes), (3, 180));
        let again = world.nuke("/in/[NUKED]-x", "/in/y", 1).await.unwrap_err();
        assert!(again.to_string().contains("nuked already"), "{again}");
        let at = world.nukes.at(&path("/in/x")).await.unwrap();
        assert_eq!(at, Some(path("/in/[NUKED]-x")));
        // Wherever it has gone meanwhile.
        let vfs = &world.files.vfs;
        vfs.rename(&path("/in/[NUKED]-x"), &path("/gone"), None, None)
            .await
            .unwrap();
        let at = world.nukes.at(&path("/in/x")).await.unwrap();
        assert_eq!(at, Some(path("/gone")));
        world.undo("/gone", "/in/x", record.clone()).await.unwrap();
        assert_eq!(world.credits(), earned);
        assert!(world.nukes.at(&path("/in/x")).await.unwrap().is_none());
        assert!(vfs.stat(&path("/in/x/1")).await.is_ok());
        let again = world.undo("/in/x", "/in/z", record).await.unwrap_err();
        assert!(again.to_string().contains("not nuked"), "{again}");
    });
}

#[test]
fn what_a_nuke_took_is_not_taken_again_when_the_files_are_deleted() {
    sim(async {
        let world = World::start().await;
        let before = world.credits();
        world.file("/in/x/1", "ann", 100).await;
        world.file("/in/x/2", "ann", 100).await;
        assert_eq!(world.credits()[0], before[0] + 600);
        let record = world.nuke("/in/x", "/in/n", 1).await.unwrap();
        assert_eq!(world.credits(), before);
        let vfs = &world.files.vfs;
        vfs.delete(&path("/in/n/1"), None).await.unwrap();
        assert_eq!(world.credits(), before);
        // Undone, it is as if it had not been: deleted, a file takes its own along.
        world.undo("/in/n", "/in/x", record).await.unwrap();
        vfs.delete(&path("/in/x/2"), None).await.unwrap();
        assert_eq!(world.credits()[0], before[0] + 300);
    });
}

#[test]
fn what_was_nuked_and_is_gone_is_forgotten() {
    sim(async {
        let world = World::start().await;
        world.nuke("/in/x", "/in/[NUKED]-x", 1).await.unwrap();
        assert_eq!(world.nukes.clean().await.unwrap(), 0);
        let (vfs, gone) = (&world.files.vfs, path("/in/[NUKED]-x"));
        vfs.remove_dir(&gone, None).await.unwrap();
        assert_eq!(world.nukes.clean().await.unwrap(), 1);
        let record = world.nukes.shelf.page::<Record>("dir/", "");
        assert!(record.unwrap().is_empty());
        assert_eq!(world.nukes.at(&path("/in/x")).await.unwrap(), None);
    });
}

#[test]
fn nothing_comes_into_a_nuked_directory() {
    sim(async {
        let world = World::start().await;
        world.dir("/in/x/sub").await;
        world.nuke("/in/x", "/in/n", 1).await.unwrap();
        let is_in = async |at: &str| world.nukes.is_in_one(&path(at)).await.unwrap();
        assert!(is_in("/in/n/a").await && is_in("/in/n/sub/a").await);
        assert!(!is_in("/in/a").await && !is_in("/in/n").await);
    });
}

#[test]
fn a_nuke_that_cannot_be_has_changed_nothing() {
    sim(async {
        let world = World::start().await;
        world.file("/in/x/1", "ann", 100).await;
        world.dir("/in/taken").await;
        let before = world.credits();
        let taken = world.nuke("/in/x", "/in/taken", 1).await;
        assert!(matches!(taken, Err(VfsError::Exists(_))));
        let file = world.nuke("/in/x/1", "/in/x/n", 1).await;
        assert!(matches!(file, Err(VfsError::NotADirectory(_))));
        for name in ["2", "3", "4"] {
            world.file(&format!("/in/x/{name}"), "ann", 0).await;
        }
        let large = world.nuke("/in/x", "/in/n", 1).await.unwrap_err();
        assert!(large.to_string().contains("4 files"), "{large}");
        assert_eq!(world.credits(), before);
        assert!(world.nukes.shelf.page::<Record>("", "").unwrap().is_empty());
        assert!(world.files.vfs.stat(&path("/in/x/1")).await.is_ok());
    });
}

#[test]
fn a_directory_in_or_around_a_nuked_one_is_not_nuked_again() {
    sim(async {
        let world = World::start().await;
        world.dir("/in/x/cd1").await;
        world.file("/in/x/cd1/1", "ann", 100).await;
        world.nuke("/in/x/cd1", "/in/x/n", 1).await.unwrap();
        let around = world.nuke("/in/x", "/in/n", 1).await.unwrap_err();
        assert!(around.to_string().contains("/in/x/n is nuked"), "{around}");
        world.dir("/in/x/n/sub").await;
        let inside = world.nuke("/in/x/n/sub", "/in/x/n/m", 1).await.unwrap_err();
        assert!(inside.to_string().contains("/in/x/n is nuked"), "{inside}");
    });
}

#[test]
fn penalties_are_exact_and_stay_in_their_range() {
    assert_eq!(penalty(1_001, 1_501, 1), 1_501);
    assert_eq!(penalty(1_001, 1_501, 3), 3_503);
    assert_eq!(penalty(1_001, 1_501, 0), 0);
    assert_eq!(penalty(u64::MAX, i64::MAX, 20), i64::MAX);
}

#[test]
fn the_document_says_the_defaults() {
    let of = |key: &str| {
        let line = DOCUMENT
            .lines()
            .find(|line| line.starts_with(&format!("#{key} = ")));
        line.unwrap().trim_start_matches('#').to_owned()
    };
    let keys = ["name", "most_files", "most_multiplier"].map(of);
    let table: toml::Table = keys.join("\n").parse().unwrap();
    assert_eq!(
        section::<NukeConfig>(&table).unwrap(),
        NukeConfig::default()
    );
    let wrong = section::<NukeConfig>(&"name = 'nuked'".parse().unwrap()).unwrap_err();
    assert_eq!(wrong[0].key, "name");
}
