//! Points where a program shall fail at a moment that the test chooses.

use std::path::PathBuf;

use anyhow::{Result, ensure};

use crate::cluster::Cluster;

/// Points that fail once each time when they are armed.
pub struct Points {
    dir: tempfile::TempDir,
    action: &'static str,
}

impl Points {
    /// Points that do this (`panic`, `crash`, `fail`) when they are armed.
    pub fn new(action: &'static str) -> Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("drftpd-points-")
            .tempdir()?;
        Ok(Points { dir, action })
    }

    fn file(&self, point: &str) -> PathBuf {
        self.dir.path().join(point)
    }

    /// The value of `DRFTPD_FAILPOINTS` for these points.
    pub fn spec(&self, points: &[&str]) -> String {
        let one = |point: &&str| format!("{point}=@{}:{}", self.file(point).display(), self.action);
        points.iter().map(one).collect::<Vec<_>>().join(";")
    }

    /// The next pass fails.
    pub fn arm(&self, point: &str) -> Result<()> {
        Ok(std::fs::write(self.file(point), "")?)
    }

    /// Nothing fails any more; answers whether the point was still armed.
    pub fn disarm(&self, point: &str) -> Result<bool> {
        match std::fs::remove_file(self.file(point)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            removed => Ok(removed.map(|()| true)?),
        }
    }

    /// Waits until an armed point has failed.
    pub fn wait(&self, cluster: &Cluster, point: &str) -> Result<()> {
        cluster.wait_until(&format!("{point} is passed"), |_| {
            Ok(!self.file(point).exists())
        })
    }

    /// That an armed point has failed.
    pub fn failed(&self, point: &str) -> Result<()> {
        ensure!(!self.file(point).exists(), "{point} was never passed");
        Ok(())
    }
}
