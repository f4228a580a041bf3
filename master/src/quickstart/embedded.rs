//! The slaves of a quickstart: each joins over the network like any other, and runs on threads of its own.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use drftpd_actors::{ConfigError, Dice, Drain, Place, TokioNet, apply_overrides};
use drftpd_protocol::SlaveId;
use drftpd_protocol::wire::RootState;
use drftpd_slave::SlaveConfig;
use drftpd_slave::join::{JoinOrder, join};
use drftpd_slave::link::MasterAddress;
use futures_util::future::{join_all, select_all};
use tokio::sync::watch;
use tokio::time::timeout;
use toml::{Table, Value};
use tracing::{info, warn};

use super::Plan;
use super::files::{Files, name_of, write};
use super::overrides::Overrides;
use crate::cli::Failure;
use crate::config::document::{Setting, fill};
use crate::deps::Serving;
use crate::setup::make_folder;
use crate::slaves::SlavesClient;

/// How long slaves may take to end after the master has: their transfers are over then.
const END_WITHIN: Duration = Duration::from_secs(5);

/// Slaves in this process.
pub(super) struct Embedded {
    slaves: Vec<Slave>,
    set: Vec<String>,
}

struct Slave {
    name: SlaveId,
    folder: PathBuf,
    /// Its own thread.
    place: Place,
    /// Where its data channels run: there, and where the processors allow it on more.
    data: Place,
    drain: Drain,
    running: AtomicBool,
    /// Set when it has ended.
    over: watch::Sender<Option<Result<(), String>>>,
}

impl Slave {
    fn config(&self) -> PathBuf {
        self.folder.join("slave.toml")
    }
}

impl Embedded {
    /// Those that have a folder; none runs yet.
    pub fn new(files: &Files, overrides: &Overrides) -> Result<Self, Failure> {
        let no_thread = |why: std::io::Error| Failure::failed(format!("no threads: {why}"));
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let more = (processors / usize::from(files.slaves()).max(1)).saturating_sub(1);
        let slave = |number: u16| {
            let name = name_of(number);
            let place = Place::pool(&name, 1).map_err(no_thread)?;
            Ok::<_, Failure>(Slave {
                folder: files.slave(number),
                data: place
                    .and(&format!("{name}-data"), more)
                    .map_err(no_thread)?,
                place,
                name: SlaveId::new(name).map_err(|why| Failure::failed(why.to_string()))?,
                drain: Drain::new(),
                running: AtomicBool::new(false),
                over: watch::Sender::new(None),
            })
        };
        let slaves = (1..=files.slaves()).map(slave).collect::<Result<_, _>>()?;
        Ok(Self {
            slaves,
            set: overrides.slaves.clone(),
        })
    }

    /// Settings of slaves that promise less than the defaults.
    pub fn weak_settings(&self) -> Vec<String> {
        let weak = |slave: &Slave| {
            // Before it has joined it has no file; the documented defaults count then.
            let text = fs::read_to_string(slave.config()).unwrap_or_default();
            let mut table: Table = text.parse().unwrap_or_default();
            drop(apply_overrides(&mut table, &self.set));
            let fsync = table.get("storage")?.get("fsync")?.as_str()?;
            let never = fsync == "never";
            let of = &slave.name;
            never.then(|| format!("{of} storage.fsync = \"never\": a power loss may lose uploads"))
        };
        self.slaves.iter().filter_map(weak).collect()
    }

    /// Lets those join that have not, and starts all.
    pub async fn begin(&self, plan: &Plan, serving: &Serving) -> Result<(), Failure> {
        let at = reachable(serving.slaves.address());
        for slave in &self.slaves {
            if !slave.config().exists() {
                joins(slave, plan, serving, at).await?;
            }
            let mut config = self.read(&slave.config())?;
            config.master.address = Some(MasterAddress::from(at));
            start(slave, config);
        }
        Ok(())
    }

    fn read(&self, file: &Path) -> Result<SlaveConfig, Vec<ConfigError>> {
        let mut config: SlaveConfig = drftpd_actors::read_with_overrides(file, &self.set)?;
        config.beside(file.parent().unwrap_or(Path::new("")));
        Ok(config)
    }

    /// Waits until the master sees all of them with a root that can be used.
    pub async fn online(&self, master: &SlavesClient, within: Duration) -> Result<(), Failure> {
        let mut views = master.views();
        let usable = |state: RootState| state == RootState::Present;
        let all = views.wait_for(|views| {
            self.slaves.iter().all(|slave| {
                let view = views.get(&slave.name);
                view.is_some_and(|view| view.roots.iter().any(|root| usable(root.state)))
            })
        });
        let failed = self.until_one_fails();
        tokio::select! {
            online = timeout(within, all) => match online {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(_)) => Err(Failure::failed("the master has ended")),
                Err(_) => Err(Failure::failed("the slaves do not come online")),
            },
            failed = failed => failed,
        }
    }

    /// Waits until a slave has ended with an error.
    pub async fn until_one_fails(&self) -> Result<(), Failure> {
        let failed = self.slaves.iter().map(|slave| {
            let mut over = slave.over.subscribe();
            Box::pin(async move {
                let failed = over.wait_for(|over| matches!(over, Some(Err(_)))).await;
                let why = failed.ok().and_then(|over| over.clone()?.err());
                let why = why.unwrap_or_else(|| "it has ended".to_owned());
                Failure::failed(format!("{}: {why}", slave.name))
            })
        });
        let failed: Vec<_> = failed.collect();
        if failed.is_empty() {
            return std::future::pending().await;
        }
        Err(select_all(failed).await.0)
    }

    /// Ends all slaves that run and waits for them.
    pub async fn drain(&self) {
        let running = |slave: &&Slave| slave.running.load(Ordering::Relaxed);
        let ended = self.slaves.iter().filter(running).map(|slave| async {
            slave.drain.begin(Duration::ZERO);
            let mut over = slave.over.subscribe();
            match timeout(END_WITHIN, over.wait_for(Option::is_some)).await {
                Ok(_) => info!(slave = %slave.name, "slave has ended"),
                Err(_) => warn!(slave = %slave.name, "slave does not end, it is cut"),
            }
        });
        join_all(ended).await;
    }

    /// Ends all threads and waits for them. Blocks: for the end of the process.
    pub fn end(&self) {
        let places = self.slaves.iter();
        let places: Vec<&Place> = places.flat_map(|it| [&it.data, &it.place]).collect();
        places.iter().for_each(|place| place.stop());
        places.iter().for_each(|place| place.join());
    }
}

/// Lets a slave join, and gives it what differs from the documented defaults.
async fn joins(
    slave: &Slave,
    plan: &Plan,
    serving: &Serving,
    at: SocketAddr,
) -> Result<(), Failure> {
    // A first try that broke off left the name behind.
    let token = serving.slaves.add(&slave.name, true).await;
    let order = JoinOrder {
        master: MasterAddress::from(at),
        token: token.map_err(|why| Failure::of(&why))?,
        roots: vec![slave.folder.join("root")],
        config: slave.config(),
    };
    leftovers(&slave.folder)?;
    order.roots.iter().try_for_each(|root| make_folder(root))?;
    let net = Arc::new(TokioNet::new());
    let joined = join(&order, net, &Dice::system()).await;
    let failed = |why: String| Failure::failed(format!("{} cannot join: {why}", slave.name));
    joined.map_err(|why| failed(Failure::of(&why).text))?;
    let text = fs::read_to_string(&order.config).map_err(|why| failed(why.to_string()))?;
    let text = fill(&text, &settings(plan)).map_err(|key| failed(format!("no key {key}")))?;
    write(&order.config, &text)
}

/// Takes away what a join left behind that broke off before its configuration was written.
fn leftovers(folder: &Path) -> Result<(), Failure> {
    for name in ["slave-cert.pem", "slave-key.pem", "slave-authority.pem"] {
        let file = folder.join(name);
        match fs::remove_file(&file) {
            Err(why) if why.kind() != std::io::ErrorKind::NotFound => {
                return Err(Failure::failed(format!("{}: {why}", file.display())));
            }
            _ => {}
        }
    }
    Ok(())
}

/// What differs from a slave's documented defaults: the shared ports, and where they are listened at.
fn settings(plan: &Plan) -> Vec<Setting> {
    let ports = plan.config.passive.ports.to_string();
    let mut settings: Vec<Setting> = vec![("transfer", "passive_ports", ports.into())];
    let listen = plan.config.ftp.listen.first().map(SocketAddr::ip);
    if let Some(ip) = listen.filter(|ip| !ip.is_unspecified()) {
        settings.push(("transfer", "bind", Value::String(ip.to_string())));
    }
    settings
}

/// The address by which this machine reaches a port of its own.
fn reachable(at: SocketAddr) -> SocketAddr {
    let ip = match at.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::from([127, 0, 0, 1]),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::from(std::net::Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, at.port())
}

/// Starts a slave on its own threads.
fn start(slave: &Slave, config: SlaveConfig) {
    let net = Arc::new(TokioNet::new());
    let mut deps = drftpd_slave::Deps::real(net, slave.data.clone(), config.storage.threads);
    deps.drain = slave.drain.clone();
    let over = slave.over.clone();
    slave.running.store(true, Ordering::Relaxed);
    slave.place.run(move || {
        tokio::task::spawn_local(async move {
            let ended = drftpd_slave::run(config, deps).await;
            over.send_replace(Some(ended.map_err(|why| Failure::of(&why).text)));
        });
    });
}
