//! What can be typed. Stable: scripts and packages rely on it.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use drftpd_slave::transfer::PortRange;

/// The master of drftpd-rs: one FTP address and one tree of files over many machines.
#[derive(Debug, Parser)]
#[command(name = "drftpd-master", version)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// A complete cluster in one process: authority, master, slaves, an administrator.
    Quickstart(QuickstartOrder),
    /// Writes a commented configuration, makes the authority and an administrator.
    Init(InitOrder),
    /// Serves. SIGTERM lets transfers finish and ends, SIGHUP reads the configuration again.
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
    /// Tells what is wrong with addresses, ports, certificates, the clock and the way to slaves; exit code 1 if anything.
    Doctor {
        #[command(flatten)]
        at: At,
        /// Gives the findings as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Which slaves belong to the cluster.
    Slave {
        #[command(subcommand)]
        command: SlaveCommand,
    },
    /// Who may use the HTTP API.
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// Any command of the operator; `ctl help` lists them.
    Ctl {
        #[command(flatten)]
        at: At,
        /// Gives the result as JSON.
        #[arg(long)]
        json: bool,
        /// The command's name and its arguments, in order or as NAME=VALUE.
        #[arg(required = true, value_name = "WORD")]
        words: Vec<String>,
    },
    /// Writes the whole store as JSON lines, to stdout or to a file; a master may run meanwhile.
    Dump {
        #[command(flatten)]
        at: At,
        /// Where to; without it stdout.
        #[arg(value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Copies the store into a file; a master may run meanwhile.
    Backup {
        #[command(flatten)]
        at: At,
        /// The file to make.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Looks whether the store is sound, and says what is not; exit code 1 if anything. A master may run meanwhile.
    Check {
        #[command(flatten)]
        at: At,
        /// Gives the findings as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Takes over users and groups of another daemon: says what would be made and what cannot be taken, and makes it with
    /// --apply. A master may run meanwhile.
    Import {
        #[command(flatten)]
        at: At,
        /// Whose files: drftpd (4.x, a folder), glftpd (a folder), passwd or csv (a file).
        #[arg(value_enum)]
        format: ImportFormat,
        /// The folder or the file, on the machine of the master.
        from: PathBuf,
        /// Makes what is new.
        #[arg(long)]
        apply: bool,
        /// Gives the report as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Makes the store anew from a dump; no master may run, and there must be no store yet.
    Load {
        #[command(flatten)]
        at: At,
        /// The dump; without it stdin.
        #[arg(value_name = "FILE")]
        from: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Says everything that is wrong with it, and nothing if nothing is.
    Check {
        /// The configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum SlaveCommand {
    /// Prints a token with which one machine may join.
    Add {
        #[command(flatten)]
        at: At,
        /// The new slave's name.
        name: String,
        /// Also if a slave of that name has joined: it may join once more.
        #[arg(long)]
        again: bool,
    },
    /// Shows all slaves.
    List {
        #[command(flatten)]
        at: At,
        /// Gives the result as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Gives a slave no new files from now on; it serves what it has.
    Drain {
        #[command(flatten)]
        at: At,
        /// The slave's name.
        name: String,
    },
    /// Gives a slave new files again.
    Undrain {
        #[command(flatten)]
        at: At,
        /// The slave's name.
        name: String,
    },
    /// Gives a slave and all its storage folders up for good; entries stay.
    Retire {
        #[command(flatten)]
        at: At,
        /// The slave's name.
        name: String,
        /// Also if the last copies of files are lost with it.
        #[arg(long)]
        force: bool,
    },
    /// Takes a slave out of the cluster.
    Remove {
        #[command(flatten)]
        at: At,
        /// The slave's name.
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Prints a token for the HTTP API, this once.
    Create {
        #[command(flatten)]
        at: At,
        /// What it is called, in lists and in the log.
        name: String,
        /// What it may be used for: read, operate, AREA:*, AREA:VERB, *.
        #[arg(required = true)]
        scopes: Vec<String>,
        /// How long it is good, like 30days or 8h.
        #[arg(long, default_value = "90days")]
        expires: String,
    },
    /// Shows all tokens, without their secrets.
    List {
        #[command(flatten)]
        at: At,
        /// Gives the result as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Takes a token away.
    Revoke {
        #[command(flatten)]
        at: At,
        /// The token's name.
        name: String,
    },
}

/// Which master is meant.
#[derive(Debug, Clone, Default, Args)]
#[group(multiple = false)]
pub(crate) struct At {
    /// Its configuration.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Its folder; without both, ./drftpd-data.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// What `quickstart` is told.
#[derive(Debug, Clone, Args)]
pub(crate) struct QuickstartOrder {
    /// Folder for everything; it may exist and hold other files.
    #[arg(long, default_value = "./drftpd-data")]
    pub dir: PathBuf,
    /// Where FTP clients connect; port 0 means any free one.
    #[arg(long, default_value = "127.0.0.1:2121", value_parser = address)]
    pub listen: SocketAddr,
    /// How many slaves run inside.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(0..=64))]
    pub slaves: u16,
    /// Name of the administrator; the password comes from DRFTPD_PASSWORD, else it is made and printed once.
    #[arg(long, default_value = "admin")]
    pub user: String,
    /// Ports for data connections, of the relay and of the slaves.
    #[arg(long, default_value = "50000-50999")]
    pub passive_ports: PortRange,
    /// Where the health page and the HTTP API are.
    #[arg(long, default_value = "127.0.0.1:8021", value_parser = address)]
    pub admin_listen: SocketAddr,
    /// Where slaves dial.
    #[arg(long, default_value = "127.0.0.1:2122", value_parser = address)]
    pub slave_listen: SocketAddr,
    /// Gives a key of the configuration another value, for this run: section.key=value.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// What `init` is told.
#[derive(Debug, Clone, Args)]
pub(crate) struct InitOrder {
    /// The configuration to write; must not exist.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Folder of the store and of the authority; without it the configuration's own folder.
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// What it is for.
    #[arg(long, value_enum, default_value_t = Profile::Plain)]
    pub profile: Profile,
    /// Name of the administrator; the password comes from DRFTPD_PASSWORD, else it is made and printed once.
    #[arg(long, default_value = "admin")]
    pub user: String,
}

/// What a cluster is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// An FTP service: overwriting allowed, uploads visible.
    Plain,
    /// Devices and programs send files: uploads hidden until complete, plain FTP per network, no ratio, no masks.
    Ingest,
    /// FXP communities: dupes refused, TLS required, ratios, what was put on disks by hand in quarantine.
    Site,
}

/// Whose accounts are taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ImportFormat {
    /// DrFTPD 4.x.
    Drftpd,
    /// glftpd.
    Glftpd,
    /// Lines as in /etc/passwd.
    Passwd,
    /// Lines with commas between; the first one names the columns.
    Csv,
}

/// An address with a port; a name is looked up.
fn address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let found = text.to_socket_addrs().map_err(|_| "must be HOST:PORT")?;
    let found: Vec<SocketAddr> = found.collect();
    let first = found.iter().find(|at| at.is_ipv4()).or(found.first());
    first
        .copied()
        .ok_or_else(|| "nothing has that name".to_owned())
}
