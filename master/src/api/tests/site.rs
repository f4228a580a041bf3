//! A master's store with the API over it, and a client that speaks HTTP by hand.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use drftpd_actors::testkit::{MemNet, Probe};
use drftpd_actors::{Blocking, BoxIo, ChildDown, Clock, Dice, Drain, EventBus, Health, Net};
use drftpd_protocol::{RootId, SlaveId, VfsPath};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;

use crate::accounts::People;
use crate::admin::Facilities;
use crate::api::tokens::{CreateToken, Secret, TokenRow};
use crate::api::{Api, ApiConfig, Scopes, Shared, Told, Vital, events};
use crate::config::MasterConfig;
use crate::deps::Deps;
use crate::events::ConflictKept;
use crate::rights::Rights;
use crate::slaves::{Authority, Enroll};
use crate::store::{Case, Store};

/// Where the API listens.
const AT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 8022);
const NOW: i64 = 1_800_000_000;

pub(super) struct Site {
    pub net: MemNet,
    pub clock: Clock,
    pub drain: Drain,
    pub full: watch::Sender<bool>,
    pub of: Arc<Facilities>,
    /// What a reload would change.
    pub current: watch::Sender<Arc<MasterConfig>>,
    bus: EventBus,
    dice: Dice,
    api: Option<Api>,
    _down: Probe<ChildDown>,
    _dir: TempDir,
}

impl Site {
    pub async fn start() -> Self {
        Self::with(ApiConfig::default()).await
    }

    pub async fn with(api: ApiConfig) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (clock, dice) = (Clock::manual(NOW), Dice::seeded(1));
        let mut config = MasterConfig::default();
        config.master.dir = dir.path().to_owned();
        config.api = ApiConfig {
            listen: vec![AT],
            ..api
        };
        let store = config.master.store();
        let store = Store::inline(&store, &config.store, Case::Sensitive, &clock, &dice).unwrap();
        let authority = config.master.authority();
        let authority = Authority::open(&authority, clock.clone(), dice.clone()).unwrap();
        let lifetime = config.slaves.token_lifetime;
        let authority = Arc::new(authority);
        let enroll = Enroll::new(
            store.clone(),
            authority,
            clock.clone(),
            dice.clone(),
            lifetime,
        );
        let of = Arc::new(Facilities {
            store,
            enroll,
            people: People::new(&config.accounts, &dice).unwrap(),
            clock: clock.clone(),
            dice: dice.clone(),
            blocking: Blocking::new(1),
            config: Arc::new(config.clone()),
            weak: Vec::new(),
            rights: Rights::fixed(Arc::new(config.clone())),
            online: OnceLock::new(),
        });
        let (drain, bus, net) = (Drain::new(), EventBus::new(), MemNet::new());
        let (full, told_full) = watch::channel(false);
        let vital = Vital {
            health: Health::new(),
            within: config.admin.alive_within,
            full: told_full,
        };
        let told = Told::new(config.api.events_kept);
        let down = Probe::start();
        events::hear(&bus, &told, down.recipient());
        let (current, counts) = watch::channel(Arc::new(config.clone()));
        let shared = Shared::new(
            Arc::clone(&of),
            vital,
            (drain.clone(), told),
            counts.clone(),
        );
        let deps = Deps::simulated(Arc::new(net.at(AT.ip())), clock.clone(), dice.clone());
        let api = Api::start(&config, &deps, shared, (counts, None))
            .await
            .unwrap();
        assert_eq!(api.own, [AT]);
        Self {
            net,
            clock,
            drain,
            full,
            of,
            current,
            bus,
            dice,
            api: Some(api),
            _down: down,
            _dir: dir,
        }
    }

    /// A new token.
    pub async fn token(&self, name: &str, scopes: &[&str], seconds: i64) -> String {
        let secret = Secret::new(&self.dice);
        let now = self.clock.unix();
        let row = TokenRow {
            name: name.to_owned(),
            scopes: Scopes::asked(scopes, &crate::admin::Commands::and([])).unwrap(),
            created: now,
            expires: now + seconds,
            used: None,
            creator: "test".to_owned(),
        };
        let hash = secret.hash();
        self.of
            .store
            .change(CreateToken { row, hash })
            .await
            .unwrap();
        secret.show().to_owned()
    }

    /// Ends it as the master's end does.
    pub async fn close(&mut self, limit: Duration) {
        self.api.take().unwrap().close(limit).await;
    }

    /// Whether anybody listens.
    pub async fn listens(&self) -> bool {
        self.net.at([10, 0, 0, 9]).connect(None, AT).await.is_ok()
    }

    /// Something happens.
    pub fn happens(&self, path: &str) {
        self.bus.publish(ConflictKept {
            slave: SlaveId::new("a").unwrap(),
            root: RootId([1; 16]),
            path: VfsPath::absolute(path.as_bytes()).unwrap(),
        });
    }

    pub async fn post(&self, token: &str, path: &str, body: &str) -> Answered {
        self.ask(Asked::post(path).with(token).body(body)).await
    }

    pub async fn connect(&self, from: IpAddr) -> BoxIo {
        self.net.at(from).connect(None, AT).await.unwrap()
    }

    /// Asks on a connection of its own.
    pub async fn ask(&self, asked: Asked) -> Answered {
        let mut io = self.connect(asked.from).await;
        io.write_all(asked.text().as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        io.read_to_end(&mut answer).await.unwrap();
        Answered::read(&answer)
    }

    /// Follows events.
    pub async fn follow(&self, token: &str, path: &str) -> Follower {
        let asked = Asked::new("GET", path).with(token);
        let mut io = self.connect(asked.from).await;
        io.write_all(asked.text().as_bytes()).await.unwrap();
        let mut follower = Follower {
            io,
            raw: Vec::new(),
            plain: String::new(),
        };
        let head = loop {
            match follower.raw.windows(4).position(|it| it == b"\r\n\r\n") {
                Some(at) => break follower.raw.drain(..at + 4).collect::<Vec<_>>(),
                None => follower.more().await,
            }
        };
        let head = String::from_utf8(head).unwrap().to_lowercase();
        assert!(
            head.starts_with("http/1.1 200 ") && head.contains("text/event-stream"),
            "{head}"
        );
        follower
    }
}

/// One request.
pub(super) struct Asked {
    from: IpAddr,
    method: &'static str,
    path: String,
    headers: String,
    body: String,
}

impl Asked {
    pub fn new(method: &'static str, path: &str) -> Self {
        Self {
            from: Ipv4Addr::new(10, 0, 0, 9).into(),
            method,
            path: path.to_owned(),
            headers: String::new(),
            body: String::new(),
        }
    }

    pub fn post(command: &str) -> Self {
        Self::new("POST", &format!("/api/v1/{command}"))
    }

    pub fn with(self, token: &str) -> Self {
        self.header(&format!("authorization: Bearer {token}"))
    }

    pub fn header(mut self, line: &str) -> Self {
        self.headers += &format!("{line}\r\n");
        self
    }

    pub fn body(mut self, body: &str) -> Self {
        self.body = body.to_owned();
        self
    }

    pub fn from(mut self, last: u8) -> Self {
        self.from = Ipv4Addr::new(10, 0, 0, last).into();
        self
    }

    fn text(&self) -> String {
        let Self {
            method,
            path,
            headers,
            body,
            ..
        } = self;
        let long = body.len();
        format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}content-length: {long}\r\n\r\n{body}"
        )
    }
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answered {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answered {
    fn read(bytes: &[u8]) -> Self {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|it| it.parse().ok());
        Self {
            status: status.unwrap_or(0),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|why| panic!("{why}: {self:?}"))
    }
}

/// A stream of events that is read.
pub(super) struct Follower {
    io: BoxIo,
    raw: Vec<u8>,
    plain: String,
}

impl Follower {
    async fn more(&mut self) {
        let mut piece = [0; 4096];
        let read = self.io.read(&mut piece).await.unwrap();
        assert!(read > 0, "the stream ended: {:?}", self.plain);
        self.raw.extend_from_slice(&piece[..read]);
    }

    /// The next event or comment.
    pub async fn block(&mut self) -> String {
        loop {
            if let Some(at) = self.plain.find("\n\n") {
                return self.plain.drain(..at + 2).collect();
            }
            while !self.chunk() {
                self.more().await;
            }
        }
    }

    /// Takes one chunk, if it is whole.
    fn chunk(&mut self) -> bool {
        let Some(at) = self.raw.windows(2).position(|it| it == b"\r\n") else {
            return false;
        };
        let size = std::str::from_utf8(&self.raw[..at]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        let end = at + 2 + size + 2;
        if self.raw.len() < end {
            return false;
        }
        self.plain += std::str::from_utf8(&self.raw[at + 2..end - 2]).unwrap();
        self.raw.drain(..end);
        true
    }
}
