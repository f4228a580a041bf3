//! A folder for a cluster, commands in it, and a master that runs in it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// The program; nothing of the caller's environment that it listens to.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_drftpd-master"));
    command
        .env_remove("DRFTPD_PASSWORD")
        .env_remove("DRFTPD_FAILPOINTS")
        .stdin(Stdio::null());
    command
}

/// A folder for one cluster.
pub struct Cluster {
    _holder: tempfile::TempDir,
    dir: PathBuf,
}

impl Cluster {
    /// An empty folder.
    pub fn new() -> Self {
        Self::below("cluster")
    }

    /// An empty folder with a longer path.
    pub fn below(path: &str) -> Self {
        let holder = tempfile::tempdir().unwrap();
        let dir = holder.path().join(path);
        std::fs::create_dir_all(&dir).unwrap();
        Self {
            _holder: holder,
            dir,
        }
    }

    /// One that `init` has made, with free ports and cheap passwords; the administrator's password is `secret`.
    pub fn made() -> Self {
        Self::new().make()
    }

    /// The same in this folder.
    pub fn make(self) -> Self {
        let cluster = self;
        let done = program()
            .env("DRFTPD_PASSWORD", "secret")
            .args(["init", "--config"])
            .arg(cluster.config())
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", err(&done));
        cluster.edit(
            "listen = [\"127.0.0.1:2121\"]",
            "listen = [\"127.0.0.1:0\"]",
        );
        cluster.edit("listen = \"127.0.0.1:2122\"", "listen = \"127.0.0.1:0\"");
        cluster.edit("listen = \"127.0.0.1:8021\"", "listen = \"127.0.0.1:0\"");
        cluster
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its configuration.
    pub fn config(&self) -> PathBuf {
        self.dir().join("master.toml")
    }

    /// Changes the configuration; the line must be there.
    pub fn edit(&self, line: &str, other: &str) {
        let text = std::fs::read_to_string(self.config()).unwrap();
        assert!(text.contains(line), "no line {line}");
        std::fs::write(self.config(), text.replace(line, other)).unwrap();
    }

    /// Runs a command with `--dir` to its end.
    pub fn command(&self, words: &[&str]) -> Output {
        let mut command = program();
        command.args(words).arg("--dir").arg(self.dir());
        command.output().unwrap()
    }

    /// Starts `run` and waits until it serves.
    pub fn run(&self) -> Running {
        let mut command = program();
        command.arg("run").arg("--config").arg(self.config());
        self.start(command)
    }

    /// Starts `quickstart` with free ports and waits until it serves.
    pub fn quickstart(&self, more: &[&str], password: Option<&str>) -> Running {
        let mut command = program();
        if let Some(password) = password {
            command.env("DRFTPD_PASSWORD", password);
        }
        let free = "127.0.0.1:0";
        command
            .args(["quickstart", "--listen", free, "--admin-listen", free])
            .args(["--slave-listen", free, "--passive-ports", "0", "--dir"])
            .arg(self.dir())
            .args(more);
        self.start(command)
    }

    /// Starts a command and waits until it serves; its log goes into a file beside the folder.
    pub fn start(&self, command: Command) -> Running {
        let log = self.dir.with_extension("log");
        Running::of(command, log)
    }
}

/// What a command said on stdout.
pub fn out(done: &Output) -> String {
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// What a command said on stderr.
pub fn err(done: &Output) -> String {
    String::from_utf8_lossy(&done.stderr).into_owned()
}

/// A master that serves. Ended hard when dropped.
pub struct Running {
    child: Child,
    stdout: BufReader<ChildStdout>,
    log: PathBuf,
    /// What it said on stdout until it was ready, the ready line last.
    pub said: Vec<String>,
}

impl Running {
    /// Starts a command and waits for its ready line.
    pub fn of(mut command: Command, log: PathBuf) -> Self {
        let mut options = std::fs::File::options();
        let errors = options.create(true).append(true).open(&log).unwrap();
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut running = Self {
            child,
            stdout,
            log,
            said: Vec::new(),
        };
        while !running
            .said
            .last()
            .is_some_and(|line| line.starts_with("ready "))
        {
            let mut line = String::new();
            let read = running.stdout.read_line(&mut line).unwrap();
            assert_ne!(
                read,
                0,
                "ended before it was ready: {:?}",
                running.child.wait()
            );
            running.said.push(line.trim_end().to_owned());
        }
        running
    }

    /// A value of the ready line.
    pub fn ready(&self, key: &str) -> String {
        let line = self.said.last().unwrap();
        let mut pairs = line.split(' ').filter_map(|pair| pair.split_once('='));
        let found = pairs.find(|(name, _)| *name == key);
        found
            .unwrap_or_else(|| panic!("no {key} in {line}"))
            .1
            .to_owned()
    }

    /// Says something to the process.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
    }

    /// Waits for its end; gives what it still said on stdout.
    pub fn wait(mut self) -> (ExitStatus, String) {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap(), rest)
    }

    /// Ends it in peace.
    pub fn end(self) {
        self.signal(Signal::TERM);
        let (status, _) = self.wait();
        assert!(status.success(), "{status}");
    }

    /// What it has said on stderr so far.
    #[cfg(feature = "failpoints")]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// A control connection that was greeted.
    pub fn ftp(&self) -> Ftp {
        let at: SocketAddr = self.ready("ftp").parse().unwrap();
        let io = TcpStream::connect(at).unwrap();
        io.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut ftp = Ftp(BufReader::new(io));
        assert_eq!(ftp.hear(), 220);
        ftp
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
        if std::thread::panicking() {
            eprintln!("{}", std::fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}

/// A control connection.
pub struct Ftp(BufReader<TcpStream>);

impl Ftp {
    /// Says a line and gives the code of the reply; 0 when the connection is closed.
    pub fn say(&mut self, line: &str) -> u16 {
        // A closed connection shows in the reply.
        drop(self.0.get_mut().write_all(format!("{line}\r\n").as_bytes()));
        self.hear()
    }

    /// Says a line with its last byte as urgent data, as Python's ftplib says ABOR.
    pub fn say_urgently(&mut self, line: &str) -> u16 {
        let line = format!("{line}\r\n");
        let socket = socket2::SockRef::from(self.0.get_ref());
        assert_eq!(
            socket.send_out_of_band(line.as_bytes()).unwrap(),
            line.len()
        );
        self.hear()
    }

    /// Logs in and gives the code of the last reply.
    pub fn log_in(&mut self, user: &str, password: &str) -> u16 {
        match self.say(&format!("USER {user}")) {
            331 => self.say(&format!("PASS {password}")),
            code => code,
        }
    }

    /// The code of the next reply; 0 when the connection is closed.
    pub fn hear(&mut self) -> u16 {
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).unwrap_or(0) == 0 {
                return 0;
            }
            if line.as_bytes().get(3) == Some(&b' ') && !line.starts_with(' ') {
                return line[..3].parse().unwrap_or(0);
            }
        }
    }
}
