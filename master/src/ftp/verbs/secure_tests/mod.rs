//! TLS of control connections and listings, seen by clients over a network in memory.

mod control;
mod listings;

use std::sync::Arc;

use drftpd_actors::{BoxIo, Net};
use rustls::ClientConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::testing::address;
use crate::ftp::testkit::{FtpScript, Site, dial_tls};
use crate::tls::TlsConfig;
use crate::tls::testkit::TestTls;

async fn site(config: TlsConfig) -> (Site, TestTls) {
    let tls = TestTls::new(config);
    (Site::with_tls(&tls).await, tls)
}

/// A data connection of a client that said PASV.
async fn passive(site: &Site, client: &mut FtpScript) -> BoxIo {
    let at = address(&client.ask("PASV", 227).await);
    site.net.connect(None, at).await.unwrap()
}

/// NLST under PROT P; tells whether the data connection resumed a session, and what came.
async fn names(site: &Site, client: &mut FtpScript, with: &Arc<ClientConfig>) -> (bool, String) {
    let io = passive(site, client).await;
    client.ask("NLST", 150).await;
    let mut secured = dial_tls(io, with).await.unwrap();
    let mut all = String::new();
    // Anything but the last word of TLS would be an error here.
    secured.io.read_to_string(&mut all).await.unwrap();
    secured.io.shutdown().await.unwrap();
    client.expect(226).await;
    (secured.resumed, all)
}
