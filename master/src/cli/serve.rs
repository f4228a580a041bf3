//! `run`: the master as a service, with its signals and its ready line.

use std::future::pending;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use drftpd_actors::{
    ConfigError, Drain, OpenFiles, TokioNet, block_on, init_telemetry, survive_large_files,
};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info, warn};

use super::{Failure, give, say};
use crate::config::MasterConfig;
use crate::deps::{Deps, Places, Serving};
use crate::extend::Extensions;
use crate::reload::Reload;
use crate::root::run;

/// `run --config FILE`.
pub(super) fn serve(of: &Extensions, path: &Path) -> Result<(), Failure> {
    let config = MasterConfig::read_for(of, path, &[])?;
    let (of, file) = (of.clone(), path.to_owned());
    let process = Process::begin(&config, move || MasterConfig::read_for(&of, &file, &[]))?;
    process.run(async |process: &Process| {
        let mut deps = process.deps();
        deps.ready = Some(Box::new(|serving| {
            if let Err(failure) = give(&ready_line(&serving)) {
                say(&failure.text);
            }
        }));
        Ok(run(process.config.clone(), deps).await?)
    })
}

/// `ready ftp=HOST:PORT admin=HOST:PORT slaves=HOST:PORT pid=N`, `ftps=HOST:PORT` where TLS begins at once, and
/// `api=HOST:PORT` where the API has a listener of its own.
pub(crate) fn ready_line(serving: &Serving) -> String {
    let some = |address: Option<String>| address.unwrap_or_else(|| "-".to_owned());
    let (implicit, api) = (serving.implicit.first(), serving.api.first());
    format!(
        "ready ftp={} admin={} slaves={} pid={}{}{}",
        some(serving.ftp.first().map(ToString::to_string)),
        some(serving.admin.map(|at| at.to_string())),
        serving.slaves.address(),
        std::process::id(),
        implicit.map_or_else(String::new, |at| format!(" ftps={at}")),
        api.map_or_else(String::new, |at| format!(" api={at}"))
    )
}

/// A process that is a master: its log, its threads, its signals.
pub(crate) struct Process {
    pub config: MasterConfig,
    pub drain: Drain,
    pub reload: Arc<Reload>,
    places: Places,
}

impl Process {
    /// Begins the log and the threads. `read` reads the configuration again.
    pub fn begin(
        config: &MasterConfig,
        read: impl Fn() -> Result<MasterConfig, Vec<ConfigError>> + Send + Sync + 'static,
    ) -> Result<Self, Failure> {
        init_telemetry(&config.log.telemetry()).map_err(|why| Failure::of(&why))?;
        enough_files(config);
        let places = Places::threads(config);
        let places = places.map_err(|why| Failure::failed(format!("no threads: {why}")))?;
        Ok(Self {
            config: config.clone(),
            drain: Drain::new(),
            reload: Arc::new(Reload::new(config.clone(), read)),
            places,
        })
    }

    /// What the master is given. Called inside [`Process::run`].
    pub fn deps(&self) -> Deps {
        let net = Arc::new(TokioNet::new());
        let mut deps = Deps::real(net, &self.config, self.places.clone());
        deps.drain = self.drain.clone();
        deps.reload = Some(Arc::clone(&self.reload));
        deps
    }

    /// Runs `work` to its end on this thread, follows signals meanwhile, and ends all threads.
    pub fn run(&self, work: impl AsyncFnOnce(&Self) -> Result<(), Failure>) -> Result<(), Failure> {
        let done = block_on(async {
            survive_large_files().map_err(|why| Failure::failed(format!("signals: {why}")))?;
            let signals =
                Signals::new().map_err(|why| Failure::failed(format!("signals: {why}")))?;
            tokio::select! {
                done = work(self) => done,
                () = signals.follow(self) => pending().await,
            }
        });
        self.places.end();
        done.map_err(|why| Failure::failed(format!("the runtime did not begin: {why}")))?
    }
}

/// Raises the limit of open files, and says when it does not fit the configuration.
fn enough_files(config: &MasterConfig) {
    let files = OpenFiles::raise();
    let (limit, clients) = (files.limit(), files.for_clients());
    let max_connections = config.ftp.max_connections;
    if clients < u64::try_from(max_connections).unwrap_or(u64::MAX) {
        warn!(
            limit,
            clients, max_connections, "limit of open files is too low for ftp.max_connections"
        );
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The first word to end drains, the second ends at once.
    async fn follow(mut self, process: &Process) {
        let mut told = false;
        loop {
            tokio::select! {
                _ = self.terminate.recv() => {}
                _ = self.interrupt.recv() => {}
                _ = self.hangup.recv() => {
                    if let Err(errors) = process.reload.now() {
                        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
                        error!(?errors, "configuration has errors, the old one goes on");
                    }
                    continue;
                }
            }
            let drain = process.reload.current().borrow().shutdown.drain;
            let limit = if told { Duration::ZERO } else { drain };
            told = true;
            info!(?limit, "told to end");
            process.drain.begin(limit);
        }
    }
}

/// The file of a configuration, absolute.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|why| Failure::failed(format!("{}: {why}", path.display())))
}
