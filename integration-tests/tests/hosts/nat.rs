//! A slave behind a gateway that maps its ports: nobody outside reaches its own address, and its own connections come
//! from the gateway. Clients outside are told the gateway, clients beside the slave the slave itself.

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use drftpd_integration_tests::client::folder;
use drftpd_integration_tests::cluster::{PASSWORD, USER, edit};
use drftpd_integration_tests::data::same;
use drftpd_integration_tests::network::{Mapping, Network};
use drftpd_integration_tests::{Bytes, Cluster, ClusterSpec, Ftp, Mode, Tool};
use rustix::process::Signal;

pub const MASTER: u8 = 1;
const GATEWAY: u8 = 2;
pub const CLIENT: u8 = 3;
/// Behind the gateway.
const SLAVE: u8 = 11;
/// Beside the slave; the master knows the way to it.
const OFFICE: u8 = 12;
/// Beside the slave too, hidden by the gateway as it is.
const HOME: u8 = 13;

const PORTS: Mapping = Mapping {
    outside: 60_000,
    inside: 50_000,
    ports: 24,
};
const SIZE: usize = 2_000_000;
const HALF: usize = 765_432;

/// So many hosts outside, the master among them, whose only slave is behind the gateway; nothing where namespaces may
/// not be made.
pub fn behind_nat(hosts: u8, master: &[String]) -> Result<Option<(Network, Cluster)>> {
    let Some(mut network) = Network::of(hosts)? else {
        return Ok(None);
    };
    network.behind(GATEWAY, &[SLAVE, HOME], &[OFFICE])?;
    network.map(GATEWAY, SLAVE, PORTS)?;
    network.route(MASTER, OFFICE, GATEWAY)?;
    let cluster = Cluster::with(ClusterSpec {
        slaves: 1,
        host: Network::address(MASTER).to_string(),
        namespaces: [MASTER, SLAVE].map(|host| network.host(host)).to_vec(),
        master: master.to_vec(),
        slave: vec![
            format!("transfer.passive_ports=\"{}\"", PORTS.inside_range()),
            format!("transfer.announce_ports=\"{}\"", PORTS.outside_range()),
            announced(Network::address(GATEWAY)),
        ],
        ..ClusterSpec::default()
    })?;
    Ok(Some((network, cluster)))
}

fn announced(address: impl std::fmt::Display) -> String {
    format!("transfer.announce_address=\"{address}\"")
}

/// Where the slave listens for an announced transfer, as the client is told.
fn told(ftp: &mut Ftp) -> Result<SocketAddr> {
    ftp.ask("PRET STOR told", 200)?;
    ftp.pasv_address()
}

fn is_mapped(at: SocketAddr) -> bool {
    let ports = PORTS.outside..PORTS.outside + PORTS.ports;
    at.ip() == IpAddr::from(Network::address(GATEWAY)) && ports.contains(&at.port())
}

#[test]
fn a_slave_behind_nat_is_reached_by_mapped_ports_and_dials_out_as_its_gateway() -> Result<()> {
    let Some((network, cluster)) = behind_nat(CLIENT, &[])? else {
        return Ok(());
    };
    network.within(CLIENT, || {
        let own = SocketAddr::from((Network::inside(SLAVE), PORTS.inside));
        ensure!(TcpStream::connect_timeout(&own, Duration::from_secs(2)).is_err());
        let mut ftp = cluster.login()?;
        let at = told(&mut ftp)?;
        ensure!(is_mapped(at), "{at}");
        let whole = Bytes::vec(41, SIZE);
        for mode in Mode::ALL {
            everything(&mut ftp, mode, &whole).with_context(|| format!("{mode:?}"))?;
        }
        ftp.put(Mode::Pret, "x", &whole)?;
        for mode in [Mode::Port, Mode::Eprt] {
            let data = ftp.data(mode, "RETR", "x")?;
            ftp.ask("RETR x", 150)?;
            let mut stream = data.stream()?;
            let from = stream.peer_addr()?.ip();
            ensure!(from == IpAddr::from(Network::address(GATEWAY)), "{from}");
            let mut got = Vec::new();
            stream.read_to_end(&mut got)?;
            ftp.expect(226)?;
            same(&got, &whole, "dialled")?;
        }
        Ok(())
    })
}

/// Up, down, and both again from the middle.
fn everything(ftp: &mut Ftp, mode: Mode, whole: &[u8]) -> Result<()> {
    ftp.put(mode, "x", whole)?;
    same(&ftp.get(mode, "x")?, whole, "whole")?;
    ftp.put(mode, "y", &whole[..HALF])?;
    let data = ftp.data(mode, "STOR", "y")?;
    ftp.ask(&format!("REST {HALF}"), 350)?;
    ftp.ask("STOR y", 150)?;
    let mut stream = data.stream()?;
    stream.write_all(&whole[HALF..])?;
    stream.shutdown(Shutdown::Write)?;
    ftp.expect(226)?;
    let data = ftp.data(mode, "RETR", "y")?;
    ftp.ask(&format!("REST {HALF}"), 350)?;
    ftp.ask("RETR y", 150)?;
    let mut rest = Vec::new();
    data.stream()?.read_to_end(&mut rest)?;
    ftp.expect(226)?;
    same(&rest, &whole[HALF..], "the rest")?;
    same(&ftp.get(mode, "y")?, whole, "resumed")?;
    ftp.ask("DELE x", 250)?;
    ftp.ask("DELE y", 250).map(drop)
}

// --- programs of others, by TLS -----------------------------------------------------------------

/// The folder of a client, with `whole.bin` and `half.bin`.
fn files(dir: &Path) -> Result<Vec<u8>> {
    let whole = Bytes::vec(42, SIZE);
    fs::write(dir.join("whole.bin"), &whole)?;
    fs::write(dir.join("half.bin"), &whole[..HALF])?;
    fs::copy(dir.join("half.bin"), dir.join("cont.bin"))?;
    Ok(whole)
}

#[test]
fn lftp_and_curl_get_to_it_by_tls_and_resume_sessions_and_files() -> Result<()> {
    let strict = ["tls.data=\"required\"", "tls.data_resumption=\"required\""];
    let Some((network, cluster)) = behind_nat(CLIENT, &strict.map(str::to_owned))? else {
        return Ok(());
    };
    let authority = cluster.path().join("master/tls/certificate.pem");
    let authority = authority.to_string_lossy().into_owned();
    network.within(CLIENT, || {
        curl_by_tls(&cluster, &authority)?;
        lftp_by_tls(&cluster, &authority, "")?;
        // Nothing of all that went through the master.
        let running = cluster.ctl(&["stat"])?["running"].clone();
        ensure!(running["relayed_to_clients"] == 0, "{running}");
        ensure!(running["relayed_to_slaves"] == 0, "{running}");
        lftp_by_tls(&cluster, &authority, "set ftp:passive-mode no;")
    })
}

fn curl_by_tls(cluster: &Cluster, authority: &str) -> Result<()> {
    let (_gone, dir) = folder()?;
    let whole = files(&dir)?;
    let curl = |args: &[&str]| {
        let curl = Tool::new("curl", &dir).args(["-sS", "--ssl-reqd", "--cacert", authority]);
        let direct = ["--ftp-pret", "--disable-epsv", "--no-ftp-skip-pasv-ip"];
        curl.args(direct).args(args).run()
    };
    let at = |name: &str| format!("{}/{name}", cluster.url());
    curl(&["-T", "half.bin", &at("c.bin")])?;
    curl(&["-C", "-", "-T", "whole.bin", &at("c.bin")])?;
    curl(&["-C", "-", &at("c.bin"), "-o", "cont.bin"])?;
    same(&fs::read(dir.join("cont.bin"))?, &whole, "curl")
}

fn lftp_by_tls(cluster: &Cluster, authority: &str, settings: &str) -> Result<()> {
    let (_gone, dir) = folder()?;
    let whole = files(&dir)?;
    let script = format!(
        "set cmd:fail-exit yes; set net:max-retries 2; set ssl:ca-file {authority}; set ftp:ssl-force yes; \
         set ftp:ssl-protect-data yes; set ftp:ssl-protect-list yes; {settings} \
         open -u {USER},\"{PASSWORD}\" ftp://{}; put half.bin -o l.bin; put -c whole.bin -o l.bin; \
         get -c l.bin -o cont.bin; ls; rm l.bin",
        cluster.ftp
    );
    Tool::new("lftp", &dir).args(["-c", &script]).run()?;
    same(&fs::read(dir.join("cont.bin"))?, &whole, settings)
}

// --- two networks of clients --------------------------------------------------------------------

#[test]
fn clients_beside_the_slave_are_told_its_own_address_and_all_others_the_gateways() -> Result<()> {
    let beside = format!(
        "clients.networks=[{{ clients = [\"{}\"], slaves = [{{ slave = \"slave-1\", address = \"{}\", \
         ports = \"{}\", announce_ports = \"{}\" }}] }}]",
        Network::inside(OFFICE),
        Network::inside(SLAVE),
        PORTS.outside_range(),
        PORTS.inside_range()
    );
    let Some((network, cluster)) = behind_nat(CLIENT, &[beside])? else {
        return Ok(());
    };
    let whole = Bytes::vec(43, SIZE);
    network.within(OFFICE, || {
        let mut ftp = cluster.login()?;
        let at = told(&mut ftp)?;
        let ports = PORTS.inside..PORTS.inside + PORTS.ports;
        let right = at.ip() == IpAddr::from(Network::inside(SLAVE)) && ports.contains(&at.port());
        ensure!(right, "{at}");
        everything(&mut ftp, Mode::Pret, &whole)?;
        everything(&mut ftp, Mode::Pasv, &whole)
    })?;
    network.within(CLIENT, || {
        let mut ftp = cluster.login()?;
        let at = told(&mut ftp)?;
        ensure!(is_mapped(at), "{at}");
        everything(&mut ftp, Mode::Pret, &whole)
    })
}

/// The gateway does not lead it back to where it came from, as most do not.
#[test]
fn a_client_behind_the_slaves_own_gateway_is_served_by_the_master_from_its_second_try_on()
-> Result<()> {
    let soon = "data.connect_timeout=\"2s\"".to_owned();
    let Some((network, cluster)) = behind_nat(CLIENT, &[soon])? else {
        return Ok(());
    };
    let whole = Bytes::vec(44, SIZE);
    network.within(HOME, || {
        let mut ftp = cluster.login()?;
        let at = told(&mut ftp)?;
        ensure!(is_mapped(at), "{at}");
        ensure!(TcpStream::connect_timeout(&at, Duration::from_secs(1)).is_err());
        ftp.ask("STOR told", 150)?;
        ftp.expect(425)?;
        everything(&mut ftp, Mode::Pret, &whole)?;
        everything(&mut ftp, Mode::Pasv, &whole)
    })?;
    let running = cluster.ctl(&["stat"])?["running"].clone();
    ensure!(running["relayed_to_clients"] != 0, "{running}");
    Ok(())
}

#[test]
fn lftp_behind_the_slaves_own_gateway_is_served_where_its_network_is_named() -> Result<()> {
    let gateway = Network::address(GATEWAY);
    let named = format!("clients.networks=[{{ clients = [\"{gateway}\"], passive = \"relay\" }}]");
    let Some((network, cluster)) = behind_nat(CLIENT, &[named])? else {
        return Ok(());
    };
    let authority = cluster.path().join("master/tls/certificate.pem");
    network.within(HOME, || {
        lftp_by_tls(&cluster, &authority.to_string_lossy(), "")
    })
}

// --- doctor -------------------------------------------------------------------------------------

/// What the doctor says of the slave: how bad it is, and what it is.
fn diagnosis(cluster: &Cluster) -> Result<(String, String, String)> {
    let told = cluster.ctl(&["doctor"])?;
    let found = told["findings"].as_array().context("findings")?;
    let of_slaves = found.iter().find(|it| it["area"] == "slaves");
    let of_slaves = of_slaves.with_context(|| format!("nothing of slaves: {told:#}"))?;
    let word = |key: &str| of_slaves[key].as_str().unwrap_or_default().to_owned();
    Ok((word("severity"), word("what"), word("remedy")))
}

#[test]
fn the_doctor_knows_a_right_mapping_from_wrong_ones() -> Result<()> {
    let Some((_network, cluster)) = behind_nat(CLIENT, &[])? else {
        return Ok(());
    };
    let gateway = Network::address(GATEWAY);
    let (severity, what, _) = diagnosis(&cluster)?;
    ensure!(severity == "good", "{what}");
    ensure!(
        what.contains(&format!("slave-1 is reached at {gateway}:600")),
        "{what}"
    );

    let slave = &cluster.slaves[0];
    let own = Network::inside(SLAVE);
    for (wrong, place) in [
        // Nobody has it; the slave's own; ports that are not mapped.
        (announced("10.211.7.99"), "10.211.7.99:600".to_owned()),
        (announced(own), format!("{own}:600")),
        (
            format!("transfer.announce_ports=\"{}\"", PORTS.inside_range()),
            format!("{gateway}:500"),
        ),
    ] {
        let right = fs::read_to_string(&slave.config)?;
        edit(&slave.config, std::slice::from_ref(&wrong))?;
        let process = slave.process.as_ref().context("a slave")?;
        process.signal(Signal::HUP)?;
        let reached = format!("slave-1 is not reached at {place}");
        cluster.wait_until(&reached, |cluster| {
            let (severity, what, remedy) = diagnosis(cluster)?;
            Ok(severity == "wrong" && what.contains(&reached) && remedy.contains("announce_"))
        })?;
        fs::write(&slave.config, right)?;
        process.signal(Signal::HUP)?;
        cluster.wait_until("all is right again", |cluster| {
            Ok(diagnosis(cluster)?.0 == "good")
        })?;
    }
    Ok(())
}
