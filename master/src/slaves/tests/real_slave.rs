//! The slave of this project at the door: it joins, is asked, follows its log and is walked. Real TLS
//! on loopback, real folders.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use drftpd_actors::testkit::MemNet;
use drftpd_actors::{Clock, Dice, Drain, Place, TokioNet};
use drftpd_protocol::wire::{Ping, Place as At, Pong, RootOp};
use drftpd_protocol::{FileId, Generation, Name, NodeId};
use drftpd_slave::join::{JoinOrder, join};
use drftpd_slave::{Deps, SlaveConfig, SlaveError};
use tokio::task::JoinHandle;

use crate::slaves::SlavesConfig;
use crate::slaves::testkit::{Rig, Told, slave};

fn real<F: Future>(test: F) {
    drftpd_actors::block_on(test).unwrap();
}

async fn rig() -> Rig {
    let net = Arc::new(TokioNet::new());
    Rig::on(net, MemNet::new(), Clock::system(), SlavesConfig::default()).await
}

/// Joins as `name`, with its configuration and one root in a folder.
async fn joined(rig: &Rig, name: &str, folder: &Path) -> SlaveConfig {
    let order = JoinOrder {
        master: rig.client.address().into(),
        token: rig.client.add(&slave(name), true).await.unwrap(),
        roots: vec![folder.join("disk")],
        config: folder.join("slave.toml"),
    };
    std::fs::create_dir_all(&order.roots[0]).unwrap();
    let net = Arc::new(TokioNet::new());
    let joined = join(&order, net, &Dice::system()).await;
    assert_eq!(joined.unwrap(), slave(name));
    SlaveConfig::read(&order.config).unwrap()
}

fn serve(config: &SlaveConfig) -> (Drain, JoinHandle<Result<(), SlaveError>>) {
    let deps = Deps::real(Arc::new(TokioNet::new()), Place::here(), 4);
    let drain = deps.drain.clone();
    (drain, actix::spawn(drftpd_slave::run(config.clone(), deps)))
}

async fn ends((drain, running): (Drain, JoinHandle<Result<(), SlaveError>>)) {
    drain.begin(Duration::from_secs(10));
    running.await.unwrap().unwrap();
}

#[test]
fn a_slave_joins_serves_comes_back_and_ends() {
    real(async {
        let folder = tempfile::tempdir().unwrap();
        let rig = rig().await;
        let config = joined(&rig, "disk-1", folder.path()).await;
        let name = slave("disk-1");
        for _ in 0..2 {
            let running = serve(&config);
            rig.until(|views| views.get(&name).is_some_and(|view| view.roots.len() == 1))
                .await;
            let pong = rig.client.call(&name, Ping {}, Duration::from_secs(60));
            assert_eq!(pong.await.unwrap(), Pong {});
            ends(running).await;
            rig.until(|views| views.is_empty()).await;
        }
        rig.client.remove(&name).await.unwrap();
        let running = serve(&config);
        tokio::task::yield_now().await;
        ends(running).await;
        assert!(rig.client.views().borrow().is_empty());
    });
}

#[test]
fn a_slave_follows_its_log_and_is_walked() {
    real(async {
        let folder = tempfile::tempdir().unwrap();
        let rig = rig().await;
        let config = joined(&rig, "disk-1", folder.path()).await;
        let disk = folder.path().join("disk");
        for number in 0..40 {
            let dir = disk.join(format!("dir-{number}"));
            std::fs::create_dir(&dir).unwrap();
            std::fs::write(dir.join("file"), b"12345").unwrap();
        }
        let running = serve(&config);
        let name = slave("disk-1");
        rig.until(|views| views.contains_key(&name)).await;
        let root = rig.client.views().borrow()[&name].roots[0].root;
        let file = FileId {
            node: NodeId(77),
            generation: Generation(1),
        };
        let at = At {
            dirs: Vec::new(),
            name: Name::new(&b"dir-0"[..]).unwrap(),
        };
        let seq = rig.files.push(root, RootOp::Delete { file, at });
        let done = || {
            let told = rig.files.told();
            let pages = told.iter().filter(|told| matches!(told, Told::Page(..)));
            told.contains(&Told::Done(root, seq)) && pages.count() == 41
        };
        let all = async {
            while !done() {
                tokio::task::yield_now().await;
            }
        };
        let all = tokio::time::timeout(Duration::from_secs(60), all).await;
        all.unwrap_or_else(|_| panic!("told only {:?}", rig.files.told()));
        rig.until(|views| !views[&name].remerging).await;
        let dir = disk.join("dir-0/file");
        assert!(dir.exists(), "another identity is not deleted");
        ends(running).await;
    });
}
