//! The index beside a real file list.

use drftpd_actors::testkit::sim;
use drftpd_actors::{Clock, Drain};
use drftpd_protocol::{NodeId, RootId, VfsPath};

use super::index::{Forget, TakeQueue, TakeTree};
use super::*;
use crate::store::StoreError;
use crate::vfs::testkit::TestVfs;
use crate::vfs::{Entry, Kind, Owner, PreparedBytes, UploadMode, VfsError};

const ALL: Part = Part {
    before: None,
    most: 100,
    looked: 1000,
};

struct Site {
    tree: TestVfs,
    root: RootId,
    index: SearchDeps,
}

impl Site {
    async fn new() -> Self {
        let tree = TestVfs::start(&Clock::manual(1_800_000_000)).await;
        let root = tree.root("disk", 7).await;
        let index = SearchDeps {
            config: SearchConfig::default(),
            store: tree.store.clone(),
            names: Names::new(true),
            drain: Drain::new(),
        };
        Self { tree, root, index }
    }

    async fn dir(&self, at: &str) {
        self.tree.vfs.make_dir(&path(at), ann()).await.unwrap();
    }

    async fn put(&self, at: &str) {
        let (vfs, at) = (&self.tree.vfs, path(at));
        let upload = vfs.begin_upload(&at, UploadMode::Store, ann(), self.root);
        let bytes = PreparedBytes {
            size: 1,
            crc32: 1,
            blake3: None,
            received: 1,
        };
        let file = upload.await.unwrap().file;
        vfs.commit_upload(file, self.root, bytes).await.unwrap();
    }

    async fn rename(&self, from: &str, to: &str) {
        let (from, to) = (path(from), path(to));
        let moved = self.tree.vfs.rename(&from, &to, None, None).await;
        moved.unwrap();
    }

    async fn delete(&self, at: &str) {
        self.tree.vfs.delete(&path(at), None).await.unwrap();
    }

    fn ask(&self, question: &Question, part: Part) -> (Vec<String>, Option<NodeId>) {
        let found = self
            .tree
            .store
            .read(|sql| search(sql, question, part, |_, _| true));
        let (found, next) = found.unwrap();
        let paths = found.iter().map(|found| found.path.to_string());
        (paths.collect(), next)
    }

    fn words(&self, text: &str, kind: Option<Kind>) -> Vec<String> {
        self.ask(&Question::words(text, kind).unwrap(), ALL).0
    }

    fn named(&self, name: &str) -> Vec<String> {
        self.ask(&Question::named(name.as_bytes(), None).unwrap(), ALL)
            .0
    }

    fn progress(&self) -> (Progress, u64) {
        self.tree.store.read(progress).unwrap()
    }

    /// What the index itself has, without the queue.
    fn indexed(&self, words: &str) -> i64 {
        let query = "SELECT count(*) FROM search WHERE search MATCH ?1";
        let count = self
            .tree
            .store
            .read(|sql| sql.get(query, [words], |row| row.get(0)));
        count.map_err(|why: StoreError| why).unwrap().unwrap()
    }
}

fn path(text: &str) -> VfsPath {
    VfsPath::absolute(text.as_bytes()).unwrap()
}

fn ann() -> Owner {
    Owner {
        user: "ann".into(),
        group: "users".into(),
    }
}

#[test]
fn entries_are_found_by_words_wherever_they_lie_before_and_after_they_are_indexed() {
    sim(async {
        let site = Site::new().await;
        site.dir("/tv").await;
        site.dir("/tv/Some.Show.S01E02.x264-GRP").await;
        site.put("/tv/Some.Show.S01E02.x264-GRP/some.show.r00")
            .await;
        site.dir("/old").await;
        site.dir("/old/Another.Show-GRP").await;
        for round in ["in the queue", "in the index"] {
            assert_eq!(
                site.words("show grp", Some(Kind::Dir)),
                ["/old/Another.Show-GRP", "/tv/Some.Show.S01E02.x264-GRP"],
                "{round}"
            );
            let of = site.words("SOME s01*", None);
            assert_eq!(of, ["/tv/Some.Show.S01E02.x264-GRP"], "{round}");
            let files = site.words("show", Some(Kind::File));
            let file = "/tv/Some.Show.S01E02.x264-GRP/some.show.r00";
            assert_eq!(files, [file], "{round}");
            assert_eq!(site.named("SOME.show.R00"), [file], "{round}");
            assert_eq!(site.named("some.show"), [""; 0], "{round}");
            assert_eq!(site.words("how", None), [""; 0], "{round}");
            site.index.catch_up().await.unwrap();
            assert_eq!(site.progress(), (Progress::Whole, 0));
        }
    });
}

#[test]
fn what_is_renamed_moved_or_deleted_is_found_as_it_is() {
    sim(async {
        let site = Site::new().await;
        site.dir("/a").await;
        site.put("/a/first.bin").await;
        site.put("/a/second.bin").await;
        site.index.catch_up().await.unwrap();
        site.rename("/a/first.bin", "/a/third.bin").await;
        site.delete("/a/second.bin").await;
        site.rename("/a", "/b").await;
        for round in ["in the queue", "in the index"] {
            assert_eq!(site.words("bin", None), ["/b/third.bin"], "{round}");
            assert_eq!(site.named("first.bin"), [""; 0], "{round}");
            assert_eq!(site.words("third", None), ["/b/third.bin"], "{round}");
            assert_eq!(site.words("a", None), [""; 0], "{round}");
            site.index.catch_up().await.unwrap();
        }
        // Nothing of what was is left in the index itself.
        for (word, there) in [("first", 0), ("second", 0), ("third", 1), ("bin", 1)] {
            assert_eq!(site.indexed(word), there, "{word}");
        }
    });
}

#[test]
fn pages_together_have_every_entry_once_and_what_is_not_seen_is_left_out() {
    sim(async {
        let site = Site::new().await;
        site.dir("/x").await;
        for n in 0..25 {
            if n == 20 {
                site.index.catch_up().await.unwrap();
            }
            site.dir(&format!("/x/name.{n:02}")).await;
        }
        let question = Question::words("name", None).unwrap();
        let (mut all, mut before) = (Vec::new(), None);
        loop {
            let part = Part {
                before,
                most: 4,
                looked: 7,
            };
            let (found, next) = site.ask(&question, part);
            all.extend(found);
            before = next;
            if before.is_none() {
                break;
            }
        }
        let expected: Vec<String> = (0..25).rev().map(|n| format!("/x/name.{n:02}")).collect();
        assert_eq!(all, expected);
        let odd = |path: &VfsPath, _: &Entry| path.to_string().ends_with(['1', '3', '5']);
        let found = site.tree.store.read(|sql| search(sql, &question, ALL, odd));
        assert_eq!(found.unwrap().0.len(), 8);
    });
}

#[test]
fn an_index_that_is_made_from_the_tree_goes_on_where_it_was_and_misses_nothing() {
    sim(async {
        let site = Site::new().await;
        site.dir("/x").await;
        for n in 0..1200 {
            site.dir(&format!("/x/name.{n}")).await;
        }
        // As in a store that was made before there was an index, or whose index was off.
        while site.tree.store.change(Forget).await.unwrap() {}
        assert_eq!(site.progress(), (Progress::Nothing, 0));
        assert_eq!(site.indexed("name"), 0);
        assert!(site.tree.store.change(TakeTree).await.unwrap());
        let (far, _) = site.progress();
        assert!(matches!(far, Progress::Building(_)), "{far:?}");
        // What changes meanwhile, in front and behind.
        site.rename("/x/name.0", "/x/front").await;
        site.rename("/x/name.1199", "/x/behind").await;
        site.dir("/x/name.new").await;
        site.index.catch_up().await.unwrap();
        assert_eq!(site.progress(), (Progress::Whole, 0));
        assert_eq!(site.indexed("name"), 1199);
        assert_eq!(site.words("front", None), ["/x/front"]);
        assert_eq!(site.words("behind", None), ["/x/behind"]);
        // Made anew it has the same, each once.
        site.tree.store.change(Rebuild).await.unwrap();
        assert_eq!(site.progress().0, Progress::Nothing);
        site.index.catch_up().await.unwrap();
        assert_eq!(site.indexed("name"), 1199);
        assert_eq!(site.words("name new", None), ["/x/name.new"]);
    });
}

#[test]
fn a_queue_that_is_longer_than_one_command_is_taken_in_its_order() {
    sim(async {
        let site = Site::new().await;
        site.index.catch_up().await.unwrap();
        site.dir("/x").await;
        for n in 0..700 {
            site.dir(&format!("/x/n{n}")).await;
            site.rename(&format!("/x/n{n}"), &format!("/x/m{n}")).await;
        }
        assert_eq!(site.progress().1, 1401);
        assert!(site.tree.store.change(TakeQueue).await.unwrap());
        assert!(site.progress().1 < 1401);
        site.index.catch_up().await.unwrap();
        assert_eq!(
            (site.words("n1", None).len(), site.words("m1", None).len()),
            (0, 1)
        );
    });
}

#[test]
fn questions_without_words_are_refused_and_none_can_say_more_than_words() {
    for text in ["", "  ", "--", "ab*", "* *"] {
        assert!(Question::words(text, None).is_err(), "{text:?}");
    }
    assert!(Question::named(b"..", None).is_err());
    sim(async {
        let site = Site::new().await;
        site.dir("/or").await;
        site.dir("/near and").await;
        site.index.catch_up().await.unwrap();
        for text in ["or", "OR", "\"or\"", "or\"", "words:or", "^or", "(or"] {
            let question = Question::words(text, None).unwrap();
            let found = site
                .tree
                .store
                .read(|sql| search(sql, &question, ALL, |_, _| true));
            let found: Result<_, VfsError> = found;
            let words = if text == "words:or" { 0 } else { 1 };
            assert_eq!(found.unwrap().0.len(), words, "{text}");
        }
        assert_eq!(site.words("near AND", None), ["/near and"]);
    });
}
