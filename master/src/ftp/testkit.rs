//! For tests: a site over a network in memory, and a client that sends lines and expects codes.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use drftpd_actors::testkit::{MemNet, Probe, Stub};
use drftpd_actors::{BoxIo, ChildDown, Clock, Dice, Drain, EventBus, Net, Place, Secured};
use drftpd_protocol::{RootId, SlaveId, VfsPath};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::timeout;

use super::config::FtpConfig;
use super::data::reach::ActiveBy;
use super::data::{ClientsConfig, DataSide};
use super::services::Services;
use super::site::{NoSiteCommands, SiteTable};
use super::{FtpServer, start};
use crate::accounts::messages::{LogIn, LookUp};
use crate::accounts::{Account, AccountsClient, LoginError, Whose};
use crate::config::MasterConfig;
use crate::copies::{CopiesConfig, Seconds};
use crate::extend::Plugins;
use crate::pages::Pages;
use crate::rights::{self, Rights};
use crate::slaves::testkit::Rig;
use crate::store::Case;
use crate::tls::testkit::TestTls;
use crate::transfer::{TransferConfig, TransferDeps};
use crate::vfs::testkit::TestVfs;
use crate::vfs::{Owner, PreparedBytes, UploadMode};

/// Simulated time after which a reply that does not come fails the test.
const PATIENCE: Duration = Duration::from_secs(3600);

/// A site that runs on this thread.
pub struct Site {
    pub net: MemNet,
    pub server: FtpServer,
    pub drain: Drain,
    pub clock: Clock,
    pub down: Probe<ChildDown>,
    pub accounts: Stub<LogIn>,
    pub names: Stub<LookUp>,
    pub files: TestVfs,
    /// Where scripted slaves come in.
    pub(crate) slaves: Rig,
    /// What its sessions were given.
    pub services: Services,
    /// Says what is permitted.
    config: watch::Sender<Arc<MasterConfig>>,
}

/// A configuration with these permissions, in DrFTPD's form.
pub(in crate::ftp) fn permitting(lines: &str) -> Arc<MasterConfig> {
    let mut config = MasterConfig::default();
    config.rights.rules = Arc::new(rights::read::lines(lines, Case::Sensitive).unwrap());
    Arc::new(config)
}

/// Everybody's password.
pub const PASSWORD: &str = "secret";

/// What holds where a test says nothing else.
const OPERATORS_ALONE: &str = "
privpath * =siteop
download * =siteop
upload * =siteop
makedir * =siteop
resume * =siteop
delete * =siteop
rename * =siteop
settime * =siteop
";

/// Bob, Eve, Dora and Finn are administrators, but Dora may not overwrite and Finn not FXP. Ann of the staff, Carl and the
/// guest are none. For "busy" there are always too many logins.
fn log_in(msg: LogIn) -> Result<Account, LoginError> {
    match msg.user.as_str() {
        "busy" => Err(LoginError::Busy),
        name if msg.password == PASSWORD.as_bytes() => account(name).ok_or(LoginError::Incorrect),
        _ => Err(LoginError::Incorrect),
    }
}

fn look_up(msg: LookUp) -> Result<Whose, LoginError> {
    match msg.user.as_str() {
        "busy" => Err(LoginError::Busy),
        name => Ok(account(name).map_or(Whose::Nobody(name.len() as u64), Whose::Account)),
    }
}

fn account(name: &str) -> Option<Account> {
    let admin = ["bob", "eve", "dora", "finn"].contains(&name);
    let known = admin || ["ann", "carl", "guest"].contains(&name);
    known.then(|| Account {
        admin,
        fxp: admin && name != "finn",
        overwrite: name != "dora",
        ..Account::of_test(name, if name == "ann" { "staff" } else { "users" })
    })
}

impl Site {
    /// A site without limits that a test would hit by accident.
    pub async fn start(edit: impl FnOnce(&mut FtpConfig)) -> Self {
        Self::with(edit, Arc::new(NoSiteCommands)).await
    }

    pub async fn with(edit: impl FnOnce(&mut FtpConfig), site: Arc<dyn SiteTable>) -> Self {
        let (data, plugins) = (DataSide::default(), Plugins::default());
        Self::build(edit, site, (data, plugins), None).await
    }

    /// A site with plugins.
    pub async fn with_plugins(plugins: Plugins) -> Self {
        let site = Arc::new(NoSiteCommands);
        Self::build(|_| {}, site, (DataSide::default(), plugins), None).await
    }

    /// A site with data connections of its own sort.
    pub async fn with_data(data: DataSide) -> Self {
        let (site, plugins) = (Arc::new(NoSiteCommands), Plugins::default());
        Self::build(|_| {}, site, (data, plugins), None).await
    }

    /// A site with TLS; at port 990 it begins with the first byte.
    pub async fn with_tls(tls: &TestTls) -> Self {
        let clients = ClientsConfig {
            active: ActiveBy::Slave,
            ..ClientsConfig::default()
        };
        let data = DataSide::default().for_clients(clients);
        let (site, plugins) = (Arc::new(NoSiteCommands), Plugins::default());
        Self::build(|_| {}, site, (data, plugins), Some(tls)).await
    }

    async fn build(
        edit: impl FnOnce(&mut FtpConfig),
        site: Arc<dyn SiteTable>,
        (data, plugins): (DataSide, Plugins),
        tls: Option<&TestTls>,
    ) -> Self {
        let mut config = FtpConfig {
            listen: vec!["127.0.0.1:21".parse().unwrap()],
            greeting: "Hello".to_owned(),
            ..FtpConfig::default()
        };
        edit(&mut config);
        let (net, drain, clock) = (MemNet::new(), Drain::new(), Clock::manual(1_000));
        let (down, accounts) = (Probe::start(), Stub::start(log_in));
        let names = Stub::start(look_up);
        let files = TestVfs::start(&clock).await;
        let slaves = Rig::beside(&net, &clock).await;
        let deps = TransferDeps {
            config: TransferConfig::default(),
            views: slaves.client.views(),
            ids: files.store.clone().into(),
            clock: clock.clone(),
        };
        let transfers = crate::transfer::start(&Place::here(), deps, down.recipient());
        let (vfs, to) = (&files.vfs, &slaves.client);
        let config_of_rights = watch::Sender::new(permitting(OPERATORS_ALONE));
        let services = Services {
            rights: Rights::of(config_of_rights.subscribe()),
            seconds: Seconds::for_test(CopiesConfig::default(), vfs, to, &transfers),
            vfs: files.vfs.clone(),
            accounts: AccountsClient::new(accounts.recipient(), names.recipient()),
            transfers,
            slaves: slaves.client.clone(),
            site,
            pages: Pages::of(config_of_rights.subscribe()),
            net: Arc::new(net.clone().with_tls()),
            clock: clock.clone(),
            dice: Dice::seeded(1),
            bus: EventBus::new(),
            drain: drain.clone(),
            config: Arc::new(config),
            data: Arc::new(data),
            tls: tls.map(|tls| tls.tls.clone()),
            plugins,
        };
        let implicit = tls.map(|_| "127.0.0.1:990".parse().unwrap());
        let server = start(
            services.clone(),
            implicit.as_slice(),
            Place::here(),
            down.recipient(),
        )
        .await
        .unwrap();
        Self {
            net,
            server,
            drain,
            clock,
            down,
            accounts,
            names,
            files,
            slaves,
            services,
            config: config_of_rights,
        }
    }

    /// From now on these permissions count, in DrFTPD's form.
    pub fn permits(&self, lines: &str) {
        self.config.send_replace(permitting(lines));
    }

    /// From now on users are shown these pages.
    pub fn shows(&self, mut pages: crate::pages::PagesConfig) {
        let mut config = MasterConfig::clone(&self.config.borrow());
        pages.read(&config.rights.rules).unwrap();
        config.pages = pages;
        self.config.send_replace(Arc::new(config));
    }

    /// A connection that has not read its greeting.
    pub async fn connect(&self, from: Option<IpAddr>) -> FtpScript {
        FtpScript::new(self.net.connect(from, self.address()).await.unwrap())
    }

    /// A client that was greeted.
    pub async fn client(&self) -> FtpScript {
        let mut client = self.connect(None).await;
        client.expect(220).await;
        client
    }

    /// A client that is logged in.
    pub async fn user(&self) -> FtpScript {
        let mut client = self.client().await;
        client.log_in("bob").await;
        client
    }

    /// Puts a complete file into the file list, held by a root that no slave shows.
    pub async fn file(&self, path: &str, content: &[u8], crc32: Option<u32>) {
        let (path, vfs) = (VfsPath::absolute(path.as_bytes()).unwrap(), &self.files.vfs);
        let (root, slave) = (RootId([1; 16]), SlaveId::new("a").unwrap());
        vfs.root_shown(root, &slave).await.unwrap();
        let owner = bob();
        let begun = vfs.begin_upload(&path, UploadMode::Store, owner, root);
        let file = begun.await.unwrap().file;
        let bytes = PreparedBytes {
            size: content.len() as u64,
            crc32: crc32.unwrap_or_default(),
            blake3: None,
            received: content.len() as u64,
        };
        vfs.commit_upload(file, root, bytes).await.unwrap();
    }

    pub fn address(&self) -> SocketAddr {
        self.server.addresses[0]
    }
}

/// Whose files are in tests.
pub fn bob() -> Owner {
    Owner {
        user: "bob".to_owned(),
        group: "users".to_owned(),
    }
}

/// An absolute path.
pub fn path(text: &str) -> VfsPath {
    VfsPath::absolute(text.as_bytes()).unwrap()
}

/// The client's side of a handshake.
pub async fn dial_tls(io: BoxIo, client: &Arc<ClientConfig>) -> std::io::Result<Secured> {
    let net = MemNet::new().with_tls();
    let name = ServerName::try_from("localhost").unwrap();
    net.dial_tls(io, Arc::clone(client), name).await
}

/// A client that sends what the test says and shows every reply.
pub struct FtpScript {
    io: Option<BoxIo>,
    buffer: Vec<u8>,
}

impl FtpScript {
    pub fn new(io: BoxIo) -> Self {
        Self {
            io: Some(io),
            buffer: Vec::new(),
        }
    }

    fn io(&mut self) -> &mut BoxIo {
        self.io.as_mut().expect("a connection")
    }

    /// Begins TLS on it; tells whether a session was resumed.
    pub async fn secure(&mut self, client: &Arc<ClientConfig>) -> bool {
        let secured = dial_tls(self.io.take().expect("a connection"), client).await;
        let secured = secured.expect("a handshake");
        self.io = Some(secured.io);
        secured.resumed
    }

    /// AUTH TLS and the handshake.
    pub async fn auth(&mut self, client: &Arc<ClientConfig>) {
        self.ask("AUTH TLS", 234).await;
        assert!(!self.secure(client).await);
    }

    /// Takes the connection as it is, to close it in one's own way.
    pub fn into_io(mut self) -> BoxIo {
        self.io.take().expect("a connection")
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // Where the session has ended already, reading shows it.
        self.io().write_all(bytes.as_ref()).await.ok();
        self.io().flush().await.ok();
    }

    /// Closes this side.
    pub async fn finish(&mut self) {
        self.io().shutdown().await.ok();
    }

    pub async fn log_in(&mut self, user: &str) {
        self.ask(&format!("USER {user}"), 331).await;
        self.ask(&format!("PASS {PASSWORD}"), 230).await;
    }

    /// Sends a line and expects a code; gives the whole reply.
    pub async fn ask(&mut self, line: &str, code: u16) -> String {
        self.send(format!("{line}\r\n")).await;
        let reply = self.reply().await;
        assert_eq!(&reply[..3], code.to_string(), "{line}: {reply}");
        reply
    }

    /// Expects a reply; gives the whole of it.
    pub async fn expect(&mut self, code: u16) -> String {
        let reply = self.reply().await;
        assert_eq!(&reply[..3], code.to_string(), "{reply}");
        reply
    }

    /// The next whole reply.
    pub async fn reply(&mut self) -> String {
        loop {
            if let Some(end) = end_of_reply(&self.buffer) {
                let reply: Vec<u8> = self.buffer.drain(..end).collect();
                return String::from_utf8_lossy(&reply).into_owned();
            }
            assert!(self.read().await, "closed in the middle: {:?}", self.seen());
        }
    }

    /// Expects the connection to end with nothing more said.
    pub async fn closed(&mut self) {
        while self.read().await {}
        assert!(self.buffer.is_empty(), "more came: {:?}", self.seen());
    }

    /// Everything up to the end of the connection.
    pub async fn rest(&mut self) -> String {
        while self.read().await {}
        self.seen()
    }

    /// What came and was not taken yet.
    pub fn seen(&self) -> String {
        String::from_utf8_lossy(&self.buffer).into_owned()
    }

    /// Reads once: what one segment would bring. Tells whether anything came before the end.
    pub async fn read(&mut self) -> bool {
        let mut chunk = [0; 4096];
        let read = timeout(PATIENCE, self.io().read(&mut chunk)).await;
        let count = read.expect("a reply or the end").unwrap_or(0);
        self.buffer.extend_from_slice(&chunk[..count]);
        count > 0
    }
}

/// Where the first whole reply ends.
fn end_of_reply(bytes: &[u8]) -> Option<usize> {
    let mut end = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        end += line.len();
        let is_last = line.len() > 3 && line[3] == b' ' && line[..3].iter().all(u8::is_ascii_digit);
        if line.ends_with(b"\n") && is_last {
            return Some(end);
        }
    }
    None
}
