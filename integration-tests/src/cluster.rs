//! A cluster of separate processes: one master, some slaves, every port chosen by the kernel.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use drftpd_master::Extensions;
use drftpd_master::admin::wire::{SOCKET, SocketPath};
use tempfile::TempDir;

use crate::ftp::Ftp;
use crate::process::{PATIENCE, Running, program};

/// The administrator of every cluster here.
pub const USER: &str = "admin";
/// Its password.
pub const PASSWORD: &str = "correct horse 7";

/// What a cluster shall be.
#[derive(Clone)]
pub struct ClusterSpec {
    /// The master's program.
    pub program: &'static str,
    /// The profile that it is made with.
    pub profile: &'static str,
    /// Number of slaves.
    pub slaves: usize,
    /// Overrides of the master's configuration, `section.key=value`.
    pub master: Vec<String>,
    /// Overrides of every slave's configuration.
    pub slave: Vec<String>,
    /// Points where the master shall fail (`DRFTPD_FAILPOINTS`).
    pub master_failpoints: String,
    /// Points where slaves shall fail.
    pub slave_failpoints: String,
    /// The address that everything listens on.
    pub host: String,
    /// Network namespaces of the master and of its slaves, in this order; those that have none are where the test is.
    pub namespaces: Vec<String>,
}

impl Default for ClusterSpec {
    fn default() -> Self {
        ClusterSpec {
            program: "drftpd-master",
            profile: "plain",
            slaves: 2,
            master: Vec::new(),
            slave: Vec::new(),
            master_failpoints: String::new(),
            slave_failpoints: String::new(),
            host: "127.0.0.1".into(),
            namespaces: Vec::new(),
        }
    }
}

/// A running slave with its folders.
pub struct SlaveProcess {
    /// Its name.
    pub name: String,
    /// Its root.
    pub root: PathBuf,
    /// Its configuration file.
    pub config: PathBuf,
    /// The process; `None` while it is down.
    pub process: Option<Running>,
}

/// Between two questions whether something holds by now.
const PAUSE: Duration = Duration::from_millis(2);

/// A master and its slaves as processes.
pub struct Cluster {
    /// What it shall be; changes take effect with the next start of a process.
    pub spec: ClusterSpec,
    /// Where FTP is served.
    pub ftp: SocketAddr,
    /// The master; `None` while it is down.
    pub master: Option<Running>,
    /// The slaves, by number.
    pub slaves: Vec<SlaveProcess>,
    dir: TempDir,
    ready: BTreeMap<String, String>,
}

impl Cluster {
    /// `n` slaves, all else as it comes.
    pub fn start(slaves: usize) -> Result<Self> {
        Cluster::with(ClusterSpec {
            slaves,
            ..ClusterSpec::default()
        })
    }

    /// Makes the master, joins the slaves, waits until all are online.
    pub fn with(spec: ClusterSpec) -> Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("drftpd-cluster-")
            .tempdir()?;
        let mut cluster = Cluster {
            ftp: SocketAddr::from(([127, 0, 0, 1], 0)),
            master: None,
            slaves: Vec::new(),
            dir,
            ready: BTreeMap::new(),
            spec,
        };
        cluster.init()?;
        cluster.start_master()?;
        for number in 1..=cluster.spec.slaves {
            let root = cluster.path().join(format!("root-{number}"));
            cluster.add_slave(number, root)?;
        }
        cluster.wait_online(cluster.slaves.len())?;
        Ok(cluster)
    }

    /// The folder of everything.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A program of ours, in the namespace of the master (0) or of a slave (its number).
    fn command(&self, name: &str, number: usize) -> Result<Command> {
        let Some(namespace) = self.spec.namespaces.get(number) else {
            return Ok(Command::new(program(name)?));
        };
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", namespace])
            .arg(program(name)?);
        Ok(command)
    }

    fn master_command(&self) -> Result<Command> {
        let mut command = self.command(self.spec.program, 0)?;
        command
            .current_dir(self.path())
            .env("DRFTPD_PASSWORD", PASSWORD)
            .env("DRFTPD_FAILPOINTS", &self.spec.master_failpoints);
        Ok(command)
    }

    /// The master's configuration file.
    pub fn master_config(&self) -> PathBuf {
        self.path().join("master.toml")
    }

    fn init(&self) -> Result<()> {
        let mut command = self.master_command()?;
        command
            .args(["init", "--profile", self.spec.profile, "--config"])
            .arg(self.master_config());
        command.arg("--dir").arg(self.path().join("master"));
        run(command)?;
        let host = self.bracketed();
        let mut changes = vec![
            format!("ftp.listen=[\"{host}:0\"]"),
            format!("slaves.listen=\"{host}:0\""),
            "admin.listen=\"127.0.0.1:0\"".to_string(),
        ];
        changes.extend(self.spec.master.iter().cloned());
        edit(&self.master_config(), &changes)
    }

    fn bracketed(&self) -> String {
        match self.spec.host.contains(':') {
            true => format!("[{}]", self.spec.host),
            false => self.spec.host.clone(),
        }
    }

    /// Starts the master and reads where it listens. Ports stay the same over restarts.
    pub fn start_master(&mut self) -> Result<()> {
        let mut command = self.master_command()?;
        command.arg("run").arg("--config").arg(self.master_config());
        let master = Running::start(command, &self.path().join("master.log"))?;
        let line = master.line("ready ")?;
        self.ready = line
            .split(' ')
            .filter_map(|pair| pair.split_once('='))
            .map(|(key, value)| (key.to_string(), value.to_string()))
            .collect();
        self.ftp = self.at("ftp")?.parse()?;
        self.master = Some(master);
        let host = self.bracketed();
        let keep = [
            format!("ftp.listen=[\"{}\"]", self.at("ftp")?),
            format!("slaves.listen=\"{}\"", self.at("slaves")?),
        ];
        ensure!(
            keep.iter().all(|k| k.contains(&host)),
            "the master listens elsewhere: {keep:?}"
        );
        edit(&self.master_config(), &keep)
    }

    /// An address of the master's ready line.
    pub fn at(&self, key: &str) -> Result<&str> {
        self.ready
            .get(key)
            .map(String::as_str)
            .with_context(|| format!("no {key} in the ready line"))
    }

    /// Invites one more slave, joins it with this root and starts it.
    pub fn add_slave(&mut self, number: usize, root: PathBuf) -> Result<()> {
        let mut add = self.master_command()?;
        add.args(["slave", "add", &format!("slave-{number}")])
            .arg("--config")
            .arg(self.master_config());
        let told = run(add)?;
        self.join_slave(number, root, &told)
    }

    /// Joins a slave, by the token in what it was invited with, and starts it.
    pub fn join_slave(&mut self, number: usize, root: PathBuf, told: &str) -> Result<()> {
        let name = format!("slave-{number}");
        let token = told
            .split(|c: char| c.is_whitespace() || c == '"')
            .find(|word| word.starts_with("drftpd1."))
            .with_context(|| format!("no token in {told:?}"))?;
        let config = self
            .path()
            .join(format!("slave-{number}"))
            .join("slave.toml");
        std::fs::create_dir_all(config.parent().context("a folder")?)?;
        std::fs::create_dir_all(&root)?;
        let mut join = self.command("drftpd-slave", number)?;
        join.current_dir(self.path()).arg("join").args([
            "--master",
            self.at("slaves")?,
            "--token",
            token,
        ]);
        join.arg("--root").arg(&root).arg("--config").arg(&config);
        run(join)?;
        edit(&config, &self.spec.slave)?;
        self.slaves.push(SlaveProcess {
            name,
            root,
            config,
            process: None,
        });
        self.start_slave(self.slaves.len() - 1)
    }

    /// Starts a slave that is down, when the master has noticed that it is: else the last link might be taken for the
    /// new one's.
    pub fn start_slave(&mut self, index: usize) -> Result<()> {
        if self.master.is_some() {
            self.wait_until("the slave's last link is over", |cluster| {
                let slaves = cluster.ctl(&["slave", "list"])?;
                let all = slaves["slaves"].as_array().cloned().unwrap_or_default();
                let name = cluster.slaves[index].name.as_str();
                let row = all.iter().find(|row| row["name"] == name);
                Ok(row.is_some_and(|row| row["state"] == "offline"))
            })?;
        }
        self.launch_slave(index)
    }

    /// Starts a slave that is down, whatever the master knows of that.
    pub fn launch_slave(&mut self, index: usize) -> Result<()> {
        let log = self.path().join(format!("{}.log", self.slaves[index].name));
        let mut command = self.command("drftpd-slave", index + 1)?;
        command
            .current_dir(self.path())
            .env("DRFTPD_FAILPOINTS", &self.spec.slave_failpoints)
            .arg("run")
            .arg("--config")
            .arg(&self.slaves[index].config);
        self.slaves[index].process = Some(Running::start(command, &log)?);
        Ok(())
    }

    /// Kills a slave as a crash would.
    pub fn kill_slave(&mut self, index: usize) -> Result<()> {
        self.slaves[index]
            .process
            .take()
            .context("the slave is down")?
            .kill()
    }

    /// Kills the master as a crash would.
    pub fn kill_master(&mut self) -> Result<()> {
        self.master.take().context("the master is down")?.kill()
    }

    /// Runs a command of the table through the master's socket; answers its JSON.
    pub fn ctl(&self, words: &[&str]) -> Result<serde_json::Value> {
        let folder = self.path().join("master");
        let socket = SocketPath::of(&folder, SOCKET)?;
        let mut stream = UnixStream::connect(socket.path()).context("the control socket")?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let commands = Extensions::default().commands().clone();
        let (command, rest) = commands
            .find(words)
            .with_context(|| format!("no command {words:?}"))?;
        let question = serde_json::json!({ "command": command.name, "words": rest });
        stream.write_all(format!("{question}\n").as_bytes())?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        let answer: serde_json::Value =
            serde_json::from_str(&line).with_context(|| format!("to {words:?}: {line:?}"))?;
        ensure!(answer.get("error").is_none(), "to {words:?}: {line}");
        Ok(answer["result"].clone())
    }

    /// Waits until `n` slaves are online and their remerge is over.
    pub fn wait_online(&self, n: usize) -> Result<()> {
        self.wait_until(&format!("{n} slaves online"), |cluster| {
            let slaves = cluster.ctl(&["slave", "list"])?;
            let all = slaves["slaves"].as_array().cloned().unwrap_or_default();
            Ok(all.iter().filter(|s| s["state"] == "online").count() == n)
        })
    }

    /// Waits until every operation of every root's log is done on its disk and nothing is staged.
    pub fn wait_settled(&self) -> Result<()> {
        self.wait_until("all operations done, nothing in staging", |cluster| {
            let roots = cluster.ctl(&["root", "list"])?;
            let all = roots["roots"].as_array().cloned().unwrap_or_default();
            let done = all.iter().all(|root| root["waiting_operations"] == 0);
            Ok(done && cluster.reserved("staging")?.is_empty())
        })
    }

    /// Files in a reserved folder (`staging`, `trash`) of all slaves.
    pub fn reserved(&self, folder: &str) -> Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for slave in &self.slaves {
            for file in std::fs::read_dir(slave.root.join(".drftpd").join(folder))? {
                files.push(file?.path());
            }
        }
        Ok(files)
    }

    /// The slaves' roots.
    pub fn roots(&self) -> Vec<PathBuf> {
        self.slaves.iter().map(|slave| slave.root.clone()).collect()
    }

    /// Asks again until it holds, within the limit that everything has here.
    pub fn wait_until(&self, what: &str, holds: impl Fn(&Cluster) -> Result<bool>) -> Result<()> {
        let until = std::time::Instant::now() + PATIENCE;
        while !holds(self)? {
            if std::time::Instant::now() > until {
                bail!("waited in vain for: {what}{}", self.tails());
            }
            // What is waited for needs the processors more than who asks.
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Leaves its folder where it is, for whoever wants to look.
    pub fn keep(&mut self) {
        self.dir.disable_cleanup(true);
    }

    fn tails(&self) -> String {
        let slaves = self.slaves.iter().filter_map(|s| s.process.as_ref());
        self.master
            .iter()
            .chain(slaves)
            .map(Running::tail)
            .collect()
    }

    /// A logged-in control connection.
    pub fn login(&self) -> Result<Ftp> {
        Ftp::login(self.ftp, USER, PASSWORD)
    }

    /// `ftp://user:password@host:port` for client programs.
    pub fn url(&self) -> String {
        format!("ftp://{USER}:{}@{}", PASSWORD.replace(' ', "%20"), self.ftp)
    }
}

/// Runs a command that must say 0; answers its standard output.
pub fn run(mut command: Command) -> Result<String> {
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("{command:?} ended with {}\n{text}\n{errors}", output.status);
    }
    Ok(text)
}

/// Sets keys in a configuration file: `section.key=value`, value in TOML.
pub fn edit(file: &Path, changes: &[String]) -> Result<()> {
    let mut table: toml::Table = std::fs::read_to_string(file)?.parse()?;
    drftpd_actors::apply_overrides(&mut table, changes)
        .map_err(|errors| anyhow::anyhow!("{errors:?}"))?;
    Ok(std::fs::write(file, table.to_string())?)
}
