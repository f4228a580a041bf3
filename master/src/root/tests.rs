//! The whole master in one thread over a network in memory, and what its root makes of children that are down.

mod commands;

use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use drftpd_actors::testkit::{MemNet, seed, settle, sim};
use drftpd_actors::{BoxIo, Clock, Dice, Net};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::accounts::{AccountsConfig, ensure_administrator};
use crate::deps::Serving;
use crate::extend::Extensions;
use crate::ftp::{DRAIN_SESSIONS, DRAIN_TRANSFERS};
use crate::store::Store;

const LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 2121);

struct World {
    config: MasterConfig,
    net: MemNet,
    clock: Clock,
    dice: Dice,
    drain: Drain,
    serving: Rc<RefCell<Option<Serving>>>,
}

impl World {
    async fn at(dir: &Path) -> Self {
        let mut config = MasterConfig::default();
        config.master.dir = dir.to_owned();
        config.accounts = AccountsConfig {
            hash_memory_kib: 8,
            hash_rounds: 1,
            ..AccountsConfig::default()
        };
        let (clock, dice) = (Clock::manual(1_800_000_000), Dice::seeded(seed()));
        let store = config.master.store();
        let store = Store::inline(&store, &config.store, config.names.case, &clock, &dice).unwrap();
        let with = (&clock, &dice);
        let made = ensure_administrator(&store, &config.accounts, with, "admin", Some("secret"));
        assert!(made.await.is_ok());
        Self {
            config,
            net: MemNet::new(),
            clock,
            dice,
            drain: Drain::new(),
            serving: Rc::default(),
        }
    }

    fn run(&self) -> tokio::task::JoinHandle<Result<(), MasterError>> {
        let net = Arc::new(self.net.clone());
        let mut deps = Deps::simulated(net, self.clock.clone(), self.dice.clone());
        deps.drain = self.drain.clone();
        let serving = Rc::clone(&self.serving);
        deps.ready = Some(Box::new(move |ready| drop(serving.replace(Some(ready)))));
        tokio::task::spawn_local(run(self.config.clone(), deps))
    }

    async fn client(&self) -> BoxIo {
        let io = self.net.connect(None, LISTEN).await.unwrap();
        hear(io, "220 ").await
    }
}

/// Hears one line that begins so.
async fn hear(mut io: BoxIo, begins: &str) -> BoxIo {
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        line.push(io.read_u8().await.unwrap());
    }
    let line = String::from_utf8(line).unwrap();
    assert!(line.starts_with(begins), "{line}");
    io
}

async fn say(mut io: BoxIo, line: &str, begins: &str) -> BoxIo {
    io.write_all(format!("{line}\r\n").as_bytes())
        .await
        .unwrap();
    hear(io, begins).await
}

#[test]
fn a_whole_master_serves_drains_and_begins_again_in_one_thread() {
    let dir = tempfile::tempdir().unwrap();
    for (round, made) in ["257 ", "550 "].into_iter().enumerate() {
        sim(async {
            let world = World::at(dir.path()).await;
            let master = world.run();
            settle().await;
            assert!(world.serving.take().is_some(), "round {round}");
            let io = world.client().await;
            let io = say(io, "USER admin", "331 ").await;
            let io = say(io, "PASS secret", "230 ").await;
            let io = say(io, "MKD /kept", made).await;
            world.drain.begin(Duration::from_secs(60));
            hear(io, "421 ").await;
            assert!(master.await.unwrap().is_ok());
        });
    }
}

#[test]
fn draining_goes_through_transfers_and_sessions_before_the_slaves_hear_goodbye() {
    sim(async {
        let dir = tempfile::tempdir().unwrap();
        let world = World::at(dir.path()).await;
        let master = world.run();
        settle().await;
        let transfer = world.drain.hold_in(DRAIN_TRANSFERS, "a transfer");
        let session = world.drain.hold_in(DRAIN_SESSIONS, "a session");
        world.drain.begin(Duration::from_secs(60));
        settle().await;
        assert_eq!(world.drain.phase(), Some(DRAIN_TRANSFERS));
        drop(transfer);
        settle().await;
        assert_eq!(world.drain.phase(), Some(DRAIN_SESSIONS));
        assert!(!master.is_finished());
        drop(session);
        assert!(master.await.unwrap().is_ok());
    });
}

#[test]
fn a_second_word_to_end_cuts_what_is_waited_for() {
    sim(async {
        let dir = tempfile::tempdir().unwrap();
        let world = World::at(dir.path()).await;
        let master = world.run();
        settle().await;
        let _transfer = world.drain.hold_in(DRAIN_TRANSFERS, "a transfer");
        world.drain.begin(Duration::from_secs(3600));
        settle().await;
        let begun = tokio::time::Instant::now();
        world.drain.begin(Duration::ZERO);
        assert!(master.await.unwrap().is_ok());
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "{:?}",
            begun.elapsed()
        );
    });
}

#[test]
fn a_port_that_is_taken_is_named() {
    sim(async {
        let dir = tempfile::tempdir().unwrap();
        let world = World::at(dir.path()).await;
        let taken = world.net.bind(LISTEN).await.unwrap();
        let failed = world.run().await.unwrap().unwrap_err();
        assert!(
            matches!(&failed, MasterError::Ftp(why) if why.at == LISTEN),
            "{failed}"
        );
        drop(taken);
        assert!(world.serving.take().is_none());
    });
}

#[test]
fn a_core_actor_that_gave_up_makes_the_master_drain_and_one_that_stops_then_does_not_count() {
    sim(async {
        let drain = Drain::new();
        let mut root = Root::start(&drain, Duration::from_secs(60), &Extensions::default());
        let down = |name, how| ChildDown { name, id: 0, how };
        drftpd_actors::tell(&root.actor, down("vfs", Ended::GaveUp));
        settle().await;
        assert!(drain.is_draining());
        drftpd_actors::tell(&root.actor, down("accounts", Ended::Stopped));
        drftpd_actors::tell(&root.actor, down("ftp_acceptor", Ended::GaveUp));
        settle().await;
        let failure = root.failure();
        assert!(
            matches!(failure, Some(MasterError::GaveUp("vfs"))),
            "{failure:?}"
        );
    });
}

#[test]
fn a_core_actor_that_just_stops_while_the_master_serves_is_a_failure_too() {
    sim(async {
        let drain = Drain::new();
        let mut root = Root::start(&drain, Duration::from_secs(60), &Extensions::default());
        let stopped = ChildDown {
            name: "slave_registry",
            id: 0,
            how: Ended::Stopped,
        };
        drftpd_actors::tell(&root.actor, stopped);
        settle().await;
        assert!(drain.is_draining());
        assert!(matches!(
            root.failure(),
            Some(MasterError::GaveUp("slave_registry"))
        ));
    });
}

#[test]
fn every_port_at_which_the_master_listens_is_one_of_its_own() {
    let mut config = MasterConfig::default();
    let at = |port| SocketAddr::new(LISTEN.ip(), port);
    config.ftp.listen = vec![at(2121), at(2221)];
    config.tls.listen_implicit = vec![at(2990)];
    config.admin.listen = at(8021);
    let own = start::own_ports(&config, at(2122));
    assert_eq!(own, [2121, 2221, 2990, 2122, 8021]);
}

#[test]
fn the_reason_is_the_first_that_gave_up_whoever_stopped_because_of_it() {
    let down = |name, how| ChildDown { name, id: 0, how };
    let heard = [
        down("accounts", Ended::Stopped),
        down("vfs", Ended::Stopped),
        down("ftp_acceptor", Ended::GaveUp),
        down("slave_registry", Ended::GaveUp),
        down("store", Ended::Stopped),
    ];
    let reasons = heard.iter().scan(None, |first, down| {
        let now = reason(*first, *down);
        *first = Some(now);
        Some(now.name)
    });
    let expected = [
        "accounts",
        "accounts",
        "ftp_acceptor",
        "ftp_acceptor",
        "ftp_acceptor",
    ];
    assert_eq!(reasons.collect::<Vec<_>>(), expected);
}
