//! Slaves that come twice: with the same certificate, or with a copy of another one's root.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::super::hands::copy;
use super::Broken;
use crate::process::{Running, program};

impl Broken<'_> {
    /// A second process with all that a slave has, but for its root.
    pub(super) fn slave_twice(&mut self, at: usize) -> Result<Running> {
        let root = self.cluster.path().join(format!("twin-{}", self.count));
        std::fs::create_dir(&root)?;
        self.second(at, root)
    }

    /// The slave that is there for it, with a copy of another one's root.
    pub(super) fn root_twice(&mut self, at: usize) -> Result<Running> {
        let spare = self.links.len();
        let root = self.cluster.slaves[spare].root.clone();
        std::fs::remove_dir_all(&root)?;
        // What moves meanwhile may be missing in it.
        drop(copy(&self.cluster.slaves[at].root, &root));
        ensure!(root.join(".drftpd/identity").exists(), "no copy of a root");
        self.cluster.launch_slave(spare)?;
        let process = self.cluster.slaves[spare].process.take();
        process.context("it was started")
    }

    fn second(&self, at: usize, root: PathBuf) -> Result<Running> {
        let slave = &self.cluster.slaves[at];
        let folder = self.cluster.path().join(format!("second-{}", self.count));
        std::fs::create_dir(&folder)?;
        let first = slave.config.parent().context("a folder")?;
        for entry in std::fs::read_dir(first)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                std::fs::copy(entry.path(), folder.join(entry.file_name()))?;
            }
        }
        let config = folder.join("slave.toml");
        let text = std::fs::read_to_string(&config)?;
        let (old, new) = (slave.root.display().to_string(), root.display().to_string());
        ensure!(text.contains(&old), "{text}");
        std::fs::write(&config, text.replace(&old, &new))?;
        let mut command = Command::new(program("drftpd-slave")?);
        command.current_dir(&folder);
        command.arg("run").arg("--config").arg(&config);
        Running::start(command, &folder.join("log"))
    }
}
