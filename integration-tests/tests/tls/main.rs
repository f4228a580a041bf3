//! FTP over TLS with the clients that people have: lftp (GnuTLS), curl and Python (OpenSSL), explicit and implicit, with
//! and without resuming the session; what they say without the certificate; what becomes of cut uploads; certificates
//! that change; rules for networks.

mod broken;
mod certificates;
mod curl;
mod filezilla;
mod gnutls;
mod lftp;
mod many;
mod policies;
mod python;
mod resumption;
mod servers;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use drftpd_integration_tests::cluster::{PASSWORD, USER};
use drftpd_integration_tests::data::same;
use drftpd_integration_tests::{Bytes, Cluster, ClusterSpec, Mode};

const SIZE: usize = 3_000_000;
const HALF: usize = 1_234_567;

/// A cluster that listens for implicit TLS too, with these settings.
fn cluster(settings: &[&str]) -> Result<Cluster> {
    let mut master = vec!["tls.listen_implicit=[\"127.0.0.1:0\"]".to_owned()];
    master.extend(settings.iter().map(|setting| (*setting).to_owned()));
    Cluster::with(ClusterSpec {
        master,
        ..ClusterSpec::default()
    })
}

/// The certificate that the master made for itself.
fn certificate(cluster: &Cluster) -> String {
    let file = cluster.path().join("master/tls/certificate.pem");
    file.to_string_lossy().into_owned()
}

/// A folder with `whole.bin` and its beginning, `half.bin`.
fn files(dir: &Path, seed: u64) -> Result<Vec<u8>> {
    let whole = Bytes::vec(seed, SIZE);
    fs::write(dir.join("whole.bin"), &whole)?;
    fs::write(dir.join("half.bin"), &whole[..HALF])?;
    Ok(whole)
}

fn same_file(file: &Path, wanted: &[u8]) -> Result<()> {
    let got = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    same(&got, wanted, &file.display().to_string())
}

/// What the cluster has under a name, read by our own client, in clear.
fn stored(cluster: &Cluster, path: &str, wanted: &[u8]) -> Result<()> {
    let got = cluster.login()?.get(Mode::Pret, path)?;
    same(&got, wanted, path)
}

/// What a slave has on its disk under a name.
fn on_disk(cluster: &Cluster, path: &str, wanted: &[u8]) -> Result<()> {
    cluster.wait_settled()?;
    let roots = cluster.roots();
    let mut places = roots.iter().map(|root| root.join(path));
    let place = places.find(|place| place.exists());
    same_file(
        &place.with_context(|| format!("nobody has {path}"))?,
        wanted,
    )
}

/// What `who` says of the only session.
fn who(cluster: &Cluster) -> Result<serde_json::Value> {
    Ok(cluster.ctl(&["who"])?["sessions"][0].clone())
}

fn with_password(scheme: &str, at: &str) -> String {
    format!("{scheme}://{USER}:{}@{at}", PASSWORD.replace(' ', "%20"))
}
