//! Logging in against a real store, on one thread.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::mpsc;

use drftpd_actors::testkit::{Probe, seed, sim};
use drftpd_actors::{Blocking, Budget, ChildDown, ChildSpec, Clock, Dice, Place, supervise};

use drftpd_protocol::StoreId;

use super::messages::LogIn;
use super::*;
use crate::store::{Case, Store, StoreConfig};

const FROM: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// As it comes, but for hashes that cost nothing.
pub(crate) fn cheap() -> AccountsConfig {
    AccountsConfig {
        hash_memory_kib: 8,
        hash_rounds: 1,
        hash_workers: 1,
        hash_queue: 1,
        ..AccountsConfig::default()
    }
}

/// A login from here.
pub(super) fn by(user: &str, password: &[u8]) -> LogIn {
    LogIn {
        user: user.to_owned(),
        password: password.to_vec(),
        from: FROM,
        ident: None,
        certificate: None,
    }
}

pub(super) struct World {
    _dir: tempfile::TempDir,
    pub store: Store,
    pub clock: Clock,
    pub dice: Dice,
}

impl World {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (clock, dice) = (Clock::manual(1_800_000_000), Dice::seeded(seed()));
        let (config, case) = (StoreConfig::DEFAULT, Case::Sensitive);
        let store = Store::inline(dir.path(), &config, case, &clock, &dice).unwrap();
        Self {
            _dir: dir,
            store,
            clock,
            dice,
        }
    }

    pub async fn admin(
        &self,
        name: &str,
        password: Option<&str>,
    ) -> Result<Administrator, SetupError> {
        let with = (&self.clock, &self.dice);
        ensure_administrator(&self.store, &cheap(), with, name, password).await
    }

    pub(super) fn deps(&self, config: &AccountsConfig, pool: Blocking) -> AccountsDeps {
        AccountsDeps {
            outbox: crate::outbox::Outbox::new(1000),
            store: self.store.clone(),
            people: People::new(config, &self.dice).unwrap(),
            pool,
            clock: self.clock.clone(),
            exempt: config.ban_exempt.clone(),
        }
    }

    fn client(&self, config: &AccountsConfig, pool: Blocking) -> AccountsClient {
        self.client_of(self.deps(config, pool))
    }

    pub(super) fn client_of(&self, deps: AccountsDeps) -> AccountsClient {
        let parent = Probe::<ChildDown>::start().recipient();
        let spec = ChildSpec::new("accounts", 16, Budget::CORE, parent);
        let given = deps.clone();
        let actor = supervise(&Place::here(), spec, move || AccountsActor::new(given));
        AccountsClient::of(&actor, deps)
    }

    pub fn hash_of(&self, name: &str) -> String {
        let found = self.store.read(|sql| table::find(sql, name)).unwrap();
        found.unwrap().password.unwrap()
    }
}

#[test]
fn the_administrator_logs_in_and_nobody_else_does() {
    sim(async {
        let world = World::new();
        assert!(matches!(
            world.admin("admin", Some("pass word")).await,
            Ok(Administrator::Made)
        ));
        let accounts = world.client(&cheap(), Blocking::inline());
        let account = accounts.log_in(by("admin", b"pass word")).await.unwrap();
        assert!(account.admin && account.home.is_root());
        for (user, password) in [
            ("admin", &b"pass"[..]),
            ("admin", b"pass word "),
            ("admin", b""),
            ("Admin", b"pass word"),
            ("nobody", b"pass word"),
            ("", b""),
        ] {
            let refused = accounts.log_in(by(user, password)).await;
            assert!(matches!(refused, Err(LoginError::Incorrect)), "{user}");
        }
    });
}

#[test]
fn an_administrator_that_is_there_keeps_the_password() {
    sim(async {
        let world = World::new();
        assert!(world.admin("admin", Some("first")).await.is_ok());
        assert!(matches!(
            world.admin("admin", Some("second")).await,
            Ok(Administrator::Kept)
        ));
        assert!(matches!(
            world.admin("admin", None).await,
            Ok(Administrator::Kept)
        ));
        let accounts = world.client(&cheap(), Blocking::inline());
        assert!(accounts.log_in(by("admin", b"first")).await.is_ok());
        assert!(accounts.log_in(by("admin", b"second")).await.is_err());
    });
}

#[test]
fn a_generated_password_is_told_and_works() {
    sim(async {
        let world = World::new();
        let Ok(Administrator::Generated(password)) = world.admin("root", None).await else {
            panic!("no password was generated");
        };
        let accounts = world.client(&cheap(), Blocking::inline());
        assert!(
            accounts
                .log_in(by("root", password.as_bytes()))
                .await
                .is_ok()
        );
    });
}

#[test]
fn names_and_passwords_that_make_trouble_are_refused() {
    sim(async {
        let world = World::new();
        let long = "x".repeat(names::MAX_NAME + 1);
        for name in ["", "a b", "a/b", "a\n", "ä", &long] {
            let refused = world.admin(name, Some("x")).await;
            assert!(matches!(refused, Err(SetupError::Name(..))), "{name:?}");
        }
        for password in ["", "a\r\nb"] {
            let refused = world.admin("admin", Some(password)).await;
            assert!(matches!(refused, Err(SetupError::Password)), "{password:?}");
        }
    });
}

#[test]
fn an_account_without_a_password_or_switched_off_lets_nobody_in() {
    sim(async {
        let world = World::new();
        assert!(world.admin("admin", Some("secret")).await.is_ok());
        let hash = world.hash_of("admin");
        let cases = [
            ("locked", None, false),
            ("off", Some(hash.clone()), true),
            ("deleted", Some(hash), false),
        ];
        for (name, password, disabled) in cases {
            let stored = table::Stored {
                disabled,
                ..table::Stored::new(Account::new(name, "g"), password, 0)
            };
            assert!(world.store.change(table::AddAccount(stored)).await.unwrap());
            world.store.change(Delete).await.unwrap();
            let accounts = world.client(&cheap(), Blocking::inline());
            for password in [&b"secret"[..], b""] {
                let refused = accounts.log_in(by(name, password)).await;
                assert!(matches!(refused, Err(LoginError::Incorrect)), "{name}");
            }
        }
    });
}

struct Delete;

impl crate::store::Command for Delete {
    type Answer = ();
    type Error = crate::store::StoreError;

    fn apply(self, batch: &crate::store::Batch<'_>) -> Result<(), crate::store::StoreError> {
        let sql = "UPDATE account SET deleted = 1 WHERE name = 'deleted'";
        batch.run(sql, []).map(|_| ())
    }
}

#[test]
fn a_name_is_somebodys_who_could_log_in_or_always_the_same_lot() {
    sim(async {
        let world = World::new();
        world.admin("root", Some("secret")).await.unwrap();
        let accounts = world.client(&cheap(), Blocking::inline());
        let Whose::Account(root) = accounts.whose("root").await.unwrap() else {
            panic!("root is nobody");
        };
        assert_eq!(root.name, "root");
        let disabled = table::Stored {
            disabled: true,
            ..world
                .store
                .read(|sql| table::find(sql, "root"))
                .unwrap()
                .unwrap()
        };
        let off = table::Stored {
            account: Account {
                name: "off".to_owned(),
                ..disabled.account.clone()
            },
            ..disabled
        };
        assert!(world.store.change(table::AddAccount(off)).await.unwrap());
        let mut lots = std::collections::BTreeSet::new();
        for name in ["off", "Root", "nobody", ""] {
            let Whose::Nobody(lot) = accounts.whose(name).await.unwrap() else {
                panic!("{name} is somebody");
            };
            assert_eq!(accounts.whose(name).await.unwrap(), Whose::Nobody(lot));
            assert!(lots.insert(lot), "{name}");
        }
    });
    let lots = [1, 2].map(|store| actor::lot(StoreId([store; 16]), "nobody"));
    assert_ne!(lots[0], lots[1], "everybody can tell");
}

#[test]
fn a_hash_of_older_parameters_is_renewed_by_a_login_and_only_then() {
    sim(async {
        let world = World::new();
        assert!(world.admin("admin", Some("secret")).await.is_ok());
        let dearer = AccountsConfig {
            hash_memory_kib: 16,
            ..cheap()
        };
        let accounts = world.client(&dearer, Blocking::inline());
        let before = world.hash_of("admin");
        assert!(accounts.log_in(by("admin", b"wrong")).await.is_err());
        assert_eq!(world.hash_of("admin"), before);
        assert!(accounts.log_in(by("admin", b"secret")).await.is_ok());
        let after = world.hash_of("admin");
        assert!(after.contains("m=16"), "{after}");
        assert!(accounts.log_in(by("admin", b"secret")).await.is_ok());
        assert_eq!(world.hash_of("admin"), after, "renewed once");
    });
}

#[tokio::test]
async fn more_logins_than_the_queue_holds_hear_that_it_is_busy() {
    let world = World::new();
    assert!(world.admin("admin", Some("secret")).await.is_ok());
    let pool = Blocking::with_queue(1, 1);
    let (go, wait) = mpsc::channel::<()>();
    let hold = pool.run(move || wait.recv().is_ok());
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async {
            let accounts = world.client(&cheap(), pool.clone());
            let busy = async {
                let waiting = accounts.log_in(by("admin", b"secret"));
                let mut waiting = Box::pin(waiting);
                while pool.waiting() == 0 {
                    tokio::select! { biased; _ = &mut waiting => panic!("did not wait"), () = tokio::task::yield_now() => {} }
                }
                let refused = accounts.log_in(by("admin", b"secret")).await;
                go.send(()).unwrap();
                (refused, waiting.await)
            };
            let (held, (refused, waited)) = tokio::join!(hold, busy);
            assert_eq!(held, Ok(true));
            assert!(matches!(refused, Err(LoginError::Busy)));
            assert_eq!(refused.unwrap_err().reply().code(), 421);
            assert_eq!(waited.unwrap().name, "admin");
        })
        .await;
}

#[test]
fn an_administrator_is_found_the_one_asked_for_first() {
    sim(async {
        let world = World::new();
        let who = |name: &str| {
            world
                .store
                .read(|sql| table::administrator(sql, name))
                .unwrap()
        };
        assert_eq!(who("admin"), None);
        assert!(world.admin("zoe", Some("secret")).await.is_ok());
        assert_eq!(who("admin").as_deref(), Some("zoe"));
        assert!(world.admin("admin", Some("secret")).await.is_ok());
        assert_eq!(who("admin").as_deref(), Some("admin"));
        assert_eq!(who("zoe").as_deref(), Some("zoe"));
    });
}

#[tokio::test]
async fn no_more_memory_is_taken_for_hashes_than_are_made_at_a_time() {
    let world = World::new();
    assert!(world.admin("admin", Some("secret")).await.is_ok());
    let config = AccountsConfig {
        hash_queue: 800,
        ..cheap()
    };
    let deps = world.deps(&config, Blocking::with_queue(2, 100));
    let hasher = deps.people.hasher().clone();
    let parent = Probe::<ChildDown>::start;
    let local = tokio::task::LocalSet::new();
    local
        .run_until(async move {
            let spec = ChildSpec::new("accounts", 64, Budget::CORE, parent().recipient());
            let given = deps.clone();
            let actor = supervise(&Place::here(), spec, move || AccountsActor::new(deps));
            let accounts = AccountsClient::of(&actor, given);
            let logins = (0..60).map(|turn| {
                let user = if turn % 3 == 0 { "nobody" } else { "admin" };
                accounts.log_in(by(user, b"secret"))
            });
            let done = futures_util::future::join_all(logins).await;
            assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 40);
        })
        .await;
    assert!((1..=2).contains(&hasher.buffers_made()));
}
