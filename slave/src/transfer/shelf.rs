//! Listeners that served a client and wait for the next channel, so that a busy slave does not bind a
//! port for every file.
//!
//! That saves system calls, and it keeps the ports: each closed connection of a client on the same
//! machine occupies a port for a minute, also one of the passive range. Only channels whose peer is
//! named take from here: for the others a port must not be guessed. Who connected in between is
//! closed before a listener is used again.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::Duration;

use drftpd_actors::{Dice, Listener};
use drftpd_protocol::wire::{DataOpened, Family};
use futures_util::FutureExt;
use tokio::task::unconstrained;
use tokio::time::Instant;

use super::ports::PortRange;
use super::strangers::Strangers;

/// How long a listener waits for a channel before its port is given back.
const IDLE: Duration = Duration::from_secs(5);
/// Most listeners that wait.
const MOST: usize = 64;
/// Of a small range only this part may wait: other processes may share it.
const PART: usize = 8;
/// Strangers at a listener that waited; where more came, it is closed instead of being used again.
const STALE: usize = 32;

/// A port that is listened on, and what clients are told of it.
pub struct Port {
    /// The listener.
    pub listener: Box<dyn Listener>,
    /// What clients are told.
    pub opened: DataOpened,
    /// Its address family.
    pub family: Family,
    /// Who came there and was not expected.
    pub strangers: Strangers,
}

/// Listeners that wait.
pub struct Shelf {
    most: usize,
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    port: Port,
    /// Whose reactor it belongs to: elsewhere each connection costs a hop.
    thread: ThreadId,
    since: Instant,
}

impl Shelf {
    /// For ports of this range.
    pub fn new(range: PortRange) -> Self {
        let part = match range {
            PortRange::ANY => MOST,
            range => range.count() as usize / PART,
        };
        Shelf {
            most: part.min(MOST),
            idle: Mutex::default(),
        }
    }

    /// A listener of this thread, any of them; those who connected meanwhile are closed.
    pub fn take(&self, family: Family, dice: &Dice) -> Option<Port> {
        let here = std::thread::current().id();
        self.take_where(dice, |idle| {
            idle.port.family == family && idle.thread == here
        })
    }

    /// A listener of any thread, for when there is no other port.
    pub fn take_any(&self, family: Family, dice: &Dice) -> Option<Port> {
        self.take_where(dice, |idle| idle.port.family == family)
    }

    fn take_where(&self, dice: &Dice, fits: impl Fn(&Idle) -> bool) -> Option<Port> {
        let mut idle = self.idle();
        let fitting: Vec<usize> = (0..idle.len()).filter(|at| fits(&idle[*at])).collect();
        let at = dice.below(fitting.len() as u64) as usize;
        let taken = idle.swap_remove(*fitting.get(at)?);
        drop(idle);
        without_strangers(taken.port)
    }

    /// Puts a listener back that belongs to this thread.
    pub fn put(&self, mut port: Port) {
        port.strangers = Strangers::default();
        let mut idle = self.idle();
        if idle.len() < self.most {
            idle.push(Idle {
                port,
                thread: std::thread::current().id(),
                since: Instant::now(),
            });
        }
    }

    /// Closes those that waited too long.
    pub fn sweep(&self) {
        let now = Instant::now();
        let waits = |idle: &Idle| now.saturating_duration_since(idle.since) < IDLE;
        self.idle().retain(waits);
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A listener to which nobody has come yet; nothing where too many have.
fn without_strangers(port: Port) -> Option<Port> {
    for _ in 0..STALE {
        // Not counted against what this task may do at a time: it would look as if nobody were left.
        let stale = unconstrained(port.listener.accept()).now_or_never();
        match stale {
            Some(Ok(stale)) => port.strangers.closed(stale.peer),
            Some(Err(_)) | None => return Some(port),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use drftpd_actors::Net;
    use drftpd_actors::testkit::{MemNet, sim};
    use tokio::io::AsyncReadExt;

    use super::*;

    async fn port(net: &MemNet, at: SocketAddr) -> Port {
        Port {
            listener: net.bind(at).await.unwrap(),
            opened: DataOpened {
                address: Some(at.ip()),
                port: at.port(),
            },
            family: Family::V4,
            strangers: Strangers::default(),
        }
    }

    fn at() -> SocketAddr {
        "127.0.0.1:5000".parse().unwrap()
    }

    #[test]
    fn who_connected_while_nobody_waited_is_closed() {
        sim(async {
            let (net, dice) = (MemNet::new(), Dice::seeded(1));
            let shelf = Shelf::new(PortRange::ANY);
            shelf.put(port(&net, at()).await);
            let mut stale = net.connect(None, at()).await.unwrap();
            assert!(shelf.take(Family::V6, &dice).is_none());
            let taken = shelf.take(Family::V4, &dice).unwrap();
            assert_eq!(stale.read(&mut [0; 1]).await.unwrap(), 0);
            let client = net.connect(None, at()).await.unwrap();
            let io = taken.listener.accept().await.unwrap().adopt().unwrap();
            assert_eq!(io.peer_addr().unwrap(), client.local_addr().unwrap());
            assert!(shelf.take_any(Family::V4, &dice).is_none());
        });
    }

    #[test]
    fn a_port_to_which_too_many_came_meanwhile_is_not_used_again() {
        sim(async {
            let (net, dice) = (MemNet::new(), Dice::seeded(1));
            let shelf = Shelf::new(PortRange::ANY);
            for (strangers, is_used) in [(STALE - 1, true), (STALE, false)] {
                shelf.put(port(&net, at()).await);
                let mut came = Vec::new();
                for _ in 0..strangers {
                    came.push(net.connect(None, at()).await.unwrap());
                }
                let taken = shelf.take(Family::V4, &dice);
                assert_eq!(taken.is_some(), is_used);
                for mut stranger in came {
                    assert_eq!(stranger.read(&mut [0; 1]).await.unwrap(), 0);
                }
                drop(taken);
                assert!(net.connect(None, at()).await.is_err());
            }
        });
    }

    #[test]
    fn an_idle_port_is_given_back() {
        sim(async {
            let net = MemNet::new();
            let shelf = Shelf::new(PortRange::ANY);
            shelf.put(port(&net, at()).await);
            shelf.sweep();
            assert!(net.connect(None, at()).await.is_ok());
            tokio::time::sleep(IDLE).await;
            shelf.sweep();
            assert!(net.connect(None, at()).await.is_err());
        });
    }

    #[test]
    fn little_of_a_small_range_is_held() {
        sim(async {
            let net = MemNet::new();
            for (range, held) in [("5000-5007", 1), ("5000-5006", 0), ("5000-5999", 64)] {
                let shelf = Shelf::new(range.parse().unwrap());
                for n in 0..70 {
                    let at = SocketAddr::new(at().ip(), 6000 + n);
                    shelf.put(port(&net, at).await);
                }
                assert_eq!(shelf.idle().len(), held, "{range}");
            }
        });
    }
}
