//! A cluster whose master and slaves are hosts of their own, and a client on another one: who talks to whom is seen.

mod fxp;
mod links;
mod nat;

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};
use drftpd_integration_tests::client::folder;
use drftpd_integration_tests::data::same;
use drftpd_integration_tests::network::Network;
use drftpd_integration_tests::{Bytes, Cluster, ClusterSpec, Tool};

const MASTER: u8 = 1;
const CLIENT: u8 = 4;

/// curl on the client's host; answers what was said on the control connection.
fn curl(network: &Network, dir: &Path, args: &[&str]) -> Result<String> {
    let curl = Tool::new("curl", dir).args(["-sSv", "-m", "60"]);
    let output = network.within(CLIENT, || curl.args(args).output())?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{args:?}: {said}");
    Ok(said)
}

/// As 227 tells it.
fn told(host: u8) -> String {
    format!("({},", Network::address(host).to_string().replace('.', ","))
}

#[test]
fn direct_with_pret_relayed_without_and_active_between_hosts_of_their_own() -> Result<()> {
    let Some(network) = Network::of(CLIENT)? else {
        return Ok(());
    };
    let cluster = Cluster::with(ClusterSpec {
        slaves: 2,
        host: Network::address(MASTER).to_string(),
        namespaces: (MASTER..CLIENT).map(|host| network.host(host)).collect(),
        ..ClusterSpec::default()
    })?;
    let (_gone, dir) = folder()?;
    let whole = Bytes::vec(5, 2_000_000);
    fs::write(dir.join("whole.bin"), &whole)?;
    let client = Network::address(CLIENT).to_string();
    let direct = ["--ftp-pret", "--disable-epsv", "--no-ftp-skip-pasv-ip"];
    for (name, options) in [
        ("direct", &direct[..]),
        ("relayed", &["--disable-epsv"]),
        ("relayed-epsv", &[]),
        ("active", &["--ftp-port", &client]),
    ] {
        let url = format!("{}/{name}", cluster.url());
        let up = curl(
            &network,
            &dir,
            &[options, &["-T", "whole.bin", &url]].concat(),
        )?;
        let down = curl(&network, &dir, &[options, &[&url, "-o", name]].concat())?;
        same(&fs::read(dir.join(name))?, &whole, name)?;
        for said in [up, down] {
            let right = match name {
                "direct" => said.contains(&told(2)) || said.contains(&told(3)),
                "relayed" => said.contains(&told(MASTER)),
                "relayed-epsv" => said.contains("< 229 ") && !said.contains("< 227 "),
                _ => !said.contains("< 227 ") && !said.contains("< 229 "),
            };
            ensure!(right, "{name}: {said}");
        }
    }
    Ok(())
}
