//! The actor with a scripted authority and a keeper that shows what comes of it. Days pass in no time.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::Addr;
use drftpd_actors::testkit::{Probe, settle, sim};
use drftpd_actors::{Blocking, Budget, ChildDown, ChildSpec, Clock, Dice, Place, supervise};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use tokio::sync::watch;
use tokio::time::sleep;

use super::actor::Deps;
use super::error::{AcmeError, Failed};
use super::files::Folder;
use super::order::Issuer;
use super::plan::{Record, Window};
use super::{Acme, AcmeConfig, NAME};
use crate::config::MasterConfig;
use crate::tls::identity::Files;
use crate::tls::{Keeper, own};

const NOW: i64 = 1_800_000_000;
const DAY: Duration = Duration::from_secs(86_400);

/// A certificate with its key, PEM, for these names and about ten years from now on.
pub(super) fn pem(names: &[&str]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let files = Files {
        certificate: dir.path().join("c"),
        key: dir.path().join("k"),
    };
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    own::make(&files, names, &Clock::manual(NOW), &Dice::system()).unwrap();
    let read = |path| std::fs::read_to_string(path).unwrap();
    read(files.key) + &read(files.certificate)
}

enum Says {
    Gives(&'static str),
    Fails(Option<Duration>),
    Panics,
}

/// Says what stands in its script, then nothing any more.
#[derive(Default)]
struct Scripted {
    script: Mutex<VecDeque<Says>>,
    window: Mutex<Option<Window>>,
    orders: Mutex<Vec<Option<Vec<u8>>>>,
}

impl Issuer for Scripted {
    fn order(&self, replaces: Option<Vec<u8>>) -> LocalBoxFuture<'_, Result<String, Failed>> {
        self.orders.lock().unwrap().push(replaces);
        let next = self.script.lock().unwrap().pop_front();
        async move {
            match next {
                Some(Says::Gives(name)) => Ok(pem(&[name])),
                Some(Says::Fails(wish)) => Err(Failed {
                    why: AcmeError::NotProved("a.example: no route".to_owned()),
                    wish,
                }),
                Some(Says::Panics) => panic!("on purpose"),
                None => std::future::pending().await,
            }
        }
        .boxed_local()
    }

    fn window(&self, _: Vec<u8>) -> LocalBoxFuture<'_, Result<Option<Window>, Failed>> {
        let window = *self.window.lock().unwrap();
        async move { Ok(window) }.boxed_local()
    }
}

struct Rig {
    config: MasterConfig,
    issuer: Arc<Scripted>,
    clock: Clock,
    keeper: Keeper,
    reload: watch::Sender<Arc<MasterConfig>>,
    parent: Probe<ChildDown>,
    _acme: Addr<Acme>,
}

impl Rig {
    fn new(dir: &Path, script: impl IntoIterator<Item = Says>) -> Self {
        let mut config = MasterConfig::default();
        config.master.dir = dir.to_owned();
        config.tls.acme = Some(AcmeConfig {
            domains: vec!["a.example".to_owned()],
            ..AcmeConfig::default()
        });
        let (clock, dice) = (Clock::manual(NOW), Dice::seeded(1));
        let (reload, again) = watch::channel(Arc::new(config.clone()));
        let inline = Blocking::inline();
        let keeper = Keeper::start(again, &clock, &dice, inline).unwrap();
        let issuer = Scripted::default();
        issuer.script.lock().unwrap().extend(script);
        let issuer = Arc::new(issuer);
        let given = Deps {
            config: config.tls.acme.clone().unwrap(),
            folder: Folder::of(&config),
            issuer: Arc::clone(&issuer) as Arc<dyn Issuer>,
            look: keeper.look.clone(),
            clock: clock.clone(),
            dice,
            blocking: Blocking::inline(),
            again: Some(reload.subscribe()),
        };
        let parent = Probe::start();
        let spec = ChildSpec::new(NAME, 16, Budget::PLUGIN, parent.recipient());
        let acme = supervise(&Place::here(), spec, move || Acme::new(given));
        Self {
            config,
            issuer,
            clock,
            keeper,
            reload,
            parent,
            _acme: acme,
        }
    }

    fn folder(&self) -> Folder {
        Folder::of(&self.config)
    }

    fn record(&self) -> Record {
        self.folder().record().unwrap()
    }

    fn orders(&self) -> usize {
        self.issuer.orders.lock().unwrap().len()
    }

    /// Whether clients see what lies in the folder.
    fn shows_ordered(&self) -> bool {
        let held = self.folder().held().unwrap();
        let shown = self.keeper.certificates.borrow().wire.chain[0].0.clone();
        held.is_some_and(|held| held.der == shown)
    }

    /// Time goes by, for the clock on the wall too; what is due then happens.
    async fn pass(&self, time: Duration) {
        self.clock.advance(time);
        // Nothing looks at the wall less often.
        sleep(time.min(Duration::from_secs(3601))).await;
        settle().await;
    }
}

#[test]
fn one_signed_by_itself_serves_until_the_authority_gives_one() {
    let dir = tempfile::tempdir().unwrap();
    sim(async {
        let rig = Rig::new(dir.path(), [Says::Fails(None), Says::Gives("a.example")]);
        settle().await;
        assert_eq!((rig.orders(), rig.shows_ordered()), (1, false));
        let record = rig.record();
        assert_eq!((record.failures, record.failing_since), (1, NOW));
        assert!(record.why.contains("no route"), "{record:?}");
        rig.pass(Duration::from_secs(60)).await;
        assert_eq!(rig.orders(), 1, "without a pause");
        rig.pass(Duration::from_secs(240)).await;
        assert_eq!((rig.orders(), rig.shows_ordered()), (2, true));
        assert_eq!(rig.record().failures, 0);
    });
}

#[test]
fn a_start_uses_what_is_stored_and_a_renewal_takes_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let first = sim(async {
        let rig = Rig::new(dir.path(), [Says::Gives("a.example")]);
        settle().await;
        rig.folder().held().unwrap()
    });
    sim(async {
        let rig = Rig::new(dir.path(), [Says::Gives("a.example")]);
        rig.pass(DAY).await;
        assert_eq!((rig.orders(), rig.shows_ordered()), (0, true));
        assert_eq!(rig.folder().held().unwrap(), first);
        rig.pass(7 * 365 * DAY).await;
        assert_eq!((rig.orders(), rig.shows_ordered()), (1, true));
        assert_ne!(rig.folder().held().unwrap(), first);
    });
}

#[test]
fn a_wish_of_the_authority_is_granted_and_a_reload_tries_at_once() {
    let dir = tempfile::tempdir().unwrap();
    sim(async {
        let wish = Some(Duration::from_secs(3 * 3600));
        let rig = Rig::new(dir.path(), [Says::Fails(wish), Says::Gives("a.example")]);
        settle().await;
        assert_eq!(rig.record().next_try, NOW + 3 * 3600);
        rig.pass(Duration::from_secs(2 * 3600)).await;
        assert_eq!(rig.orders(), 1);
        rig.reload.send_replace(Arc::new(rig.config.clone()));
        settle().await;
        assert_eq!((rig.orders(), rig.shows_ordered()), (2, true));
        rig.reload.send_replace(Arc::new(rig.config.clone()));
        settle().await;
        assert_eq!(rig.orders(), 2, "nothing had failed");
    });
}

#[test]
fn what_the_authority_gives_and_nobody_could_show_is_a_failure() {
    let dir = tempfile::tempdir().unwrap();
    sim(async {
        let script = [Says::Gives("a.example"), Says::Gives("")];
        let rig = Rig::new(dir.path(), script);
        settle().await;
        let first = rig.folder().held().unwrap();
        rig.pass(7 * 365 * DAY).await;
        assert_eq!((rig.orders(), rig.record().failures), (2, 1));
        assert_eq!(rig.folder().held().unwrap(), first);
        assert!(rig.shows_ordered());
    });
}

#[test]
fn a_window_that_is_over_means_now_and_says_what_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    sim(async {
        let rig = Rig::new(dir.path(), [Says::Gives("a.example")]);
        let over = Window {
            start: NOW - 7200,
            end: NOW - 3600,
            again: DAY,
        };
        *rig.issuer.window.lock().unwrap() = Some(over);
        settle().await;
        let held = rig.folder().held().unwrap().unwrap();
        let orders = rig.issuer.orders.lock().unwrap().clone();
        assert_eq!(orders, [None, Some(held.der)]);
    });
}

#[test]
fn a_panic_loses_the_order_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    sim(async {
        let rig = Rig::new(dir.path(), [Says::Panics, Says::Gives("a.example")]);
        rig.pass(Duration::from_secs(2)).await;
        assert_eq!((rig.orders(), rig.shows_ordered()), (2, true));
        assert!(rig.parent.is_empty());
    });
}
