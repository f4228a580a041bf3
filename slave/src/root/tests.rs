//! What happens when an actor of the slave panics.

use drftpd_actors::testkit::{MemNet, Probe, sim};
use drftpd_actors::{Budget, ChildDown, ChildSpec, Ended, Place, supervise, tell};
use drftpd_protocol::wire::{Ping, Pong};
use tokio::sync::watch;

use super::Parts;
use crate::link::{Explode, LinkView, MasterLink};
use crate::testkit::{ScriptedMaster, TestSlave};
use crate::transfer::Transfers;

/// A link of its own, with a parent that listens.
async fn link(slave: &TestSlave) -> (actix::Addr<MasterLink>, Probe<ChildDown>) {
    let parts = Parts::open(slave.config.clone(), slave.deps.clone()).await;
    let parts = parts.expect("opens");
    let parent = Probe::start();
    let transfers = Transfers::start(parts.transfer_deps(parent.recipient()));
    let (_, actors) = watch::channel(Default::default());
    let deps = parts.link_deps(transfers, actors);
    let spec = ChildSpec::new("link", 8, Budget::CORE, parent.recipient());
    (
        supervise(&Place::here(), spec, || MasterLink::new(deps)),
        parent,
    )
}

#[test]
fn a_link_that_panics_comes_back_with_a_new_greeting() {
    sim(async {
        let net = MemNet::new();
        let master = ScriptedMaster::new(&net).await;
        let slave = TestSlave::new(&net, &master, 1);
        let (link, parent) = link(&slave).await;
        let (mut first, _) = master.welcome().await;
        assert_eq!(first.call(&Ping {}).await, Ok(Pong {}));
        tell(&link, Explode);
        first.hung_up().await;
        assert!(matches!(&*slave.deps.view.borrow(), LinkView::Down { .. }));
        let (mut second, _) = master.welcome().await;
        assert_eq!(second.call(&Ping {}).await, Ok(Pong {}));
        assert!(parent.is_empty(), "it is not down");
    });
}

#[test]
fn a_link_that_panics_again_and_again_is_given_up() {
    sim(async {
        let net = MemNet::new();
        let master = ScriptedMaster::new(&net).await;
        let slave = TestSlave::new(&net, &master, 1);
        let (link, mut parent) = link(&slave).await;
        for _ in 0..=Budget::CORE.restarts {
            tell(&link, Explode);
        }
        let down = parent.next().await;
        assert_eq!((down.name, down.how), ("link", Ended::GaveUp));
    });
}
