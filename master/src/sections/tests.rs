//! Which section a path is of, and what each day makes.

use std::sync::Arc;
use std::time::Duration;

use drftpd_actors::testkit::sim;
use drftpd_actors::{Check, Clock, Drain, Place};
use drftpd_protocol::VfsPath;
use tokio::sync::watch;

use super::keeper::{Keeper, KeeperDeps};
use super::*;
use crate::config::MasterConfig;
use crate::store::Case;
use crate::vfs::testkit::TestVfs;
use crate::vfs::{Kind, Owner};

/// 2026-12-31T23:59:00Z.
const NOW: i64 = 1_798_761_540;

fn config(text: &str) -> MasterConfig {
    drftpd_actors::parse(text, None).unwrap()
}

const TWO: &str = r#"
    [[sections.list]]
    name = "MP3"
    path = "/music/mp3"
    dated = "MMdd"
    today = "/links/today-mp3"
    [[sections.list]]
    name = "ISO"
    path = "/iso"
"#;

fn path(text: &str) -> VfsPath {
    VfsPath::absolute(text.as_bytes()).unwrap()
}

#[test]
fn a_path_is_of_the_innermost_section_around_it() {
    let config = config(
        "[[sections.list]]\nname = \"A\"\npath = \"/a\"\n[[sections.list]]\nname = \"B\"\npath = \"/a/b\"",
    );
    let of = |text: &str, case| {
        let section = config.sections.of(&path(text), case);
        section.map_or("", |section| &section.name).to_owned()
    };
    for (text, section) in [
        ("/a", "A"),
        ("/a/x/y", "A"),
        ("/a/b", "B"),
        ("/a/b/c", "B"),
        ("/a/bc", "A"),
        ("/ab", ""),
        ("/", ""),
    ] {
        assert_eq!(of(text, Case::Sensitive), section, "{text}");
    }
    assert_eq!(of("/A/B/c", Case::Sensitive), "");
    assert_eq!(of("/A/B/c", Case::Insensitive), "B");
    assert!(config.sections.named("b").is_some() && config.sections.named("c").is_none());
}

#[test]
fn what_no_section_can_be_is_refused_by_its_key() {
    let table: &[(&str, &[&str])] = &[
        ("name = \"\"\npath = \"/a\"", &["sections.list[0].name"]),
        (
            "name = \"a b\"\npath = \"/\"",
            &["sections.list[0].name", "sections.list[0].path"],
        ),
        (
            "name = \"a\"\npath = \"/a\"\ntoday = \"/t\"",
            &["sections.list[0].today"],
        ),
        (
            "name = \"a\"\npath = \"/a\"\ndated = \"dd\"\ntoday = \"/a\"",
            &["sections.list[0].today"],
        ),
    ];
    for (text, keys) in table {
        let text = format!("[[sections.list]]\n{text}");
        let read = drftpd_actors::parse::<MasterConfig>(&text, None);
        let mut found: Vec<_> = read
            .unwrap_err()
            .into_iter()
            .map(|error| error.key)
            .collect();
        found.sort();
        assert_eq!(found, *keys, "{text}");
    }
    let wrong = "[[sections.list]]\nname = \"a\"\npath = \"/a\"\ndated = \"hh\"";
    assert!(drftpd_actors::parse::<MasterConfig>(wrong, None).is_err());
    let mut twice = config(TWO);
    let first = twice.sections.list[0].clone();
    twice.sections.list.push(first);
    let mut errors = Vec::new();
    twice.sections.check(&mut errors);
    assert_eq!(errors.len(), 3, "{errors:?}");
}

struct Site {
    tree: TestVfs,
    clock: Clock,
    config: watch::Sender<Arc<MasterConfig>>,
}

impl Site {
    async fn new(text: &str) -> Self {
        let clock = Clock::manual(NOW);
        Self {
            tree: TestVfs::start(&clock).await,
            config: watch::Sender::new(Arc::new(config(text))),
            clock,
        }
    }

    fn deps(&self) -> KeeperDeps {
        KeeperDeps {
            config: self.config.subscribe(),
            vfs: self.tree.vfs.clone(),
            clock: self.clock.clone(),
            drain: Drain::new(),
        }
    }

    /// Where a link leads.
    async fn leads(&self, link: &str) -> String {
        let there = self.tree.vfs.look(&path(link), true).await;
        there.map_or_else(|why| why.to_string(), |there| there.path.to_string())
    }

    async fn is_dir(&self, at: &str) -> bool {
        let there = self.tree.vfs.stat_link(&path(at)).await;
        there.is_ok_and(|entry| entry.kind == Kind::Dir)
    }
}

#[test]
fn each_day_has_its_directory_and_the_link_leads_there_also_after_a_night_without_a_master() {
    sim(async {
        let site = Site::new(TWO).await;
        let mut keeper = Keeper::new(site.deps());
        keeper.look().await;
        assert_eq!(site.leads("/links/today-mp3").await, "/music/mp3/1231");
        assert!(site.is_dir("/music/mp3/1231").await);
        assert!(
            !site.is_dir("/iso").await,
            "plain sections are people's own"
        );
        site.clock.advance(Duration::from_secs(60));
        keeper.look().await;
        assert_eq!(site.leads("/links/today-mp3").await, "/music/mp3/0101");
        assert!(site.is_dir("/music/mp3/1231").await);
        // What an operator takes away stays away until the next day.
        let link = path("/links/today-mp3");
        site.tree.vfs.delete(&link, None).await.unwrap();
        keeper.look().await;
        assert!(site.tree.vfs.stat_link(&link).await.is_err());
        drop(keeper);
        // Three days later another master begins.
        site.clock.advance(Duration::from_secs(3 * 86_400));
        let mut keeper = Keeper::new(site.deps());
        keeper.look().await;
        assert_eq!(site.leads("/links/today-mp3").await, "/music/mp3/0104");
        let entry = site.tree.vfs.stat_link(&link).await.unwrap();
        assert_eq!((entry.kind, entry.owner.as_str()), (Kind::Link, "drftpd"));
    });
}

#[test]
fn what_stands_in_the_way_stays_and_nothing_is_made_beside_it() {
    sim(async {
        let site = Site::new(TWO).await;
        let owner = Owner {
            user: "ann".into(),
            group: "users".into(),
        };
        for dir in ["/links", "/links/today-mp3"] {
            site.tree
                .vfs
                .make_dir(&path(dir), owner.clone())
                .await
                .unwrap();
        }
        let mut keeper = Keeper::new(site.deps());
        keeper.look().await;
        assert!(site.is_dir("/links/today-mp3").await);
        assert!(!site.is_dir("/music").await);
        // It is tried again with the next day.
        site.tree
            .vfs
            .remove_dir(&path("/links/today-mp3"), None)
            .await
            .unwrap();
        site.clock.advance(Duration::from_secs(86_400));
        keeper.look().await;
        assert_eq!(site.leads("/links/today-mp3").await, "/music/mp3/0101");
    });
}

#[test]
fn the_actor_sees_the_day_change_and_a_section_that_is_new() {
    sim(async {
        let site = Site::new("").await;
        let deps = site.deps();
        let drain = deps.drain.clone();
        start(&Place::here(), deps, site.tree.down.recipient());
        let reached = async |link: &str, dir: &str| {
            while site.leads(link).await != dir {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        site.config.send_replace(Arc::new(config(TWO)));
        reached("/links/today-mp3", "/music/mp3/1231").await;
        site.clock.advance(Duration::from_secs(120));
        reached("/links/today-mp3", "/music/mp3/0101").await;
        drain.begin(Duration::ZERO);
    });
}
