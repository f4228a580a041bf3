//! FXP between clusters whose masters and slaves are hosts of their own, also where the slave of one is behind NAT.

use anyhow::{Result, ensure};
use drftpd_integration_tests::network::Network;
use drftpd_integration_tests::sites::{Site, every_way};
use drftpd_integration_tests::{Cluster, ClusterSpec};

use super::nat::{CLIENT, MASTER, behind_nat};

const FXP: &str = "accounts.administrators_fxp=true";
/// Of a cluster whose slave is behind NAT its gateway.
const SLAVE: u8 = 2;
const OTHER_MASTER: u8 = 4;
const OTHER_SLAVE: u8 = 5;

/// A cluster on these hosts.
fn cluster(network: &Network, master: u8, slave: u8) -> Result<Cluster> {
    Cluster::with(ClusterSpec {
        slaves: 1,
        host: Network::address(master).to_string(),
        namespaces: [master, slave].map(|host| network.host(host)).to_vec(),
        master: vec![FXP.to_owned()],
        ..ClusterSpec::default()
    })
}

/// Both directions, every way that two of ours know: in clear and by TLS with CPSV and SSCN, each side passive.
fn between(network: &Network, one: &Cluster, other: &Cluster) -> Result<()> {
    let one = Site::ours("one", one, true);
    let other = Site::ours("other", other, true);
    network.within(CLIENT, || {
        let all = every_way(&one, &other, |name| other.get(name))?;
        ensure!(all.len() == 10, "{all:?}");
        every_way(&other, &one, |name| one.get(name)).map(drop)
    })
}

#[test]
fn clusters_on_hosts_of_their_own_send_to_each_other_every_way() -> Result<()> {
    let Some(network) = Network::of(OTHER_SLAVE)? else {
        return Ok(());
    };
    let one = cluster(&network, MASTER, SLAVE)?;
    let other = cluster(&network, OTHER_MASTER, OTHER_SLAVE)?;
    between(&network, &one, &other)
}

#[test]
fn a_slave_behind_nat_sends_and_receives_every_way() -> Result<()> {
    let Some((network, one)) = behind_nat(OTHER_SLAVE, &[FXP.to_owned()])? else {
        return Ok(());
    };
    let other = cluster(&network, OTHER_MASTER, OTHER_SLAVE)?;
    between(&network, &one, &other)
}
