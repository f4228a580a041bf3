//! The master's own listeners: for clients that do not announce their transfers, and for listings.
//!
//! A client may connect before its verb comes; the system holds the connection until it is asked for. Strangers do
//! not disturb: they are closed when they are met, and waiting goes on.
//!
//! Of the connections for an upload one that ended without a byte before 150 was said is rather somebody's who looks for
//! open ports behind the client's address, and would be an empty file in the place of the client's own: another one is
//! waited for, though only for a moment (`drftpd_slave::transfer::tls` does the same, and says why).

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use drftpd_actors::{BoxIo, Dice, Incoming, Listener, Net};
use drftpd_protocol::wire::PeerRule;
use drftpd_slave::transfer::copy::has_ended;
use drftpd_slave::transfer::strangers::Strangers;
use futures_util::FutureExt;
use tokio::task::unconstrained;
use tokio::time::{sleep, timeout};
use tracing::debug;

use super::config::PassiveConfig;
use super::error::DataError;
use super::ours::OurPort;

/// After an error of the listener (no more file descriptors), wait so long.
const PAUSE: Duration = Duration::from_millis(50);
/// How long another connection may come after one that was no client's.
pub(super) const GRACE: Duration = Duration::from_secs(3);
/// Connections that are looked at before 150; there are seldom two.
const EARLY: usize = 64;
/// After so many taken ports the other sessions of the thread get a turn.
const PORTS_AT_A_TIME: usize = 32;

/// A port of the master at which one client is expected. Closed when dropped.
pub struct Passive {
    listener: Box<dyn Listener>,
    announced: u16,
    stands_in: bool,
    told: Option<OurPort>,
    strangers: Strangers,
    /// Who was there before 150.
    early: Option<Early>,
}

struct Early {
    io: BoxIo,
    /// How it had ended by then, without a byte.
    doubtful: Option<io::Result<()>>,
}

impl Passive {
    /// Listens for a client whose control connection came in at `local`, in the same family. Begins somewhere in
    /// the range; a taken port means the next one.
    ///
    /// # Errors
    /// [`DataError::NoPort`].
    pub async fn listen(
        net: &dyn Net,
        config: &PassiveConfig,
        local: IpAddr,
        dice: &Dice,
    ) -> Result<Self, DataError> {
        let address = listen_address(config, local);
        let start = dice.below(config.ports.count().into());
        let start = u32::try_from(start).unwrap_or_default();
        let mut taken = io::Error::from(io::ErrorKind::AddrInUse);
        for (tried, port) in config.ports.from(start).enumerate() {
            match net.bind(SocketAddr::new(address, port)).await {
                Ok(listener) => return Self::of(listener, config),
                Err(why) if why.kind() == io::ErrorKind::AddrInUse => taken = why,
                Err(why) => return Err(DataError::NoPort(why)),
            }
            if tried % PORTS_AT_A_TIME == PORTS_AT_A_TIME - 1 {
                tokio::task::yield_now().await;
            }
        }
        Err(DataError::NoPort(taken))
    }

    fn of(listener: Box<dyn Listener>, config: &PassiveConfig) -> Result<Self, DataError> {
        let port = listener.local_addr().map_err(DataError::NoPort)?.port();
        let outside = config.announce_ports.unwrap_or(config.ports);
        Ok(Self {
            listener,
            announced: config.ports.seen_as(port, outside),
            stands_in: false,
            told: None,
            strangers: Strangers::default(),
            early: None,
        })
    }

    /// It stands in for a slave, whose transfer was announced.
    #[must_use]
    pub fn standing_in(self, yes: bool) -> Self {
        Self {
            stands_in: yes,
            ..self
        }
    }

    /// Whether it stands in for a slave.
    pub fn stands_in(&self) -> bool {
        self.stands_in
    }

    /// The port that the client is told.
    pub fn port(&self) -> u16 {
        self.announced
    }

    /// The client was told of it so.
    #[must_use]
    pub fn told_as(mut self, port: OurPort) -> Self {
        self.told = Some(port);
        self
    }

    /// How the client was told of it.
    pub fn told(&self) -> Option<&OurPort> {
        self.told.as_ref()
    }

    /// Looks who is there already; before an upload's 150.
    pub fn look(&mut self, who: &PeerRule) {
        for _ in 0..EARLY {
            if self
                .early
                .as_ref()
                .is_some_and(|early| early.doubtful.is_none())
            {
                return;
            }
            let Some(Ok(came)) = unconstrained(self.listener.accept()).now_or_never() else {
                return;
            };
            if let Some(io) = self.welcome(came, who) {
                let doubtful = has_ended(&io);
                self.early = Some(Early { io, doubtful });
            }
        }
    }

    /// Waits for the one who is welcome, then listens no more.
    ///
    /// # Errors
    /// [`DataError::NobodyConnected`] after `limit`.
    pub async fn accept(mut self, who: PeerRule, limit: Duration) -> Result<BoxIo, DataError> {
        if let Some(Early { io, doubtful }) = self.early.take() {
            let Some(ended) = doubtful else {
                return Ok(io);
            };
            return match timeout(GRACE.min(limit), self.comes(&who)).await {
                Ok(another) => Ok(another),
                Err(_elapsed) => ended.map(|()| io).map_err(DataError::Broken),
            };
        }
        self.meet(&who, limit).await
    }

    /// The same, and listens on.
    ///
    /// # Errors
    /// [`DataError::NobodyConnected`] after `limit`.
    pub async fn meet(&self, who: &PeerRule, limit: Duration) -> Result<BoxIo, DataError> {
        let comes = timeout(limit, self.comes(who)).await;
        comes.map_err(|_elapsed| DataError::NobodyConnected)
    }

    /// Waits for the next one who is welcome. May be dropped without losing one.
    pub async fn comes(&self, who: &PeerRule) -> BoxIo {
        loop {
            match self.listener.accept().await {
                Ok(came) => {
                    if let Some(io) = self.welcome(came, who) {
                        return io;
                    }
                }
                Err(why) => {
                    debug!(%why, "data port does not accept");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// Takes a connection if it is not a stranger's.
    fn welcome(&self, came: Incoming, who: &PeerRule) -> Option<BoxIo> {
        if !who.holds(came.peer.ip()) {
            self.strangers.closed(came.peer);
            return None;
        }
        let adopted = came.adopt();
        let lost = |why: &io::Error| debug!(%why, "data connection lost before it was taken");
        adopted.inspect_err(lost).ok()
    }
}

impl fmt::Debug for Passive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Passive({:?})", self.listener.local_addr().ok())
    }
}

/// Where to listen: the configured address if it is of the right family, else where the client came in.
fn listen_address(config: &PassiveConfig, local: IpAddr) -> IpAddr {
    let local = local.to_canonical();
    let fits = |address: &IpAddr| address.is_ipv4() == local.is_ipv4();
    config.address.filter(fits).unwrap_or(local)
}

/// The address that a client is told whose control connection came in at `local`.
pub fn announced_address(config: &PassiveConfig, local: IpAddr) -> IpAddr {
    config.announce_address.unwrap_or(local.to_canonical())
}

#[cfg(test)]
mod tests {
    use drftpd_actors::testkit::{MemNet, seed, sim};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::Instant;

    use super::*;

    const LOCAL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 9));
    const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const STRANGER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));
    const LIMIT: Duration = Duration::from_secs(30);

    fn config(ports: &str) -> PassiveConfig {
        PassiveConfig {
            ports: ports.parse().unwrap(),
            ..PassiveConfig::default()
        }
    }

    #[test]
    fn a_taken_port_means_the_next_one_until_all_are_taken() {
        let dice = Dice::seeded(seed());
        sim(async {
            let (net, config) = (MemNet::new(), config("5000-5002"));
            let mut open = Vec::new();
            for _ in 0..3 {
                open.push(Passive::listen(&net, &config, LOCAL, &dice).await.unwrap());
            }
            let mut ports: Vec<_> = open.iter().map(Passive::port).collect();
            ports.sort_unstable();
            assert_eq!(ports, [5000, 5001, 5002]);
            let full = Passive::listen(&net, &config, LOCAL, &dice).await;
            assert_eq!(full.unwrap_err().reply().code(), 425);
            open.pop();
            assert!(Passive::listen(&net, &config, LOCAL, &dice).await.is_ok());
        });
    }

    #[test]
    fn a_client_that_connects_early_is_held_and_a_stranger_before_it_is_closed() {
        let dice = Dice::seeded(seed());
        sim(async {
            let net = MemNet::new();
            let passive = Passive::listen(&net, &config("5000"), LOCAL, &dice).await;
            let passive = passive.unwrap();
            let to = SocketAddr::new(LOCAL, 5000);
            let mut stranger = net.connect(Some(STRANGER), to).await.unwrap();
            let mut client = net.connect(Some(CLIENT), to).await.unwrap();
            client.write_all(b"early").await.unwrap();
            let mut io = passive.accept(PeerRule::Only(CLIENT), LIMIT).await.unwrap();
            let mut got = [0; 5];
            io.read_exact(&mut got).await.unwrap();
            assert_eq!(&got, b"early");
            assert_eq!(stranger.read(&mut got).await.unwrap(), 0);
            assert!(net.connect(Some(CLIENT), to).await.is_err(), "listens on");
        });
    }

    #[test]
    fn a_stranger_is_let_in_where_anybody_may_come() {
        let dice = Dice::seeded(seed());
        sim(async {
            let net = MemNet::new();
            let passive = Passive::listen(&net, &config("5000"), LOCAL, &dice).await;
            let to = SocketAddr::new(LOCAL, 5000);
            let _other = net.connect(Some(STRANGER), to).await.unwrap();
            let io = passive.unwrap().accept(PeerRule::Any, LIMIT).await.unwrap();
            assert_eq!(io.peer_addr().unwrap().ip(), STRANGER);
        });
    }

    #[test]
    fn nobody_is_waited_for_longer_than_the_limit() {
        let dice = Dice::seeded(seed());
        sim(async {
            let net = MemNet::new();
            let passive = Passive::listen(&net, &config("5000"), LOCAL, &dice).await;
            let to = SocketAddr::new(LOCAL, 5000);
            let _stranger = net.connect(Some(STRANGER), to).await.unwrap();
            let begun = Instant::now();
            let nobody = passive.unwrap().accept(PeerRule::Only(CLIENT), LIMIT).await;
            assert!(matches!(nobody, Err(DataError::NobodyConnected)));
            assert_eq!(begun.elapsed(), LIMIT);
        });
    }

    #[test]
    fn listening_is_in_the_family_of_the_control_connection() {
        let mut config = config("5000");
        let (v4, v6) = ("10.0.0.1".parse().unwrap(), "fd00::1".parse().unwrap());
        let mapped: IpAddr = "::ffff:192.0.2.9".parse().unwrap();
        assert_eq!(listen_address(&config, mapped), LOCAL);
        assert_eq!(announced_address(&config, mapped), LOCAL);
        config.address = Some(v4);
        config.announce_address = Some(v4);
        assert_eq!(listen_address(&config, mapped), v4);
        assert_eq!(listen_address(&config, v6), v6);
        assert_eq!(announced_address(&config, mapped), v4);
    }

    #[test]
    fn a_mapped_port_is_announced_as_the_outside_sees_it() {
        let dice = Dice::seeded(seed());
        sim(async {
            let config = PassiveConfig {
                announce_ports: Some("7000-7009".parse().unwrap()),
                ..config("5000-5009")
            };
            let net = MemNet::new();
            let passive = Passive::listen(&net, &config, LOCAL, &dice).await.unwrap();
            assert!((7000..7010).contains(&passive.port()));
        });
    }
}
