//! The master dials out: for listings after PORT and EPRT.
//!
//! However it fails, the client hears the same, and not before a fixed time: nobody learns by PORT which ports of a
//! host are open.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use drftpd_actors::{BoxIo, Net};
use tokio::time::{Instant, sleep_until, timeout};

use super::error::DataError;

/// No failure is said earlier than so long after the attempt.
const NOT_BEFORE: Duration = Duration::from_millis(250);

/// Connects to a client, from the address at which its control connection came in.
///
/// # Errors
/// [`DataError::Unreachable`].
pub async fn dial(
    net: &dyn Net,
    local: IpAddr,
    to: SocketAddr,
    limit: Duration,
) -> Result<BoxIo, DataError> {
    let begun = Instant::now();
    let local = local.to_canonical();
    let from = Some(local).filter(|from| from.is_ipv4() == to.is_ipv4());
    let dialled = timeout(limit, net.connect(from, to)).await;
    match dialled.unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into())) {
        Ok(io) => Ok(io),
        Err(why) => {
            fail_late(begun).await;
            Err(DataError::Unreachable(why))
        }
    }
}

/// Waits until a failure of an attempt that began then may be said.
pub async fn fail_late(begun: Instant) {
    sleep_until(begun + NOT_BEFORE).await;
}

#[cfg(test)]
mod tests {
    use drftpd_actors::testkit::{MemNet, sim};

    use super::*;

    #[test]
    fn the_client_sees_the_address_that_it_knows() {
        sim(async {
            let net = MemNet::new();
            let to = "192.0.2.1:5000".parse().unwrap();
            let client = net.bind(to).await.unwrap();
            let local = "::ffff:192.0.2.9".parse().unwrap();
            let _io = dial(&net, local, to, Duration::from_secs(1)).await.unwrap();
            let seen = client.accept().await.unwrap().peer.ip();
            assert_eq!(seen, "192.0.2.9".parse::<IpAddr>().unwrap());
        });
    }

    #[test]
    fn a_refused_dial_is_said_no_earlier_than_one_into_the_void() {
        sim(async {
            let begun = Instant::now();
            let (net, to) = (MemNet::new(), "192.0.2.1:5000".parse().unwrap());
            let local = "192.0.2.9".parse().unwrap();
            let refused = dial(&net, local, to, Duration::from_secs(1)).await;
            assert_eq!(refused.unwrap_err().reply().code(), 425);
            assert_eq!(begun.elapsed(), NOT_BEFORE);
        });
    }
}
