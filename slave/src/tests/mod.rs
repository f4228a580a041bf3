//! The whole slave against a scripted master, on one thread and a clock that jumps.

mod calls;
mod link;
mod shutdown;
mod transfers;

use drftpd_actors::testkit::{MemNet, sim};

use crate::testkit::{ScriptedMaster, TestSlave};

/// Runs a test with a scripted master and a slave that has that many roots.
fn with_slave<F: Future<Output = ()>>(
    roots: usize,
    test: impl FnOnce(ScriptedMaster, TestSlave) -> F,
) {
    sim(async {
        let net = MemNet::new();
        let master = ScriptedMaster::new(&net).await;
        let slave = TestSlave::new(&net, &master, roots);
        test(master, slave).await;
    });
}
