//! Whether a client has taken everything, where it keeps its side open until it hears 226: the system is asked whether
//! anything is still unacknowledged, so that such a client waits only a moment and a slow line is still waited for.
//! Where the system cannot say, a moment must do.

use std::time::Duration;

use drftpd_actors::{Blocking, BoxIo};
use drftpd_slave::transfer::copy::queue::{self, SocketId, Unacknowledged};
use tokio::time::{Instant, sleep};

use super::error::DataError;

/// How long a client may take to close its side before the system is asked, and again between two looks.
pub const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A client's socket, as the system's table knows it.
#[derive(Debug, Clone)]
pub struct Taken {
    socket: Option<SocketId>,
    blocking: Blocking,
}

impl Taken {
    /// Of a connection; one that is no socket is not asked about.
    pub fn of(io: &BoxIo, blocking: &Blocking) -> Self {
        Self {
            socket: io.as_tcp().and_then(|tcp| queue::id(tcp).ok()),
            blocking: blocking.clone(),
        }
    }

    /// Waits until everything that was written is acknowledged.
    ///
    /// # Errors
    /// [`DataError::Stalled`] when nothing more is acknowledged for `stall`.
    pub async fn all(&self, stall: Duration) -> Result<(), DataError> {
        let (mut least, mut shrank) = (u64::MAX, Instant::now());
        loop {
            sleep(LOOK_EVERY).await;
            let Some(socket) = self.socket else {
                return Ok(());
            };
            let asked = self
                .blocking
                .run(move || queue::unacknowledged(socket))
                .await;
            let left = match asked {
                Ok(Unacknowledged::Bytes(0) | Unacknowledged::Unknown) | Err(_) => return Ok(()),
                Ok(Unacknowledged::Bytes(left)) => left,
                // The table moves while it is read.
                Ok(Unacknowledged::NotListed) => u64::MAX,
            };
            if left < least {
                (least, shrank) = (left, Instant::now());
            } else if shrank.elapsed() > stall {
                return Err(DataError::Stalled);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use drftpd_actors::{Net, TokioNet};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::timeout;

    use super::*;

    #[test]
    fn what_the_client_does_not_read_is_waited_for() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let test = async {
            let net = TokioNet::new();
            let listener = net.bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
            let to = listener.local_addr().unwrap();
            let (near, far) = tokio::join!(net.connect(None, to), listener.accept());
            let (mut client, io) = (near.unwrap(), far.unwrap().adopt().unwrap());
            let mut sent = 0;
            io.as_tcp().unwrap().writable().await.unwrap();
            while let Ok(more) = io.as_tcp().unwrap().try_write(&[7; 65536]) {
                sent += more;
            }
            let taken = Taken::of(&io, &Blocking::new(1));
            let stalled = taken.all(Duration::from_millis(700)).await;
            let mut io = io;
            io.shutdown().await.unwrap();
            let mut all = Vec::new();
            client.read_to_end(&mut all).await.unwrap();
            assert_eq!(all.len(), sent);
            // The client keeps its side open, and has everything.
            taken.all(Duration::from_secs(60)).await.unwrap();
            stalled
        };
        let limited = async { timeout(Duration::from_secs(60), test).await };
        let stalled = tokio::task::LocalSet::new().block_on(&runtime.unwrap(), limited);
        let stalled = matches!(stalled.unwrap(), Err(DataError::Stalled));
        // Where the system cannot say, nobody waits.
        assert_eq!(stalled, drftpd_slave::sys::NATIVE);
    }
}
