//! The relay: forwards one data connection between a client and a slave, both ways, and decides nothing.
//!
//! What one end does the other end sees: a FIN is passed on as a half-close when everything before it was passed on,
//! a reset as a reset, and an end that takes nothing makes the other wait. TLS is not looked into. On Linux the bytes
//! stay in the kernel ([`super::splice`]); elsewhere, with the feature `portable`, and where a connection is no
//! socket, they are copied. Where a connection is no socket a reset cannot be passed on, and is an end instead.

use std::cell::Cell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use drftpd_actors::{Blocking, BoxIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

use super::error::DataError;
use super::taken::Taken;

/// Bytes copied at a time where they do not stay in the kernel.
const CHUNK: usize = 64 * 1024;

/// All relays of the master: how many there may be, and what they carried.
#[derive(Debug)]
pub struct Relays {
    free: Arc<Semaphore>,
    most: usize,
    carried: Arc<Carried>,
}

#[derive(Debug, Default)]
struct Carried {
    to_client: AtomicU64,
    to_slave: AtomicU64,
}

/// What the relays do and did, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayCounts {
    /// Relays that run or are being set up.
    pub running: usize,
    /// Bytes forwarded to clients since the start.
    pub to_client: u64,
    /// Bytes forwarded to slaves since the start.
    pub to_slave: u64,
}

/// The right to run one relay.
#[derive(Debug)]
pub struct RelayPermit {
    _one: OwnedSemaphorePermit,
    carried: Arc<Carried>,
}

impl Relays {
    /// Room for so many at once.
    pub fn new(most: usize) -> Self {
        let most = most.min(Semaphore::MAX_PERMITS);
        Self {
            free: Arc::new(Semaphore::new(most)),
            most,
            carried: Arc::default(),
        }
    }

    /// The right to run one more.
    ///
    /// # Errors
    /// [`DataError::RelaysInUse`].
    pub fn permit(&self) -> Result<RelayPermit, DataError> {
        let one = Arc::clone(&self.free).try_acquire_owned();
        Ok(RelayPermit {
            _one: one.map_err(|_none| DataError::RelaysInUse)?,
            carried: Arc::clone(&self.carried),
        })
    }

    /// For metrics.
    pub fn counts(&self) -> RelayCounts {
        RelayCounts {
            running: self.most - self.free.available_permits(),
            to_client: self.carried.to_client.load(Ordering::Relaxed),
            to_slave: self.carried.to_slave.load(Ordering::Relaxed),
        }
    }
}

/// One relayed data connection. Dropped before it has ended by itself, it resets both ends.
#[derive(Debug)]
pub struct Relay {
    client: BoxIo,
    slave: BoxIo,
    permit: RelayPermit,
    form: Form,
    ended: bool,
}

/// How bytes get from one connection to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// In the kernel, where both are sockets.
    #[cfg(target_os = "linux")]
    Splice,
    /// Through a buffer.
    Copy,
}

impl Form {
    /// The best that this build has.
    fn best() -> Self {
        #[cfg(target_os = "linux")]
        if !cfg!(feature = "portable") {
            return Self::Splice;
        }
        Self::Copy
    }
}

impl Relay {
    /// Between these two; they must belong to the arbiter that runs it.
    pub fn new(client: BoxIo, slave: BoxIo, permit: RelayPermit) -> Self {
        Self {
            client,
            slave,
            permit,
            form: Form::best(),
            ended: false,
        }
    }

    /// Forwards until both ends have closed their side, or, once `over` says that the slave has nothing more to
    /// say, until everything has reached the client and it had a moment to close (`asking` asks the system).
    ///
    /// # Errors
    /// [`DataError::Broken`] when one end was reset, [`DataError::Stalled`] when no byte moved for `stall` while
    /// both sides were open (later the slave's own limit counts). Both ends are reset then; a slave that is behind
    /// no socket cannot hear that, and the error is [`DataError::Unheard`].
    pub async fn run(
        mut self,
        stall: Duration,
        asking: &Blocking,
        over: impl Future<Output = ()>,
    ) -> Result<(), DataError> {
        let taken = Taken::of(&self.client, asking);
        let motion = Motion::new();
        let carried = Arc::clone(&self.permit.carried);
        let ended = tokio::select! {
            biased;
            both = self.forward(&motion, &carried) => both.map_err(DataError::Broken),
            () = motion.stalled(stall) => Err(DataError::Stalled),
            all = motion.client_has_all(over, &taken, stall) => all,
        };
        self.ended = ended.is_ok();
        let unheard = self.slave.as_tcp().is_none() && !motion.slave_has_end.get();
        ended.map_err(|why| match unheard {
            true => DataError::Unheard(Box::new(why)),
            false => why,
        })
    }

    async fn forward(&mut self, motion: &Motion, carried: &Carried) -> io::Result<()> {
        let to_client = Lane {
            motion,
            total: &carried.to_client,
            is_to_client: true,
        };
        let to_slave = Lane {
            motion,
            total: &carried.to_slave,
            is_to_client: false,
        };
        #[cfg(target_os = "linux")]
        if self.form == Form::Splice
            && let (Some(client), Some(slave)) = (self.client.as_tcp(), self.slave.as_tcp())
        {
            let out = super::splice::pump(slave, client, &to_client);
            let back = super::splice::pump(client, slave, &to_slave);
            return tokio::try_join!(out, back).map(drop);
        }
        let (from_client, client) = tokio::io::split(&mut self.client);
        let (from_slave, slave) = tokio::io::split(&mut self.slave);
        let out = copy(from_slave, client, &to_client);
        let back = copy(from_client, slave, &to_slave);
        tokio::try_join!(out, back).map(drop)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if !self.ended {
            reset(&self.client);
            reset(&self.slave);
        }
    }
}

/// Makes the close that follows a reset, where there is a socket.
pub fn reset(io: &BoxIo) {
    if let Some(tcp) = io.as_tcp() {
        let lingers = socket2::SockRef::from(tcp).set_linger(Some(Duration::ZERO));
        if let Err(why) = lingers {
            tracing::debug!(%why, "socket cannot be reset");
        }
    }
}

/// Forwards one way through a buffer, and passes the end on.
async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    lane: &Lane<'_>,
) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let came = from.read(&mut buffer).await?;
        let mut left = buffer.get(..came).unwrap_or_default();
        if left.is_empty() {
            break;
        }
        while !left.is_empty() {
            let went = to.write(left).await?;
            if went == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            lane.moved(went);
            left = left.get(went..).unwrap_or_default();
        }
    }
    lane.closed(to.shutdown().await)
}

/// One way of a relay.
pub(super) struct Lane<'a> {
    motion: &'a Motion,
    total: &'a AtomicU64,
    is_to_client: bool,
}

impl Lane<'_> {
    /// So many bytes were taken by the other end.
    pub(super) fn moved(&self, bytes: usize) {
        self.motion.last.set(Instant::now());
        self.total.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// The end was passed on, or could not be because nobody is there to hear it any more.
    pub(super) fn closed(&self, shut: io::Result<()>) -> io::Result<()> {
        self.motion.half_closed.set(true);
        if self.is_to_client {
            self.motion.end_passed_on.set(true);
            self.motion.news.notify_waiters();
        } else {
            self.motion.slave_has_end.set(true);
        }
        match shut {
            Err(why) if why.kind() != io::ErrorKind::NotConnected => Err(why),
            _ => Ok(()),
        }
    }
}

/// When something last moved in a relay, and what has ended.
struct Motion {
    last: Cell<Instant>,
    half_closed: Cell<bool>,
    /// To the client.
    end_passed_on: Cell<bool>,
    slave_has_end: Cell<bool>,
    news: Notify,
}

impl Motion {
    fn new() -> Self {
        Self {
            last: Cell::new(Instant::now()),
            half_closed: Cell::new(false),
            end_passed_on: Cell::new(false),
            slave_has_end: Cell::new(false),
            news: Notify::new(),
        }
    }

    /// Ends when no byte has moved for so long, while both sides are open.
    async fn stalled(&self, stall: Duration) {
        while self.last.get().elapsed() < stall {
            sleep_until(self.last.get() + stall).await;
        }
        if self.half_closed.get() {
            std::future::pending::<()>().await;
        }
    }

    /// Ends when the slave is done, its end was passed on to the client, and that has taken everything.
    async fn client_has_all(
        &self,
        over: impl Future<Output = ()>,
        taken: &Taken,
        stall: Duration,
    ) -> Result<(), DataError> {
        over.await;
        while !self.end_passed_on.get() {
            self.news.notified().await;
        }
        taken.all(stall).await
    }
}

#[cfg(test)]
#[path = "relay_tests.rs"]
mod tests;
