//! The scanner with a disk of as many pages as a test likes.

use actix::Addr;
use drftpd_actors::testkit::{Probe, settle, sim};
use drftpd_actors::{Budget, ChildDown, ChildSpec, Place, supervise};
use drftpd_protocol::wire::{StagedEntry, WalkDigests, WalkDone, WalkPage, WalkStaged, kinds};
use drftpd_protocol::{Generation, NodeId};
use tokio::time::{Duration, Instant};

use super::*;

const ROOT: RootId = RootId([1; 16]);

fn file(number: u64) -> FileId {
    FileId {
        node: NodeId(number),
        generation: Generation(1),
    }
}

/// A disk with two staged files, of which one may be running, and that many pages.
fn disk(walk: u64, running: &BTreeSet<FileId>, pages: usize) -> Vec<WalkItem> {
    let entry = |number| StagedEntry {
        file: file(number),
        size: 9,
        prepared: None,
    };
    let mut files = vec![entry(1), entry(2)];
    files.retain(|entry| !running.contains(&entry.file));
    let root = ROOT;
    let page = WalkItem::Page(WalkPage {
        root,
        walk,
        dir: Vec::new(),
        entries: Vec::new(),
        looked: Vec::new(),
    });
    let mut items = vec![WalkItem::Staged(WalkStaged { root, walk, files })];
    items.extend(vec![page; pages]);
    items.push(WalkItem::Done(WalkDone {
        root,
        walk,
        dirs: 7,
        files: 8,
        problems: Vec::new(),
        complete: true,
        running: Vec::new(),
    }));
    items
}

impl Walked for std::vec::IntoIter<WalkItem> {
    fn judged(&mut self, _: u64, _: &[u64]) {}
}

struct Bench {
    scanner: Addr<RootScanner>,
    out: mpsc::Sender<Envelope>,
    told: mpsc::Receiver<Envelope>,
    ends: CancellationToken,
    _parent: Probe<ChildDown>,
}

impl Bench {
    fn new(pages: usize, rate: u32) -> Self {
        Self::of(rate, move |which| {
            let items = disk(which.number, &which.running, pages);
            Box::new(items.into_iter())
        })
    }

    fn of(rate: u32, source: impl Fn(WhichWalk) -> Source + Send + Sync + 'static) -> Self {
        let deps = ScannerDeps {
            root: ROOT,
            open: Arc::new(move |which| Ok(source(which))),
            running: Arc::new(|| async { BTreeSet::from([file(2)]) }.boxed()),
            rate,
            blocking: Blocking::inline(),
            watching: None,
        };
        let parent = Probe::start();
        let spec = ChildSpec::new("scanner", 8, Budget::CORE, parent.recipient());
        let (out, told) = mpsc::channel(1000);
        Bench {
            scanner: supervise(&Place::here(), spec, || RootScanner::new(deps)),
            out,
            told,
            ends: CancellationToken::new(),
            _parent: parent,
        }
    }

    async fn begin(&self, walk: u64, credit: u32) -> Result<WalkStarted, Fault> {
        let (begun, started) = oneshot::channel();
        let begin = BeginWalk {
            walk,
            credit,
            digests: true,
            parts: Vec::new(),
            out: self.out.clone(),
            ends: self.ends.clone(),
            begun,
        };
        tell(&self.scanner, begin);
        started.await.expect("is answered")
    }

    fn credit(&self, walk: u64, pages: u32) {
        let credit = WalkCredit::of_pages(ROOT, walk, pages);
        tell(&self.scanner, MoreCredit(credit));
    }

    /// Kinds of everything that was told meanwhile.
    async fn told(&mut self) -> Vec<u16> {
        tokio::time::sleep(Duration::from_secs(10)).await;
        settle().await;
        std::iter::from_fn(|| self.told.try_recv().ok().map(|frame| frame.kind)).collect()
    }
}

#[test]
fn pages_go_out_on_credit_and_the_end_after_the_last() {
    sim(async {
        let mut bench = Bench::new(5, 0);
        bench.begin(1, 2).await.unwrap();
        let page = kinds::WALK_PAGE;
        assert_eq!(bench.told().await, [kinds::WALK_STAGED, page, page]);
        bench.credit(9, 100);
        assert_eq!(bench.told().await, [0; 0]);
        bench.credit(1, 2);
        assert_eq!(bench.told().await, [page, page]);
        bench.credit(1, u32::MAX);
        assert_eq!(bench.told().await, [page, kinds::WALK_DONE]);
    });
}

/// A disk that tells one digest and goes on when that is judged.
struct Judging {
    told: bool,
    judged: bool,
    rest: std::vec::IntoIter<WalkItem>,
}

impl Iterator for Judging {
    type Item = WalkItem;

    fn next(&mut self) -> Option<WalkItem> {
        if !std::mem::replace(&mut self.told, true) {
            let (root, walk, dirs) = (ROOT, 1, Vec::new());
            return Some(WalkItem::Digests(WalkDigests { root, walk, dirs }));
        }
        match self.judged {
            true => self.rest.next(),
            false => Some(WalkItem::Waiting),
        }
    }
}

impl Walked for Judging {
    fn judged(&mut self, through: u64, list: &[u64]) {
        if through == 7 && list == [5, 7] {
            self.judged = true;
        }
    }
}

#[test]
fn a_walk_waits_until_its_digests_are_judged_and_hears_each_judgement_once() {
    sim(async {
        let mut bench = Bench::of(0, |which| {
            assert!(which.digests);
            let mut rest = disk(1, &BTreeSet::new(), 1);
            rest.remove(0);
            Box::new(Judging {
                told: false,
                judged: false,
                rest: rest.into_iter(),
            })
        });
        bench.begin(1, 1).await.unwrap();
        assert_eq!(bench.told().await, [kinds::WALK_DIGESTS]);
        bench.credit(1, 1);
        assert_eq!(bench.told().await, [0; 0], "nobody has judged");
        let credit = WalkCredit {
            judged: 7,
            list: vec![5, 7],
            ..WalkCredit::of_pages(ROOT, 1, 2)
        };
        tell(&bench.scanner, MoreCredit(credit));
        assert_eq!(bench.told().await, [kinds::WALK_PAGE, kinds::WALK_DONE]);
    });
}

#[test]
fn staged_files_that_are_being_received_are_left_out() {
    sim(async {
        let mut bench = Bench::new(0, 0);
        bench.begin(1, 1).await.unwrap();
        let staged: WalkStaged = bench.told.recv().await.unwrap().open().unwrap();
        let files: Vec<_> = staged.files.iter().map(|entry| entry.file).collect();
        assert_eq!(files, [file(1)]);
    });
}

#[test]
fn a_newer_walk_ends_an_older_one() {
    sim(async {
        let mut bench = Bench::new(3, 0);
        bench.begin(1, 1).await.unwrap();
        assert_eq!(bench.told().await, [kinds::WALK_STAGED, kinds::WALK_PAGE]);
        bench.begin(2, 9).await.unwrap();
        bench.credit(1, 9);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut walks = Vec::new();
        while let Ok(frame) = bench.told.try_recv() {
            if frame.kind == kinds::WALK_PAGE {
                walks.push(frame.open::<WalkPage>().unwrap().walk);
            }
        }
        assert_eq!(walks, [2, 2, 2]);
    });
}

#[test]
fn a_walk_ends_with_its_link_and_lets_go_of_it() {
    sim(async {
        let mut bench = Bench::new(5, 0);
        bench.begin(1, 1).await.unwrap();
        bench.told().await;
        bench.ends.cancel();
        bench.credit(1, 9);
        assert_eq!(bench.told().await, [0; 0]);
        assert_eq!(bench.out.strong_count(), 1, "only the test holds it");
    });
}

#[test]
fn a_walk_is_throttled() {
    sim(async {
        let mut bench = Bench::new(100, 10);
        bench.begin(1, 101).await.unwrap();
        let begun = Instant::now();
        while bench.told.recv().await.unwrap().kind != kinds::WALK_DONE {}
        let took = begun.elapsed().as_secs();
        assert!(
            (9..=10).contains(&took),
            "{took} s for 101 entries at 10 a second"
        );
    });
}
