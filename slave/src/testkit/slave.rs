//! A whole slave on one thread: real folders, a network in memory, a clock that jumps.

use std::path::Path;
use std::sync::Arc;

use drftpd_actors::testkit::MemNet;
use drftpd_actors::{Blocking, Clock, Dice, Drain, Place};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::ScriptedMaster;
use crate::config::RootConfig;
use crate::storage::Roots;
use crate::{Deps, SlaveConfig, SlaveError, run};

/// A slave that serves a scripted master.
pub(crate) struct TestSlave {
    pub(crate) deps: Deps,
    pub(crate) config: SlaveConfig,
    folder: TempDir,
}

impl TestSlave {
    /// A slave with that many roots, ready to run.
    pub(crate) fn new(net: &MemNet, master: &ScriptedMaster, roots: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let dice = Dice::seeded(1);
        let mut config = SlaveConfig::default();
        config.slave.name = Some("disk-1".parse().expect("a name"));
        config.master.address = Some(master.at().into());
        config.link.seen = folder.path().join("seen");
        for number in 0..roots {
            let path = folder.path().join(format!("root-{number}"));
            Roots::create(&path, &dice).expect("is marked");
            config.root.push(RootConfig::at(path));
        }
        let deps = Deps {
            net: Arc::new(net.clone()),
            clock: Clock::manual(1_700_000_000),
            dice,
            blocking: Blocking::inline(),
            probes: Blocking::inline(),
            place: Place::here(),
            drain: Drain::new(),
            view: Arc::new(watch::Sender::default()),
            reload: None,
            pretended_space: None,
        };
        TestSlave {
            deps,
            config,
            folder,
        }
    }

    /// Where its roots are.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs it beside the test.
    pub(crate) fn start(&self) -> JoinHandle<Result<(), SlaveError>> {
        actix::spawn(run(self.config.clone(), self.deps.clone()))
    }
}
