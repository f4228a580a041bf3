//! The cluster, and a client that moves files.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use drftpd_actors::testkit::{MemNet, Probe, Stub, settle};
use drftpd_actors::{
    Blocking, BoxIo, ChildDown, Clock, Dice, Drain, EventBus, Listener, Net, Place,
};
use drftpd_protocol::{Name, VfsPath};
use drftpd_slave::config::RootConfig;
use drftpd_slave::storage::Roots;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::accounts::messages::{LogIn, LookUp};
use crate::accounts::table::{AddAccount, Stored};
use crate::accounts::{Account, AccountsClient, AccountsDeps, LoginError, People};
use crate::config::MasterConfig;
use crate::copies::{CopiesConfig, Seconds};
use crate::events::TransferLogged;
use crate::extend::Plugins;
use crate::ftp::config::FtpConfig;
use crate::ftp::data::{
    ClientsConfig, DataConfig, DataSide, FxpConfig, PassiveConfig, TrafficConfig,
};
use crate::ftp::services::Services;
use crate::ftp::site::NoSiteCommands;
use crate::ftp::testkit::{FtpScript, permitting};
use crate::ftp::verbs::testing;
use crate::outbox::Outbox;
use crate::rights::Rights;
use crate::slaves::{Authority, Enroll, SlavesClient, SlavesConfig, SlavesDeps};
use crate::store::{Sql, Store, StoreError};
use crate::transfer::{TransferConfig, TransferDeps};
use crate::vfs::testkit::TestVfs;
use crate::vfs::{Entry, VfsError};

/// Where the master is.
pub const MASTER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9));
/// Where clients are.
pub const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// What differs from one test to another.
pub struct Setting {
    pub slaves: u8,
    pub passive: PassiveConfig,
    pub limits: DataConfig,
    pub transfer: TransferConfig,
    pub clients: ClientsConfig,
    pub copies: CopiesConfig,
    pub fxp: FxpConfig,
    /// Who may do what; without, what holds without a file.
    pub permits: Option<&'static str>,
    pub traffic: TrafficConfig,
    /// Accounts that the store has, with their credits; without, nothing is kept of anybody.
    pub people: Vec<(Account, i64)>,
    /// What slaves announce, if not where they are.
    pub slave_announces: Option<IpAddr>,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            slaves: 1,
            passive: PassiveConfig::default(),
            limits: DataConfig::default(),
            transfer: TransferConfig::default(),
            clients: ClientsConfig::default(),
            copies: CopiesConfig::default(),
            fxp: FxpConfig::default(),
            permits: None,
            traffic: TrafficConfig::default(),
            people: Vec::new(),
            slave_announces: None,
        }
    }
}

/// A master with slaves.
pub struct Cluster {
    pub net: MemNet,
    pub at: SocketAddr,
    pub files: TestVfs,
    pub slaves: SlavesClient,
    pub data: Arc<DataSide>,
    pub logged: Probe<TransferLogged>,
    pub services: Services,
    _accounts: (Stub<LogIn>, Stub<LookUp>),
    _down: Probe<ChildDown>,
    folder: TempDir,
}

impl Cluster {
    pub async fn start(setting: Setting) -> Self {
        let net = MemNet::new();
        let clock = Clock::manual(1_800_000_000);
        let (dice, down, drain) = (Dice::seeded(1), Probe::start(), Drain::new());
        let files = TestVfs::start(&clock).await;
        let authority = Authority::in_memory(clock.clone(), dice.clone()).unwrap();
        let enroll = Enroll::new(
            files.store.clone(),
            Arc::new(authority),
            clock.clone(),
            dice.clone(),
            Duration::from_secs(3600),
        );
        let slaves = crate::slaves::start(SlavesDeps {
            config: SlavesConfig {
                listen: SocketAddr::new(MASTER, 2122),
                remerge_at_start: false,
                ..SlavesConfig::default()
            },
            net: Arc::new(net.clone()),
            files: Arc::new(files.vfs.clone()),
            enroll,
            certificates: None,
            identity: files.store.identity(),
            clock: clock.clone(),
            dice: dice.clone(),
            core: Place::here(),
            links: Place::here(),
            bus: EventBus::new(),
            drain: drain.clone(),
            parent: down.recipient(),
        });
        let slaves = slaves.await.unwrap();
        let deps = TransferDeps {
            config: setting.transfer,
            views: slaves.views(),
            ids: files.store.clone().into(),
            clock: clock.clone(),
        };
        let transfers = crate::transfer::start(&Place::here(), deps, down.recipient());
        let (bus, logged, accounts) = (EventBus::new(), Probe::start(), Stub::start(log_in));
        let names = Stub::<LookUp>::start(|_| Err(LoginError::Busy));
        bus.subscribe("test", logged.recipient());
        let mut known = AccountsClient::new(accounts.recipient(), names.recipient());
        if !setting.people.is_empty() {
            known = known.over(kept(&setting.people, &files.store, &clock, &dice).await);
        }
        let data = DataSide::new(setting.passive, setting.limits);
        let data = data.for_clients(setting.clients);
        let data = Arc::new(data.with_fxp(setting.fxp, vec![slaves.address().port()]));
        let config = setting.permits.map_or_else(Arc::default, permitting);
        let mut config = MasterConfig::clone(&config);
        config.traffic = setting.traffic;
        let services = Services {
            seconds: Seconds::for_test(setting.copies, &files.vfs, &slaves, &transfers),
            rights: Rights::fixed(Arc::new(config)),
            vfs: files.vfs.clone(),
            accounts: known,
            transfers,
            slaves: slaves.clone(),
            pages: crate::pages::Pages::none(),
            site: Arc::new(NoSiteCommands),
            net: Arc::new(net.clone()),
            clock,
            dice,
            bus,
            drain,
            config: Arc::new(FtpConfig {
                listen: vec![SocketAddr::new(MASTER, 2121)],
                ..FtpConfig::default()
            }),
            data: Arc::clone(&data),
            tls: None,
            plugins: Plugins::default(),
        };
        let server = crate::ftp::start(services.clone(), &[], Place::here(), down.recipient());
        let at = server.await.unwrap().addresses[0];
        let cluster = Self {
            net,
            at,
            files,
            slaves,
            data,
            logged,
            services,
            _accounts: (accounts, names),
            _down: down,
            folder: tempfile::tempdir().unwrap(),
        };
        for number in 1..=setting.slaves {
            cluster.add_slave(number, setting.slave_announces).await;
        }
        cluster
    }

    /// The folder of a slave's only root.
    pub fn root(&self, number: u8) -> PathBuf {
        self.folder.path().join(format!("slave-{number}"))
    }

    async fn add_slave(&self, number: u8, announces: Option<IpAddr>) {
        let name = format!("slave-{number}").parse().unwrap();
        self.slaves.add(&name, true).await.unwrap();
        let dice = Dice::seeded(number.into());
        Roots::create(&self.root(number), &dice).unwrap();
        let mut config = drftpd_slave::SlaveConfig::default();
        config.slave.name = Some(name);
        config.master.address = Some(self.slaves.address().into());
        config.link.seen = self.folder.path().join(format!("seen-{number}"));
        config.transfer.announce_address = announces;
        config.root.push(RootConfig::at(self.root(number)));
        let deps = drftpd_slave::Deps {
            net: Arc::new(self.net.at(slave_ip(number))),
            clock: Clock::manual(1_800_000_000),
            dice,
            blocking: Blocking::inline(),
            probes: Blocking::inline(),
            place: Place::here(),
            drain: Drain::new(),
            view: Arc::default(),
            reload: None,
            pretended_space: None,
        };
        actix::spawn(drftpd_slave::run(config, deps));
        let mut views = self.slaves.views();
        let all = |views: &crate::slaves::SlaveViews| {
            views.len() >= number.into() && views.values().all(|view| !view.roots.is_empty())
        };
        views.wait_for(all).await.unwrap();
    }

    /// A client that is logged in.
    pub async fn user(&self) -> FtpScript {
        self.user_named("bob").await
    }

    pub async fn user_named(&self, name: &str) -> FtpScript {
        let mut client = FtpScript::new(self.connect(self.at).await.unwrap());
        client.expect(220).await;
        client.log_in(name).await;
        client
    }

    pub async fn connect(&self, to: SocketAddr) -> std::io::Result<BoxIo> {
        self.net.connect(Some(CLIENT), to).await
    }

    /// A port of the client's.
    pub async fn listen(&self, port: u16) -> Box<dyn Listener> {
        let at = SocketAddr::new(CLIENT, port);
        self.net.bind(at).await.unwrap()
    }

    pub async fn stat(&self, path: &str) -> Result<Entry, VfsError> {
        self.files.vfs.stat(&vfs_path(path)).await
    }

    /// Whether nothing is left of any transfer: no upload, no relay, no channel on a slave, no port.
    pub async fn is_clean(&self) -> bool {
        // Heartbeats tell of the slaves' channels.
        tokio::time::sleep(Duration::from_secs(30)).await;
        settle().await;
        let views = self.slaves.views();
        let channels: u32 = views.borrow().values().map(|view| view.transfers).sum();
        let uploads = self.files.vfs.running_uploads();
        let relays = self.data.relays.counts().running;
        if (channels, uploads, relays) != (0, 0, 0) {
            println!("{channels} channels, {uploads} uploads, {relays} relays");
        }
        let held = "SELECT count(*) FROM credit_hold";
        let held = |sql: &Sql<'_>| sql.get(held, [], |row| row.get::<_, i64>(0));
        let held: Result<_, StoreError> = self.files.store.read(held);
        (channels, uploads, relays, held.unwrap()) == (0, 0, 0, Some(0))
    }
}

/// Where a slave is.
pub fn slave_ip(number: u8) -> IpAddr {
    Ipv4Addr::new(198, 51, 100, number).into()
}

pub fn vfs_path(text: &str) -> VfsPath {
    VfsPath::absolute(text.as_bytes()).unwrap()
}

/// The store as it knows these.
async fn kept(
    people: &[(Account, i64)],
    store: &Store,
    clock: &Clock,
    dice: &Dice,
) -> AccountsDeps {
    for (account, credits) in people {
        let stored = Stored {
            credits: *credits,
            ..Stored::new(account.clone(), Some("x".into()), 0)
        };
        assert!(store.change(AddAccount(stored)).await.unwrap());
    }
    AccountsDeps {
        store: store.clone(),
        people: People::new(&crate::accounts::tests::cheap(), dice).unwrap(),
        pool: Blocking::inline(),
        clock: clock.clone(),
        exempt: Vec::new(),
        outbox: Outbox::new(1000),
    }
}

/// Everybody may do everything, but Eve may not FXP.
fn log_in(msg: LogIn) -> Result<Account, LoginError> {
    Ok(Account {
        fxp: msg.user != "eve",
        overwrite: true,
        admin: true,
        ..Account::of_test(&msg.user, "users")
    })
}

/// How a client gets its data connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// PRET, then PASV.
    Pret,
    /// PASV.
    Pasv,
    /// EPSV.
    Epsv,
    /// PORT.
    Port,
    /// EPRT.
    Eprt,
}

/// All of them.
pub const ALL: [How; 5] = [How::Pret, How::Pasv, How::Epsv, How::Port, How::Eprt];

/// A data connection to be, of a client.
pub enum Data {
    Open(BoxIo),
    Listening(Box<dyn Listener>),
}

impl Data {
    /// The connection, after the transfer's verb was sent.
    pub async fn io(self) -> BoxIo {
        match self {
            Self::Open(io) => io,
            Self::Listening(listener) => listener.accept().await.unwrap().adopt().unwrap(),
        }
    }
}

/// Agrees on a data connection for a verb.
pub async fn agree(cluster: &Cluster, client: &mut FtpScript, how: How, line: &str) -> Data {
    match how {
        How::Pret => {
            client.ask(&format!("PRET {line}"), 200).await;
            let at = testing::address(&client.ask("PASV", 227).await);
            Data::Open(cluster.connect(at).await.unwrap())
        }
        How::Pasv => {
            let at = testing::address(&client.ask("PASV", 227).await);
            assert_eq!(at.ip(), MASTER);
            Data::Open(cluster.connect(at).await.unwrap())
        }
        How::Epsv => {
            let port = testing::port(&client.ask("EPSV", 229).await);
            let at = SocketAddr::new(MASTER, port);
            Data::Open(cluster.connect(at).await.unwrap())
        }
        How::Port => {
            let listener = cluster.listen(5000).await;
            client.ask("PORT 192,0,2,1,19,136", 200).await;
            Data::Listening(listener)
        }
        How::Eprt => {
            let listener = cluster.listen(5001).await;
            client.ask("EPRT |1|192.0.2.1|5001|", 200).await;
            Data::Listening(listener)
        }
    }
}

/// Sends a file; gives the last reply.
pub async fn put(
    cluster: &Cluster,
    client: &mut FtpScript,
    how: How,
    line: &str,
    bytes: &[u8],
) -> String {
    let data = agree(cluster, client, how, line).await;
    client.ask(line, 150).await;
    let mut io = data.io().await;
    io.write_all(bytes).await.unwrap();
    io.shutdown().await.unwrap();
    let end = client.reply().await;
    assert_eq!(&end[..3], "226", "{how:?} {line}: {end}");
    end
}

/// Fetches a file.
pub async fn get(cluster: &Cluster, client: &mut FtpScript, how: How, line: &str) -> Vec<u8> {
    let data = agree(cluster, client, how, line).await;
    client.ask(line, 150).await;
    let mut io = data.io().await;
    let mut bytes = Vec::new();
    io.read_to_end(&mut bytes).await.unwrap();
    drop(io);
    let end = client.reply().await;
    assert_eq!(&end[..3], "226", "{how:?} {line}: {end}");
    bytes
}

/// Bytes that are not all the same.
pub fn some_bytes(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    Dice::seeded(count as u64).fill(&mut bytes);
    bytes
}

/// The name in `FILE: name` of a reply.
pub fn made_name(reply: &str) -> Name {
    let name = reply.split("FILE: ").nth(1).unwrap();
    let end = name.find([',', '\r']).unwrap();
    Name::new(name.as_bytes()[..end].to_vec()).unwrap()
}
