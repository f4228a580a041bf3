//! The queue over a real store and file list, with readers of the test.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use drftpd_actors::testkit::{MemNet, Stub, sim};
use drftpd_actors::{Clock, Drain};
use drftpd_protocol::{RootId, VfsPath};
use futures_util::future::LocalBoxFuture;

use super::config::Wanted;
use super::deliver::{OutboxDeps, Reader, Refused, Sink};
use super::queue::{Has, SetReaders, add, places, waiting};
use super::*;
use crate::extend::{Happened, ToActor};
use crate::store::{Batch, Command, StoreError};
use crate::vfs::testkit::TestVfs;
use crate::vfs::{Owner, PreparedBytes, UploadMode};

fn path(text: &str) -> VfsPath {
    VfsPath::absolute(text.as_bytes()).unwrap()
}

fn ann() -> Owner {
    Owner {
        user: "ann".into(),
        group: "staff".into(),
    }
}

struct World {
    files: TestVfs,
    root: RootId,
}

impl World {
    async fn start(readers: &[&str]) -> Self {
        let files = TestVfs::start(&Clock::manual(1_000)).await;
        let root = files.root("one", 1).await;
        let world = Self { files, root };
        world.readers(readers).await;
        world
    }

    async fn readers(&self, names: &[&str]) -> Vec<String> {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        self.files.store.change(SetReaders(names)).await.unwrap()
    }

    async fn upload(&self, at: &str) {
        let (vfs, at) = (&self.files.vfs, path(at));
        let begun = vfs.begin_upload(&at, UploadMode::Store, ann(), self.root);
        let file = begun.await.unwrap().file;
        let bytes = PreparedBytes {
            size: 7,
            crc32: 255,
            received: 7,
            blake3: None,
        };
        vfs.commit_upload(file, self.root, bytes).await.unwrap();
    }

    fn told(&self, reader: &str) -> Vec<String> {
        let found = self.files.store.read(|sql| waiting(sql, reader, 100));
        let events = found.unwrap().unwrap().events;
        events.iter().map(|it| shown(&it.event)).collect()
    }

    fn reader(&self, name: &str, wanted: Wanted) -> Reader {
        Reader {
            name: name.to_owned(),
            wanted,
            deps: OutboxDeps {
                config: Arc::default(),
                store: self.files.store.clone(),
                outbox: Outbox::new(1000),
                net: Arc::new(MemNet::new()),
                clock: Clock::manual(1_000),
                drain: Drain::new(),
            },
        }
    }
}

fn shown(event: &Event) -> String {
    let (path, from) = event.paths();
    let by = match event {
        Event::FileDeleted { by, .. }
        | Event::Renamed { by, .. }
        | Event::DirRemoved { by, .. } => by.clone(),
        _ => None,
    };
    let path = path.map(ToString::to_string).unwrap_or_default();
    let from = from.map(|from| format!("{from} -> ")).unwrap_or_default();
    let by = by.map(|by| format!(" by {by}")).unwrap_or_default();
    format!("{} {from}{path}{by}", event.kind())
}

#[test]
fn every_completed_change_is_told_once_and_in_its_order() {
    sim(async {
        let world = World::start(&["reader"]).await;
        let vfs = &world.files.vfs;
        vfs.make_dir(&path("/d"), ann()).await.unwrap();
        world.upload("/d/a").await;
        world.upload("/d/b").await;
        let b = vfs.stat(&path("/d/b")).await.unwrap();
        vfs.rename(&path("/d/a"), &path("/d/b"), Some(b.id), Some("bob"))
            .await
            .unwrap();
        vfs.rename(&path("/d"), &path("/e"), None, Some("bob"))
            .await
            .unwrap();
        vfs.delete(&path("/e/b"), Some("bob")).await.unwrap();
        vfs.remove_dir(&path("/e"), None).await.unwrap();
        assert_eq!(
            world.told("reader"),
            [
                "dir.made /d",
                "file.uploaded /d/a",
                "file.uploaded /d/b",
                "file.deleted /d/b by bob",
                "renamed /d/a -> /d/b by bob",
                "renamed /d -> /e by bob",
                "file.deleted /e/b by bob",
                "dir.removed /e",
            ]
        );
    });
}

#[test]
fn what_was_not_completed_is_not_told() {
    sim(async {
        let world = World::start(&["reader"]).await;
        let vfs = &world.files.vfs;
        let begun = vfs
            .begin_upload(&path("/a"), UploadMode::Store, ann(), world.root)
            .await;
        let file = begun.unwrap().file;
        vfs.break_upload(file, world.root, Some(3)).await.unwrap();
        vfs.rename(&path("/a"), &path("/b"), None, None)
            .await
            .unwrap();
        vfs.delete(&path("/b"), None).await.unwrap();
        assert!(vfs.remove_dir(&path("/none"), None).await.is_err());
        assert!(vfs.delete(&path("/none"), None).await.is_err());
        assert!(world.told("reader").is_empty());
    });
}

#[test]
fn nothing_is_written_for_nobody_and_new_readers_begin_where_they_come() {
    sim(async {
        let world = World::start(&[]).await;
        world.upload("/a").await;
        world.readers(&["one"]).await;
        world.upload("/b").await;
        world.readers(&["one", "two"]).await;
        world.upload("/c").await;
        assert_eq!(world.told("one"), ["file.uploaded /b", "file.uploaded /c"]);
        assert_eq!(world.told("two"), ["file.uploaded /c"]);
        assert_eq!(world.readers(&["two"]).await, ["one"]);
        let left = world.files.store.read(places).unwrap();
        let left: Vec<_> = left.iter().map(|it| (&it.reader[..], it.waiting)).collect();
        assert_eq!(left, [("two", 1)]);
    });
}

#[test]
fn events_are_kept_until_the_slowest_has_them() {
    sim(async {
        let world = World::start(&["fast", "slow"]).await;
        for name in ["/a", "/b", "/c"] {
            world.upload(name).await;
        }
        let has = async |reader: &str, upto| {
            let reader = reader.to_owned();
            world
                .files
                .store
                .change(Has { reader, upto })
                .await
                .unwrap();
        };
        let rows = || {
            let count = |sql: &crate::store::Sql<'_>| {
                sql.get("SELECT count(*) FROM outbox", [], |row| {
                    row.get::<_, i64>(0)
                })
            };
            world.files.store.read(count).unwrap().unwrap()
        };
        has("fast", 3).await;
        assert_eq!(rows(), 3);
        has("slow", 2).await;
        assert_eq!((rows(), world.told("slow").len()), (1, 1));
        has("slow", 3).await;
        assert_eq!(rows(), 0);
        // Numbers go on although no row is left, and nobody falls back.
        has("fast", 1).await;
        world.upload("/d").await;
        assert_eq!(world.told("fast"), ["file.uploaded /d"]);
        assert_eq!(world.told("slow"), ["file.uploaded /d"]);
    });
}

/// Writes many events in one batch.
struct Many(u64, u64);

impl Command for Many {
    type Answer = ();
    type Error = StoreError;

    fn apply(self, batch: &Batch<'_>) -> Result<(), StoreError> {
        let found = Event::FileFound {
            path: At(path("/a")),
            size: 1,
        };
        (0..self.0).try_for_each(|_| add(batch, 0, self.1, &found))
    }
}

#[test]
fn of_too_many_the_oldest_are_dropped_and_the_reader_hears_how_many() {
    sim(async {
        let world = World::start(&["reader"]).await;
        world.files.store.change(Many(2_000, 1_000)).await.unwrap();
        let found = world.files.store.read(|sql| waiting(sql, "reader", 10));
        let found = found.unwrap().unwrap();
        // 1792 is the last number of 2,000 at which it is looked.
        assert_eq!((found.dropped, found.events[0].seq), (792, 793));
        assert_eq!((found.last, found.events.len()), (802, 10));
    });
}

/// Notes what it is given; fails where it is told to.
#[derive(Clone, Default)]
struct Notes {
    given: Vec<Vec<String>>,
    fails: Arc<AtomicBool>,
}

impl Sink for Notes {
    fn give<'s>(&'s mut self, events: &'s [Numbered]) -> LocalBoxFuture<'s, Result<(), Refused>> {
        let shown = events.iter().map(|it| shown(&it.event)).collect();
        self.given.push(shown);
        let failed = self.fails.load(Ordering::Relaxed);
        Box::pin(std::future::ready(match failed {
            true => Err(Refused::because("on purpose")),
            false => Ok(()),
        }))
    }

    fn at_once(&self) -> usize {
        2
    }
}

#[test]
fn a_reader_gets_what_it_wants_and_after_a_failure_the_same_again() {
    sim(async {
        let world = World::start(&["reader"]).await;
        let vfs = &world.files.vfs;
        for dir in ["/in", "/out"] {
            vfs.make_dir(&path(dir), ann()).await.unwrap();
        }
        for name in ["/in/a", "/out/b", "/in/c", "/in/d"] {
            world.upload(name).await;
        }
        vfs.rename(&path("/in/d"), &path("/out/d"), None, None)
            .await
            .unwrap();
        let wanted = Wanted {
            kinds: vec!["file.uploaded".into(), "renamed".into()],
            paths: vec!["/in".into()],
        };
        let (reader, mut notes) = (world.reader("reader", wanted), Notes::default());
        notes.fails.store(true, Ordering::Relaxed);
        let first = reader.step(&mut notes).await.unwrap_err();
        let second = reader.step(&mut notes).await.unwrap_err();
        assert_eq!((first.as_secs(), second.as_secs()), (1, 2));
        let state = reader.deps.outbox.readers()["reader"].clone();
        assert_eq!(
            (state.failures, state.why.as_deref()),
            (2, Some("on purpose"))
        );
        notes.fails.store(false, Ordering::Relaxed);
        assert_eq!(reader.step(&mut notes).await, Ok(true));
        assert_eq!(reader.step(&mut notes).await, Ok(false));
        let one = vec![
            "file.uploaded /in/a".to_owned(),
            "file.uploaded /in/c".to_owned(),
        ];
        let two = vec![
            "file.uploaded /in/d".to_owned(),
            "renamed /in/d -> /out/d".to_owned(),
        ];
        assert_eq!(notes.given, [one.clone(), one.clone(), one, two]);
        assert_eq!(
            reader.deps.outbox.readers()["reader"],
            ReaderState::default()
        );
    });
}

#[test]
fn what_was_taken_before_a_failure_is_not_given_again() {
    sim(async {
        let world = World::start(&["reader"]).await;
        for name in ["/a", "/b", "/c"] {
            world.upload(name).await;
        }
        /// Takes the first, refuses the second.
        struct Once(Vec<u64>, bool);
        impl Sink for Once {
            fn give<'s>(
                &'s mut self,
                events: &'s [Numbered],
            ) -> LocalBoxFuture<'s, Result<(), Refused>> {
                self.0.extend(events.iter().map(|it| it.seq));
                let first = std::mem::replace(&mut self.1, true);
                Box::pin(std::future::ready(match first {
                    false => Ok(()),
                    true => Err(Refused::because("on purpose")),
                }))
            }
            fn at_once(&self) -> usize {
                1
            }
        }
        let (reader, mut sink) = (
            world.reader("reader", Wanted::default()),
            Once(vec![], false),
        );
        reader.step(&mut sink).await.unwrap_err();
        reader.step(&mut sink).await.unwrap_err();
        assert_eq!(sink.0, [1, 2, 2]);
    });
}

#[test]
fn a_plugin_is_told_again_what_it_refused_and_nothing_before_that() {
    sim(async {
        let world = World::start(&["plugin.x"]).await;
        for at in ["/a", "/b", "/c"] {
            world.upload(at).await;
        }
        let (seen, ill) = (
            Arc::<Mutex<Vec<u64>>>::default(),
            Arc::new(AtomicBool::new(true)),
        );
        let (told, is_ill) = (Arc::clone(&seen), Arc::clone(&ill));
        let actor = Stub::<Happened>::start(move |Happened(numbered)| {
            if numbered.seq == 2 && is_ill.load(Ordering::Relaxed) {
                return Err("not now".to_owned());
            }
            told.lock().unwrap().push(numbered.seq);
            Ok(())
        });
        let wanted = Wanted::of(&["file.uploaded".to_owned()], &[]);
        let mut sink = ToActor {
            name: "plugin.x".to_owned(),
            wanted: wanted.clone(),
            to: actor.recipient(),
        };
        let reader = world.reader("plugin.x", wanted);
        assert!(reader.step(&mut sink).await.is_err());
        assert_eq!(*seen.lock().unwrap(), [1]);
        ill.store(false, Ordering::Relaxed);
        assert_eq!(reader.step(&mut sink).await, Ok(true));
        assert_eq!(*seen.lock().unwrap(), [1, 1, 2, 3]);
        assert_eq!(reader.step(&mut sink).await, Ok(false));
    });
}
