//! What a handshake costs, resumed and in full, of both ends and of the server alone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use drftpd_actors::tls::{DATA_PROTOCOLS, FtpServer, SessionTickets};
use rustls::crypto::aws_lc_rs::cipher_suite::{
    TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384,
};
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection, version};
use rustls_pki_types::{PrivateKeyDer, ServerName};

use crate::slave::TICKETS;

/// Handshakes in one measurement.
const COUNT: usize = 2000;

/// Prints it, for data connections that send and that receive.
pub fn compare() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let server = FtpServer::new(vec![made.cert.der().clone()], key, DATA_PROTOCOLS).unwrap();
    let tickets = |key: [u8; 32]| Some(SessionTickets::under(&key));
    for (version, suite, name) in [
        (&version::TLS13, TLS13_AES_256_GCM_SHA384, "TLS 1.3 AES-256"),
        (&version::TLS13, TLS13_AES_128_GCM_SHA256, "TLS 1.3 AES-128"),
        (
            &version::TLS12,
            TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            "TLS 1.2 AES-256",
        ),
    ] {
        let client = crate::tls::client(&server, version, suite);
        let control = server.config(tickets(TICKETS), 4);
        for (what, tickets13) in [("sends", 2), ("receives", 0)] {
            let data = server.config(tickets(TICKETS), tickets13);
            let others = server.config(tickets([9; 32]), tickets13);
            let [full, resumed] = measure(&client, &control, [&others, &data]);
            println!(
                "{name} handshake, resumed / full, slave {what}: {:.2} of both ends ({:.0} / {:.0} us), {:.2} of the \
                 server ({:.0} / {:.0} us)",
                resumed.both / full.both,
                resumed.both,
                full.both,
                resumed.server / full.server,
                resumed.server,
                full.server,
            );
        }
    }
}

/// Microseconds of a handshake, the median.
struct Cost {
    both: f64,
    server: f64,
}

impl Cost {
    fn of(all: &[(Duration, Duration)]) -> Self {
        let median = |of: fn(&(Duration, Duration)) -> Duration| {
            let mut times: Vec<Duration> = all.iter().map(of).collect();
            times.sort_unstable();
            times[times.len() / 2].as_secs_f64() * 1e6
        };
        Cost {
            both: median(|times| times.0),
            server: median(|times| times.1),
        }
    }
}

/// One thread does both ends and nothing waits, so that time is processor time, but for turns of other programs,
/// which a median does not see. Before each handshake that is measured comes one with `control`, which gives tickets:
/// the first server has another session's key, so that its handshake is in full, the second one the same.
fn measure(
    client: &Arc<ClientConfig>,
    control: &Arc<ServerConfig>,
    servers: [&Arc<ServerConfig>; 2],
) -> [Cost; 2] {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..COUNT {
        for (at, server) in servers.into_iter().enumerate() {
            handshake(client, control);
            let begun = Instant::now();
            let (of_server, kind) = handshake(client, server);
            times[at].push((begun.elapsed(), of_server));
            assert_eq!(kind == Some(rustls::HandshakeKind::Resumed), at == 1);
        }
    }
    times.map(|times| Cost::of(&times))
}

fn handshake(
    client: &Arc<ClientConfig>,
    server: &Arc<ServerConfig>,
) -> (Duration, Option<rustls::HandshakeKind>) {
    let name = ServerName::try_from("localhost").unwrap();
    let mut near = ClientConnection::new(Arc::clone(client), name).unwrap();
    let mut of_server = Duration::ZERO;
    let begun = Instant::now();
    let mut far = ServerConnection::new(Arc::clone(server)).unwrap();
    of_server += begun.elapsed();
    let mut wire = Vec::new();
    while near.wants_write() || far.wants_write() || near.is_handshaking() {
        wire.clear();
        while near.wants_write() {
            near.write_tls(&mut wire).unwrap();
        }
        let begun = Instant::now();
        let mut come = &wire[..];
        while !come.is_empty() {
            far.read_tls(&mut come).unwrap();
            far.process_new_packets().unwrap();
        }
        let mut back = Vec::new();
        while far.wants_write() {
            far.write_tls(&mut back).unwrap();
        }
        of_server += begun.elapsed();
        let mut come = &back[..];
        while !come.is_empty() {
            near.read_tls(&mut come).unwrap();
            near.process_new_packets().unwrap();
        }
    }
    (of_server, near.handshake_kind())
}
