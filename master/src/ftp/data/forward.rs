//! Setting up a relay for one transfer: the client comes to the master's port or the master dials the client, the slave
//! dials the master, and a task of its own forwards between them.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use drftpd_actors::{BoxIo, Net};
use drftpd_protocol::wire::PeerRule;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::{Instrument, debug};

use super::DataSide;
use super::active;
use super::error::DataError;
use super::passive::Passive;
use super::relay::{Relay, RelayPermit, reset};

/// The relay of one transfer. Dropped before its end, it is cut at once and both ends are reset.
#[derive(Debug)]
pub struct Forward {
    task: JoinHandle<Result<(), DataError>>,
    over: Option<oneshot::Sender<()>>,
    ended: bool,
}

/// What a relay is made of.
#[derive(Debug)]
pub struct Ends {
    /// How the client's end comes about.
    pub client: ClientEnd,
    /// What the slave dials, when it has.
    pub slave: oneshot::Receiver<BoxIo>,
    /// The right to be one relay more.
    pub permit: RelayPermit,
}

/// How a client and the master come together.
pub enum ClientEnd {
    /// The client comes to here, if it is the one.
    Comes(Passive, PeerRule),
    /// The master dials the client, from the address that it knows.
    Dialled {
        /// The network.
        net: Arc<dyn Net>,
        /// The master's address.
        local: IpAddr,
        /// Where the client listens.
        to: SocketAddr,
    },
}

impl ClientEnd {
    /// Looks who is there already, before an upload's 150.
    pub fn look(&mut self) {
        if let Self::Comes(passive, who) = self {
            passive.look(who);
        }
    }

    async fn meet(self, limit: Duration) -> Result<BoxIo, DataError> {
        match self {
            Self::Comes(passive, who) => passive.accept(who, limit).await,
            Self::Dialled { net, local, to } => active::dial(net.as_ref(), local, to, limit).await,
        }
    }
}

impl std::fmt::Debug for ClientEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Comes(passive, who) => write!(f, "Comes({passive:?}, {who:?})"),
            Self::Dialled { to, .. } => write!(f, "Dialled({to})"),
        }
    }
}

impl Forward {
    /// Begins to wait for both ends, then to forward.
    pub fn start(ends: Ends, data: &DataSide) -> Self {
        let (over, heard) = oneshot::channel();
        let (connect, stall) = (data.limits.connect_timeout, data.limits.stall_timeout);
        let asking = data.asking.clone();
        let task = async move {
            let relay = join(ends, connect).await?;
            relay.run(stall, &asking, until_said(heard)).await
        };
        Self {
            task: tokio::task::spawn_local(task.in_current_span()),
            over: Some(over),
            ended: false,
        }
    }

    /// The slave has said its end: everything it sent is still brought to the client, then the relay ends.
    pub fn slave_is_done(&mut self) {
        if let Some(over) = self.over.take()
            && over.send(()).is_err()
        {
            debug!("relay has ended by itself");
        }
    }

    /// Waits for the end. May be dropped and called again, but not after it has answered.
    ///
    /// # Errors
    /// Why it is not a good one.
    pub async fn end(&mut self) -> Result<(), DataError> {
        let end = (&mut self.task).await;
        self.ended = true;
        end.unwrap_or_else(|panic| Err(DataError::Broken(std::io::Error::other(panic))))
    }

    /// Whether [`Forward::end`] has answered.
    pub fn has_ended(&self) -> bool {
        self.ended
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn until_said(heard: oneshot::Receiver<()>) {
    if heard.await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Waits for both ends at the same time.
async fn join(ends: Ends, limit: Duration) -> Result<Relay, DataError> {
    let client = async {
        let io = ends.client.meet(limit).await?;
        Ok(Single(Some(io)))
    };
    let slave = async {
        match timeout(limit, ends.slave).await {
            Ok(Ok(io)) => Ok(Single(Some(io))),
            _ => Err(DataError::NobodyConnected),
        }
    };
    let (mut client, mut slave) = tokio::try_join!(client, slave)?;
    match (client.0.take(), slave.0.take()) {
        (Some(client), Some(slave)) => Ok(Relay::new(client, slave, ends.permit)),
        _ => Err(DataError::NobodyConnected),
    }
}

/// One end without the other: reset when dropped, since an orderly close would be taken for the end of a file.
struct Single(Option<BoxIo>);

impl Drop for Single {
    fn drop(&mut self) {
        if let Some(io) = &self.0 {
            reset(io);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use drftpd_actors::testkit::{MemNet, seed, sim};
    use drftpd_actors::{Dice, Net};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::ftp::data::{PassiveConfig, Relays};

    const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    struct Bench {
        net: MemNet,
        relays: Relays,
        slave: Option<oneshot::Sender<BoxIo>>,
        at: std::net::SocketAddr,
    }

    async fn bench() -> (Bench, Forward) {
        let (net, relays) = (MemNet::new(), Relays::new(1));
        let local = "192.0.2.9".parse().unwrap();
        let dice = Dice::seeded(seed());
        let config = PassiveConfig::default();
        let client = Passive::listen(&net, &config, local, &dice).await.unwrap();
        let at = (local, client.port()).into();
        let (tx, slave) = oneshot::channel();
        let permit = relays.permit().unwrap();
        let ends = Ends {
            client: ClientEnd::Comes(client, PeerRule::Only(CLIENT)),
            slave,
            permit,
        };
        let forward = Forward::start(ends, &DataSide::default());
        let bench = Bench {
            net,
            relays,
            slave: Some(tx),
            at,
        };
        (bench, forward)
    }

    impl Bench {
        /// Both ends of the slave's connection to the master.
        async fn slave_dials(&mut self) -> BoxIo {
            let at = "192.0.2.9:2122".parse().unwrap();
            let listener = self.net.bind(at).await.unwrap();
            let near = self.net.connect(None, at).await.unwrap();
            let far = listener.accept().await.unwrap().adopt().unwrap();
            self.slave.take().unwrap().send(far).unwrap();
            near
        }
    }

    #[test]
    fn whichever_end_comes_first_both_are_joined() {
        for client_first in [true, false] {
            sim(async {
                let (mut bench, mut forward) = bench().await;
                let early = match client_first {
                    true => Some(bench.net.connect(Some(CLIENT), bench.at).await.unwrap()),
                    false => None,
                };
                let mut slave = bench.slave_dials().await;
                let mut client = match early {
                    Some(client) => client,
                    None => bench.net.connect(Some(CLIENT), bench.at).await.unwrap(),
                };
                slave.write_all(b"bytes").await.unwrap();
                slave.shutdown().await.unwrap();
                let mut got = Vec::new();
                client.read_to_end(&mut got).await.unwrap();
                assert_eq!(got, b"bytes");
                client.shutdown().await.unwrap();
                forward.end().await.unwrap();
                assert_eq!(bench.relays.counts().running, 0);
            });
        }
    }

    #[test]
    fn without_a_client_the_slave_is_let_go_after_the_limit() {
        sim(async {
            let (mut bench, mut forward) = bench().await;
            let mut slave = bench.slave_dials().await;
            let end = forward.end().await;
            assert!(matches!(end, Err(DataError::NobodyConnected)));
            assert_eq!(slave.read(&mut [0; 1]).await.unwrap(), 0);
            assert_eq!(bench.relays.counts().running, 0);
        });
    }

    #[test]
    fn a_client_that_keeps_its_side_open_has_a_moment_once_the_slave_is_done() {
        sim(async {
            let (mut bench, mut forward) = bench().await;
            let mut slave = bench.slave_dials().await;
            let mut client = bench.net.connect(Some(CLIENT), bench.at).await.unwrap();
            slave.write_all(b"all").await.unwrap();
            slave.shutdown().await.unwrap();
            forward.slave_is_done();
            forward.end().await.unwrap();
            let mut got = Vec::new();
            client.read_to_end(&mut got).await.unwrap();
            assert_eq!(got, b"all");
        });
    }

    #[test]
    fn dropped_it_lets_go_of_everything_wherever_it_is() {
        sim(async {
            let (mut bench, forward) = bench().await;
            let mut slave = bench.slave_dials().await;
            drop(forward);
            assert_eq!(slave.read(&mut [0; 1]).await.unwrap(), 0);
            assert_eq!(bench.relays.counts().running, 0);
            assert!(bench.net.connect(Some(CLIENT), bench.at).await.is_err());
        });
    }
}
