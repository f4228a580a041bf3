//! Ports that clients were told of and that are our own: where both ends of a transfer between servers are ours, each
//! must prove to the other that it has our certificate.
//!
//! The side that dials always knows: the port was told before anybody could be sent there. The side that listens knows
//! as soon as PORT has sent one of ours there, and clients say PORT before they begin the transfer on either side. If
//! one does begin on the side that listens first, that side takes whoever comes, as from a foreign site: that one of
//! ours will be meant nobody can know by then. The side that dials still does not take part with a stranger.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The ports of all sessions. Cloning gives another handle to the same.
#[derive(Debug, Clone, Default)]
pub struct OurPorts(Arc<Mutex<BTreeMap<SocketAddr, Told>>>);

#[derive(Debug, Clone, Copy)]
struct Told {
    /// The latest of those that were told of this port: an address may stand for several machines.
    number: u64,
    /// One of our own was sent there.
    dialled: bool,
}

/// A port that a client was told of; not ours any more when dropped.
#[derive(Debug)]
pub struct OurPort {
    ports: OurPorts,
    at: SocketAddr,
    number: u64,
}

impl OurPorts {
    /// A client is told of this port.
    pub fn told(&self, at: SocketAddr) -> OurPort {
        let at = canonical(at);
        let mut ports = self.ports();
        let number = ports.get(&at).map_or(0, |told| told.number + 1);
        let dialled = false;
        ports.insert(at, Told { number, dialled });
        OurPort {
            ports: self.clone(),
            at,
            number,
        }
    }

    /// One of our own is to go there, or goes; tells whether it is ours.
    pub fn dial(&self, to: SocketAddr) -> bool {
        let mut ports = self.ports();
        let told = ports.get_mut(&canonical(to));
        told.map(|told| told.dialled = true).is_some()
    }

    fn ports(&self) -> MutexGuard<'_, BTreeMap<SocketAddr, Told>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OurPort {
    /// Whether one of our own was sent there.
    pub fn is_dialled(&self) -> bool {
        let ports = self.ports.ports();
        let told = ports.get(&self.at);
        told.is_some_and(|told| told.number == self.number && told.dialled)
    }
}

impl Drop for OurPort {
    fn drop(&mut self) {
        let mut ports = self.ports.ports();
        if ports
            .get(&self.at)
            .is_some_and(|told| told.number == self.number)
        {
            ports.remove(&self.at);
        }
    }
}

fn canonical(at: SocketAddr) -> SocketAddr {
    SocketAddr::new(at.ip().to_canonical(), at.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_port_is_ours_as_long_as_somebody_was_told_of_it() {
        let ports = OurPorts::default();
        assert!(!ports.dial(at("192.0.2.1:5000")));
        let port = ports.told(at("192.0.2.1:5000"));
        assert!(!port.is_dialled());
        assert!(!ports.dial(at("192.0.2.1:5001")));
        assert!(ports.dial(at("[::ffff:192.0.2.1]:5000")) && port.is_dialled());
        drop(port);
        assert!(!ports.dial(at("192.0.2.1:5000")));
    }

    #[test]
    fn one_that_is_told_again_belongs_to_the_later() {
        let ports = OurPorts::default();
        let older = ports.told(at("192.0.2.1:5000"));
        let newer = ports.told(at("192.0.2.1:5000"));
        drop(older);
        assert!(ports.dial(at("192.0.2.1:5000")) && newer.is_dialled());
    }
}
