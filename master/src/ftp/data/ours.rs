//! Ports that clients were told of and that are our own: where both ends of a transfer between servers are ours, each
//! must prove to the other that it has our certificate.
//!
//! The side that dials always knows: the port was told before anybody could be sent there. The side that listens knows
//! as soon as PORT has sent one of ours there, and clients say PORT before they begin the transfer on either side. If
//! one does begin on the side that listens first, that side takes whoever comes, as from a foreign site: that one of
//! ours will be meant nobody can know by then. The side that dials still does not take part with a stranger.
//!
//! A session sends somebody to one port at a time. Else who says PORT for every port that there is could make the transfers
//! of others wait for one of ours that never comes.

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
    /// So many sessions have sent one of our own there.
    dialled: u32,
}

/// One of our own was sent to a port of ours; not any more when dropped.
#[derive(Debug)]
pub struct Sent {
    ports: OurPorts,
    at: SocketAddr,
    number: u64,
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
        ports.insert(at, Told { number, dialled: 0 });
        OurPort {
            ports: self.clone(),
            at,
            number,
        }
    }

    /// One of our own is to go there, or goes; nothing where it is none of ours.
    pub fn dial(&self, to: SocketAddr) -> Option<Sent> {
        let at = canonical(to);
        let mut ports = self.ports();
        let told = ports.get_mut(&at)?;
        told.dialled += 1;
        Some(Sent {
            ports: self.clone(),
            at,
            number: told.number,
        })
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
        told.is_some_and(|told| told.number == self.number && told.dialled > 0)
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

impl Drop for Sent {
    fn drop(&mut self) {
        let mut ports = self.ports.ports();
        if let Some(told) = ports.get_mut(&self.at)
            && told.number == self.number
        {
            told.dialled = told.dialled.saturating_sub(1);
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
        assert!(ports.dial(at("192.0.2.1:5000")).is_none());
        let port = ports.told(at("192.0.2.1:5000"));
        assert!(!port.is_dialled());
        assert!(ports.dial(at("192.0.2.1:5001")).is_none());
        let one = ports.dial(at("[::ffff:192.0.2.1]:5000"));
        let other = ports.dial(at("192.0.2.1:5000"));
        assert!(one.is_some() && other.is_some() && port.is_dialled());
        drop(one);
        assert!(port.is_dialled());
        drop(other);
        assert!(!port.is_dialled(), "whoever was sent there went elsewhere");
        drop(port);
        assert!(ports.dial(at("192.0.2.1:5000")).is_none());
    }

    #[test]
    fn one_that_is_told_again_belongs_to_the_later() {
        let ports = OurPorts::default();
        let older = ports.told(at("192.0.2.1:5000"));
        let newer = ports.told(at("192.0.2.1:5000"));
        drop(older);
        let sent = ports.dial(at("192.0.2.1:5000"));
        assert!(sent.is_some() && newer.is_dialled());
        let newest = ports.told(at("192.0.2.1:5000"));
        let other = ports.dial(at("192.0.2.1:5000"));
        drop(sent);
        assert!(other.is_some() && newest.is_dialled() && !newer.is_dialled());
    }
}
