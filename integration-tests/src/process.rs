//! A started program: its output is read line by line, it is ended by its own process id.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};

/// How long anything that should come at once may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Where this build put its programs.
pub fn program(name: &str) -> Result<PathBuf> {
    let here = std::env::current_exe()?;
    let folder = here
        .ancestors()
        .find(|dir| dir.join(name).is_file())
        .ok_or_else(|| anyhow!("{name} is not built: run ./integration-tests/run"))?;
    Ok(folder.join(name))
}

/// A program that runs; ended hard when it is dropped.
pub struct Running {
    child: Child,
    lines: Mutex<Receiver<String>>,
    log: PathBuf,
    what: String,
}

impl Running {
    /// Starts `command`; its stdout is read line by line, its stderr goes to the file `log`.
    pub fn start(mut command: Command, log: &Path) -> Result<Self> {
        let what = format!("{command:?}");
        let stderr = File::options().create(true).append(true).open(log)?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .with_context(|| format!("starting {what}"))?;
        let stdout = child.stdout.take().context("no stdout")?;
        let (tell, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Running {
            child,
            lines: Mutex::new(lines),
            log: log.to_path_buf(),
            what,
        })
    }

    /// The next line of its stdout that begins with `start`.
    pub fn line(&self, start: &str) -> Result<String> {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.next(left) {
                Ok(line) if line.starts_with(start) => return Ok(line),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => {
                    bail!("no line {start:?} from {}: {}", self.what, self.tail())
                }
                Err(RecvTimeoutError::Disconnected) => {
                    bail!(
                        "{} ended before it said {start:?}: {}",
                        self.what,
                        self.tail()
                    )
                }
            }
        }
    }

    fn next(&self, limit: Duration) -> Result<String, RecvTimeoutError> {
        match self.lines.lock() {
            Ok(lines) => lines.recv_timeout(limit),
            Err(_) => Err(RecvTimeoutError::Disconnected),
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a crash would, and waits until it is gone.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_child(&self.child);
        Ok(kill_process(pid, signal)?)
    }

    /// Gives it another limit (`ulimit`) while it runs; it may not raise it again.
    pub fn limit(&self, resource: Resource, limit: u64) -> Result<()> {
        let limit = Rlimit {
            current: Some(limit),
            maximum: Some(limit),
        };
        prlimit(Some(Pid::from_child(&self.child)), resource, limit)?;
        Ok(())
    }

    /// How many files it has open.
    pub fn open_files(&self) -> Result<u64> {
        let files = std::fs::read_dir(format!("/proc/{}/fd", self.pid()))?;
        Ok(files.count() as u64)
    }

    /// Waits until it ends by itself: its stdout closes then.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.next(until.saturating_duration_since(Instant::now())) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(self.child.wait()?),
                Err(RecvTimeoutError::Timeout) => {
                    bail!("{} does not end: {}", self.what, self.tail())
                }
            }
        }
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// What it logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The end of what it logged, for failures.
    pub fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let from = lines.len().saturating_sub(40);
        format!(
            "\n--- {} ---\n{}\n---",
            self.log.display(),
            lines[from..].join("\n")
        )
    }

    /// CPU seconds (user and system) that it has used.
    pub fn cpu_seconds(&self) -> Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid()))?;
        let behind_name = stat.rsplit(") ").next().context("no stat")?;
        let field = |n: usize| {
            behind_name
                .split(' ')
                .nth(n)
                .and_then(|f| f.parse::<f64>().ok())
        };
        // Fields 14 and 15 of stat(5), in ticks of 1/100 s on every Linux of today.
        let ticks = field(11).zip(field(12)).map(|(user, system)| user + system);
        Ok(ticks.context("no times")? / 100.0)
    }

    /// Resident memory in KiB.
    pub fn resident_kib(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let line = status
            .lines()
            .find_map(|l| l.strip_prefix("VmRSS:"))
            .context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already gone is as good.
        drop(self.child.kill());
        drop(self.child.wait());
        if thread::panicking() {
            eprintln!("{}", self.tail());
        }
    }
}
