//! `drftpd-slave`: arguments, configuration, signals; all else is the library.
//!
//! Exit codes: 0 done, 1 failed while running, 2 wrong usage or configuration.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use drftpd_actors::{
    Dice, OpenFiles, Place, TokioNet, block_on, init_telemetry, survive_large_files,
};
use drftpd_protocol::wire::JoinToken;
use drftpd_slave::join::{JoinError, JoinOrder, join};
use drftpd_slave::link::MasterAddress;
use drftpd_slave::{Deps, SlaveConfig, SlaveError, check, check_roots, run};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracing::{error, info, warn};

/// Failed while running.
const FAILED: u8 = 1;
/// Wrong usage or configuration.
const WRONG: u8 = 2;

/// Open files of one transfer: its file, its data connection, and a pipe between the two.
const FILES_OF_A_TRANSFER: u64 = 4;

/// The slave of drftpd-rs: stores plain files and carries data connections.
#[derive(Parser)]
#[command(name = "drftpd-slave", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes this machine a slave: gets a certificate for a token, writes the configuration.
    Join {
        /// Where the master listens for slaves, HOST:PORT.
        #[arg(long)]
        master: MasterAddress,
        /// What `drftpd-master slave add NAME` printed.
        #[arg(long)]
        token: JoinToken,
        /// A storage folder, best one for each disk; it must be there.
        #[arg(long = "root", required = true, value_name = "DIR")]
        roots: Vec<PathBuf>,
        /// The configuration to write; must not exist.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Serves. SIGTERM lets transfers finish and ends; SIGHUP reads the configuration again.
    Run {
        /// The configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Looks at the configuration.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Says everything that is wrong with it, and nothing if nothing is.
    Check {
        /// The configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Join {
            master,
            token,
            roots,
            config,
        } => joins(&JoinOrder {
            master,
            token,
            roots,
            config,
        }),
        Command::Run { config } => runs(&config),
        Command::Config {
            command: ConfigCommand::Check { config },
        } => looks(&config),
    };
    done.unwrap_or_else(|error| {
        say(&format!("{error:#}"));
        let wrong = error.downcast_ref::<SlaveError>();
        let wrong = wrong.is_some_and(SlaveError::is_configuration);
        let misused = error.downcast_ref::<JoinError>();
        let misused = misused.is_some_and(JoinError::is_usage);
        ExitCode::from(if wrong || misused { WRONG } else { FAILED })
    })
}

fn joins(order: &JoinOrder) -> Result<ExitCode> {
    let dice = Dice::system();
    let joined = join(order, Arc::new(TokioNet::new()), &dice);
    let name = block_on(joined).context("the runtime did not begin")??;
    let config = order.config.display();
    say(&format!(
        "joined as {name}; now: drftpd-slave run --config {config}"
    ));
    Ok(ExitCode::SUCCESS)
}

fn looks(path: &Path) -> Result<ExitCode> {
    let config = read(path)?;
    check_roots(&config).map_err(|errors| SlaveError::Config(in_file(errors, path)))?;
    Ok(ExitCode::SUCCESS)
}

/// Reads a configuration and looks at everything it names.
fn read(path: &Path) -> Result<SlaveConfig, SlaveError> {
    let config = SlaveConfig::read(path).map_err(SlaveError::Config)?;
    check(&config).map_err(|errors| SlaveError::Config(in_file(errors, path)))?;
    Ok(config)
}

fn in_file(
    mut errors: Vec<drftpd_actors::ConfigError>,
    path: &Path,
) -> Vec<drftpd_actors::ConfigError> {
    for error in &mut errors {
        error.file.get_or_insert_with(|| path.to_owned());
    }
    errors
}

fn runs(path: &Path) -> Result<ExitCode> {
    let config = read(path)?;
    init_telemetry(&config.log).context("logging did not begin")?;
    enough_files(&config);
    let served = block_on(async move {
        // One arbiter for each processor, this thread being the first: a lone transfer stays where its orders come in.
        let more = std::thread::available_parallelism().map_or(0, |all| all.get() - 1);
        let data = Place::here().and("data", more);
        let data = data.context("no threads for data connections")?;
        let served = serve(config, path, data.clone()).await;
        anyhow::Ok((served, data))
    });
    let (served, data) = served.context("the runtime did not begin")??;
    data.stop();
    data.join();
    served?;
    Ok(ExitCode::SUCCESS)
}

/// Raises the limit of open files, and says when it does not fit the configuration.
fn enough_files(config: &SlaveConfig) {
    let files = OpenFiles::raise();
    let (limit, transfers) = (files.limit(), files.for_clients() / FILES_OF_A_TRANSFER);
    let max_transfers = config.transfer.max_transfers;
    if transfers < u64::from(max_transfers) {
        warn!(
            limit,
            transfers, max_transfers, "limit of open files is too low for transfer.max_transfers"
        );
    }
}

async fn serve(config: SlaveConfig, path: &Path, data: Place) -> Result<()> {
    survive_large_files()?;
    let mut deps = Deps::real(Arc::new(TokioNet::new()), data, config.storage.threads);
    let (reload, reloads) = watch::channel(config.clone());
    deps.reload = Some(reloads);
    let drain = deps.drain.clone();
    let mut limit = config.shutdown.drain;
    let mut ends = [SignalKind::terminate(), SignalKind::interrupt()]
        .map(signal)
        .into_iter()
        .collect::<Result<Vec<Signal>, _>>()?;
    let mut again = signal(SignalKind::hangup())?;
    let slave = run(config, deps);
    tokio::pin!(slave);
    loop {
        let ended =
            futures_util::future::select_all(ends.iter_mut().map(|end| Box::pin(end.recv())));
        tokio::select! {
            ended = &mut slave => return Ok(ended?),
            _ = ended => {
                // The second word means now.
                info!(?limit, "told to end");
                drain.begin(std::mem::take(&mut limit));
            }
            _ = again.recv() => match read(path) {
                Ok(config) => {
                    limit = config.shutdown.drain;
                    drop(reload.send_replace(config));
                }
                Err(error) => {
                    error!(%error, "the configuration is not reloaded");
                    warn!("the slave goes on with the old configuration");
                }
            },
        }
    }
}

/// One line for whoever typed the command; logs are not set up for it.
fn say(line: &str) {
    // Nobody is left to be told when stderr is closed.
    drop(writeln!(std::io::stderr(), "{line}"));
}
