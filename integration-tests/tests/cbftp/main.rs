//! cbftp's behaviour without TLS against real processes: jobs, races and FXP, as it does them on the wire.
// Real processes have a real clock.
#![allow(clippy::disallowed_methods)]

mod fxp;
mod jobs;
mod race;

use std::net::SocketAddr;

use anyhow::Result;
use drftpd_integration_tests::cbftp::Cbftp;
use drftpd_integration_tests::cluster::{PASSWORD, USER};
use drftpd_integration_tests::{Cluster, ClusterSpec};

/// A site whose slaves have an address of their own, where what is there may not be sent again.
fn site(host: &str, slaves_at: &str, slaves: usize) -> Result<Cluster> {
    Cluster::with(ClusterSpec {
        slaves,
        host: host.to_owned(),
        master: vec![
            "accounts.administrators_fxp=true".to_owned(),
            "accounts.administrators_overwrite=false".to_owned(),
        ],
        slave: vec![
            format!("transfer.bind=\"{slaves_at}\""),
            format!("transfer.dial_from=\"{slaves_at}\""),
            "transfer.progress_every=\"100ms\"".to_owned(),
        ],
        ..ClusterSpec::default()
    })
}

fn login(at: SocketAddr) -> Result<Cbftp> {
    Cbftp::login(at, USER, PASSWORD)
}
