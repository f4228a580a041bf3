//! The way from a slave to its master: a process of ours between them that passes on what each sends, until a fault
//! says otherwise. Data connections that a slave dials through its master take the same way.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use drftpd_actors::Dice;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Bytes that are passed on at a time.
const PIECE: usize = 16 * 1024;

/// What becomes of the bytes in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// They go on at once.
    Free,
    /// They wait.
    Held,
    /// So many in a second go on.
    Slow(u32),
    /// Each piece goes on so much later.
    Late(Duration),
}

#[derive(Debug, Clone, Copy)]
struct Weather {
    /// From the slave to the master.
    up: Flow,
    /// From the master to the slave.
    down: Flow,
    /// Each further one ends all connections.
    breaks: u64,
}

/// A way that can be broken. Gone when it is dropped.
pub struct Link {
    /// Where the slave dials.
    pub at: SocketAddr,
    weather: watch::Sender<Weather>,
}

impl Link {
    /// A way to a master.
    ///
    /// # Errors
    /// When there is no port, or no thread.
    pub fn to(master: SocketAddr) -> Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let at = listener.local_addr()?;
        let fine = Weather {
            up: Flow::Free,
            down: Flow::Free,
            breaks: 0,
        };
        let (weather, seen) = watch::channel(fine);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        thread::Builder::new()
            .name("link".to_owned())
            .spawn(move || runtime.block_on(serve(listener, master, seen)))?;
        Ok(Link { at, weather })
    }

    /// How bytes flow from now on: from the slave to the master, and back.
    pub fn set(&self, up: Flow, down: Flow) {
        self.weather.send_modify(|weather| {
            (weather.up, weather.down) = (up, down);
        });
    }

    /// All is well again; what waited goes on, or (as the dice say) all connections are gone.
    pub fn mend(&self, dice: &Dice) {
        if dice.below(2) == 0 {
            self.weather.send_modify(|weather| weather.breaks += 1);
        }
        self.set(Flow::Free, Flow::Free);
    }
}

async fn serve(
    listener: std::net::TcpListener,
    master: SocketAddr,
    mut weather: watch::Receiver<Weather>,
) {
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    loop {
        tokio::select! {
            come = listener.accept() => if let Ok((slave, _)) = come {
                drop(tokio::spawn(carry(slave, master, weather.clone())));
            },
            changed = weather.changed() => if changed.is_err() {
                return;
            },
        }
    }
}

/// Carries one connection until one end fails, both have ended, or it is broken.
async fn carry(slave: TcpStream, master: SocketAddr, mut weather: watch::Receiver<Weather>) {
    let before = weather.borrow().breaks;
    // Nobody gets through a way that is cut, not even to be refused.
    if open(&mut weather, |weather| weather.up).await.is_err() {
        return;
    }
    let Ok(there) = TcpStream::connect(master).await else {
        return;
    };
    drop(slave.set_nodelay(true).and(there.set_nodelay(true)));
    let (mut from_slave, mut to_slave) = slave.into_split();
    let (mut from_master, mut to_master) = there.into_split();
    let up = pass(&mut from_slave, &mut to_master, weather.clone(), |now| {
        now.up
    });
    let down = pass(&mut from_master, &mut to_slave, weather.clone(), |now| {
        now.down
    });
    let ended = tokio::select! {
        ended = async { tokio::try_join!(up, down) } => ended.is_ok(),
        _ = weather.wait_for(|weather| weather.breaks != before) => false,
    };
    if !ended {
        // Broken here is broken there: a reset, and never what looks like the end of a file.
        for end in [to_slave, to_master] {
            drop(end.as_ref().set_zero_linger());
            end.forget();
        }
    }
}

async fn pass(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    mut weather: watch::Receiver<Weather>,
    mine: fn(&Weather) -> Flow,
) -> std::io::Result<()> {
    let mut buffer = vec![0; PIECE];
    loop {
        let read = from.read(&mut buffer).await?;
        let wait = match open(&mut weather, mine).await? {
            Flow::Slow(rate) => Duration::from_secs_f64(read as f64 / f64::from(rate)),
            Flow::Late(late) => late,
            Flow::Free | Flow::Held => Duration::ZERO,
        };
        tokio::time::sleep(wait).await;
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..read]).await?;
    }
}

/// Waits until bytes may go on; answers how.
async fn open(
    weather: &mut watch::Receiver<Weather>,
    mine: fn(&Weather) -> Flow,
) -> std::io::Result<Flow> {
    let open = weather
        .wait_for(|weather| mine(weather) != Flow::Held)
        .await;
    let open = open.map_err(|_| std::io::ErrorKind::ConnectionAborted)?;
    Ok(mine(&open))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn what_is_held_goes_on_later_and_a_break_ends_it() -> Result<()> {
        let master = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let link = Link::to(master.local_addr()?)?;
        let mut slave = std::net::TcpStream::connect(link.at)?;
        slave.write_all(b"a")?;
        let (mut there, _) = master.accept()?;
        let mut got = [0; 1];
        there.read_exact(&mut got)?;
        link.set(Flow::Held, Flow::Free);
        slave.write_all(b"b")?;
        there.write_all(b"c")?;
        slave.read_exact(&mut got)?;
        assert_eq!(got, *b"c", "the other direction is free");
        there.set_read_timeout(Some(Duration::from_millis(50)))?;
        assert!(there.read_exact(&mut got).is_err(), "it is held");
        link.set(Flow::Free, Flow::Free);
        there.set_read_timeout(None)?;
        there.read_exact(&mut got)?;
        assert_eq!(got, *b"b");
        link.weather.send_modify(|weather| weather.breaks += 1);
        assert!(there.read_exact(&mut got).is_err());
        Ok(())
    }
}
