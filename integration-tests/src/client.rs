//! Programs of others: lftp, curl, Python's ftplib, ncftp, tnftp, each in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

/// One run of a client program.
pub struct Tool {
    command: Command,
    what: String,
    input: Option<String>,
}

impl Tool {
    /// A program that works in `dir`, with no configuration of the person who runs the tests.
    pub fn new(program: &str, dir: &Path) -> Self {
        let mut command = Command::new("timeout");
        command
            .arg("120")
            .arg(program)
            .current_dir(dir)
            .env("HOME", dir)
            .env("LFTP_HOME", dir.join(".lftp"))
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null());
        Tool {
            command,
            what: program.into(),
            input: None,
        }
    }

    /// Adds arguments.
    pub fn args<S: AsRef<str>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        for arg in args {
            self.what.push(' ');
            self.what.push_str(arg.as_ref());
            self.command.arg(arg.as_ref());
        }
        self
    }

    /// A variable of its environment.
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.command.env(key, value);
        self
    }

    /// Where it finds libraries that are not installed.
    pub fn with_libraries(mut self, folders: &str) -> Self {
        self.command.env("LD_LIBRARY_PATH", folders);
        self
    }

    /// Gives it this on its standard input.
    pub fn input(mut self, text: impl Into<String>) -> Self {
        self.input = Some(text.into());
        self
    }

    /// Runs it; answers what it printed whatever its exit code.
    pub fn output(mut self) -> Result<Output> {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        if self.input.is_some() {
            self.command.stdin(Stdio::piped());
        }
        let mut child = self
            .command
            .spawn()
            .with_context(|| format!("starting {}", self.what))?;
        if let (Some(text), Some(mut stdin)) = (self.input.take(), child.stdin.take()) {
            std::io::Write::write_all(&mut stdin, text.as_bytes())?;
        }
        Ok(child.wait_with_output()?)
    }

    /// Runs it; it must say 0. Answers its standard output.
    pub fn run(self) -> Result<String> {
        let what = self.what.clone();
        let output = self.output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            bail!("{what} ended with {}\n{text}\n{errors}", output.status);
        }
        Ok(text)
    }
}

/// A folder for a client's files, gone when it is dropped.
pub fn folder() -> Result<(tempfile::TempDir, PathBuf)> {
    let dir = tempfile::Builder::new()
        .prefix("drftpd-client-")
        .tempdir()?;
    let path = dir.path().to_path_buf();
    Ok((dir, path))
}
