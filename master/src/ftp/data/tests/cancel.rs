//! Cut at every step: a verb's future is dropped after its first poll, after its second, and so on until it comes to its
//! end; and every time nothing must be left of it.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use drftpd_actors::testkit::{Probe, Stub, sim};
use drftpd_protocol::SessionId;
use futures_util::future::LocalBoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;

use super::cluster::*;
use crate::accounts::Account;
use crate::accounts::ratio::Ratio;
use crate::ftp::client::{Doors, SessionsClient};
use crate::ftp::data::{Endpoint, PassiveConfig, Reach};
use crate::ftp::guard::Cleanup;
use crate::ftp::live::Live;
use crate::ftp::messages::{
    ClientNamed, KickSession, ListSessions, LoginChanged, MoveOver, TakeLogin, TakeMove,
};
use crate::ftp::moves::Moves;
use crate::ftp::services::VerbCx;
use crate::ftp::state::{Change, State};
use crate::ftp::verbs::testing::address;
use crate::ftp::verbs::{self, Arg, VerbResult};
use crate::ftp::writer;

/// No transfer here takes more polls.
const MOST: usize = 200;

/// A future that is dropped after so many polls.
struct Cut {
    verb: LocalBoxFuture<'static, VerbResult>,
    polls: usize,
}

impl Future for Cut {
    type Output = Option<VerbResult>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls == 0 {
            return Poll::Ready(None);
        }
        self.polls -= 1;
        self.verb.as_mut().poll(cx).map(Some)
    }
}

/// Somebody who pays for what he takes.
fn bob() -> Account {
    Account {
        admin: true,
        fxp: true,
        overwrite: true,
        ratio: Ratio::ONE,
        ..Account::of_test("bob", "users")
    }
}

/// A session without its actor: what verbs see of one.
struct Session {
    state: State,
    cleanup: Cleanup,
    endpoint: Option<Endpoint>,
    _replies: JoinHandle<()>,
    cx: Box<dyn Fn(Rc<State>, Option<Endpoint>) -> VerbCx>,
}

impl Session {
    fn new(cluster: &Cluster) -> Self {
        let (near, far) = tokio::io::duplex(1 << 20);
        let (out, _end) = writer::start(near, Duration::from_secs(60));
        let (peer, id) = ((CLIENT, 40_000).into(), SessionId(7));
        let (live, _row) = Live::new(id, peer, 0);
        let list = Stub::<ListSessions>::start(|_| Vec::new());
        let kick = Stub::<KickSession>::start(|_| false);
        let login = Probe::<LoginChanged>::start();
        let named = Stub::<ClientNamed>::start(|_| Ok(()));
        let moves = Stub::<TakeMove>::start(|msg| {
            let (account, way) = (msg.account, msg.way);
            Moves::default().begin(msg.session.0, &account, way, msg.expected)
        });
        let sessions = SessionsClient::new(Doors {
            list: list.recipient(),
            kick: kick.recipient(),
            login: login.recipient(),
            named: named.recipient(),
            take: Stub::<TakeLogin>::start(|_| Ok(())).recipient(),
            moves: moves.recipient(),
            over: Probe::<MoveOver>::start().recipient(),
        });
        let (services, cleanup) = (Rc::new(cluster.services.clone()), Cleanup::default());
        let (local, undo) = (cluster.at, cleanup.clone());
        let cx = move |state, endpoint| VerbCx {
            session: id,
            peer,
            local,
            via: None,
            state,
            endpoint,
            services: Rc::clone(&services),
            reach: Reach::default(),
            cleanup: undo.clone(),
            live: live.clone(),
            sessions: sessions.clone(),
            out: out.clone(),
            opened: Rc::default(),
        };
        let mut state = State::default();
        state.apply(Change::LoggedIn(Arc::new(bob())));
        Self {
            state,
            cleanup,
            endpoint: None,
            _replies: actix::spawn(swallow(far)),
            cx: Box::new(cx),
        }
    }

    /// Carries out a line, or only the first polls of it.
    async fn say(&mut self, line: &str, polls: usize) -> Option<String> {
        let (name, arg) = line.split_once(' ').unwrap_or((line, ""));
        let verb = verbs::find(name).unwrap();
        let endpoint = self.endpoint.take_if(|_| verb.kind == verbs::Kind::Data);
        let cx = (self.cx)(Rc::new(self.state.clone()), endpoint);
        let verb = (verb.run)(cx, Arg::new(arg.as_bytes().to_vec()));
        let done = Cut { verb, polls }.await?;
        let done = done.unwrap_or_else(|why| panic!("{line}: {why}"));
        if let Some(endpoint) = self.state.apply(done.change) {
            self.endpoint = endpoint;
        }
        Some(String::from_utf8_lossy(&done.reply.to_bytes()).into_owned())
    }
}

async fn swallow(mut replies: DuplexStream) {
    tokio::io::copy(&mut replies, &mut tokio::io::sink())
        .await
        .ok();
}

/// Where nothing can be left without the next transfer failing: one slot, one relay, one port.
async fn narrow() -> Cluster {
    let mut setting = Setting {
        passive: PassiveConfig {
            ports: "50000".parse().unwrap(),
            relay_max: 1,
            ..PassiveConfig::default()
        },
        people: vec![(bob(), 1 << 40)],
        ..Setting::default()
    };
    setting.transfer.max_slots = 1;
    Cluster::start(setting).await
}

/// Both ways at once: sends a little and reads all there is.
async fn client(data: Data) {
    let (mut read, mut write) = tokio::io::split(data.io().await);
    let send = async {
        write.write_all(b"some").await.ok();
        write.shutdown().await.ok();
    };
    let mut all = Vec::new();
    let (_, _) = tokio::join!(send, read.read_to_end(&mut all));
}

/// Sets up a transfer and cuts it; tells whether it came to its end before.
async fn transfer(cluster: &Cluster, how: How, line: &str, polls: usize) -> bool {
    let mut bob = Session::new(cluster);
    let data = match how {
        How::Port => {
            let listener = cluster.listen(5000).await;
            bob.say("PORT 192,0,2,1,19,136", MOST).await;
            Data::Listening(listener)
        }
        how => {
            if how == How::Pret {
                bob.say(&format!("PRET {line}"), MOST).await;
            }
            let at = address(&bob.say("PASV", MOST).await.unwrap());
            Data::Open(cluster.connect(at).await.unwrap())
        }
    };
    let client = actix::spawn(client(data));
    let done = bob.say(line, polls).await;
    assert!(
        bob.cleanup.settled(Duration::from_secs(60)).await,
        "not given back"
    );
    client.abort();
    done.inspect(|reply| assert!(reply.starts_with("226"), "{reply}"))
        .is_some()
}

fn cut_everywhere(how: How, line: &str) {
    sim(async {
        let cluster = narrow().await;
        let mut eve = cluster.user().await;
        let bytes = some_bytes(500_000);
        put(&cluster, &mut eve, How::Pasv, "STOR x", &bytes).await;
        let mut polls = 0;
        while !transfer(&cluster, how, line, polls).await {
            assert!(
                cluster.is_clean().await,
                "{how:?} {line} cut after {polls} polls"
            );
            polls += 1;
            assert!(polls < MOST, "{how:?} {line} never comes to its end");
        }
        assert!(polls >= 2, "not cut anywhere");
        assert!(cluster.is_clean().await);
        assert!(transfer(&cluster, How::Pret, "STOR new", MOST).await);
        assert!(transfer(&cluster, How::Pasv, "RETR new", MOST).await);
    });
}

#[test]
fn relayed_uploads_leave_nothing() {
    cut_everywhere(How::Pasv, "STOR new");
}

#[test]
fn relayed_downloads_leave_nothing() {
    cut_everywhere(How::Pasv, "RETR x");
}

#[test]
fn announced_uploads_leave_nothing() {
    cut_everywhere(How::Pret, "STOR new");
}

#[test]
fn announced_downloads_leave_nothing() {
    cut_everywhere(How::Pret, "RETR x");
}

#[test]
fn dialled_uploads_leave_nothing() {
    cut_everywhere(How::Port, "STOR new");
}

#[test]
fn dialled_downloads_leave_nothing() {
    cut_everywhere(How::Port, "RETR x");
}

#[test]
fn listings_leave_nothing() {
    cut_everywhere(How::Pasv, "LIST");
}

#[test]
fn a_pasv_that_is_cut_leaves_no_slot() {
    sim(async {
        let cluster = narrow().await;
        for line in ["PRET STOR new", "PRET LIST"] {
            for polls in 0.. {
                let mut bob = Session::new(&cluster);
                bob.say(line, MOST).await;
                let done = bob.say("PASV", polls).await;
                drop(bob.endpoint.take());
                assert!(bob.cleanup.settled(Duration::from_secs(60)).await);
                assert!(cluster.is_clean().await, "{line}: cut after {polls} polls");
                if done.is_some() {
                    break;
                }
            }
        }
        assert!(transfer(&cluster, How::Pret, "STOR new", MOST).await);
    });
}
