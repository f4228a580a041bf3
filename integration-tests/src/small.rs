//! A small filesystem in memory, unmounted when it is dropped.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};

/// A small filesystem.
pub struct Small {
    /// Where it is mounted.
    pub path: PathBuf,
}

impl Small {
    /// Mounts one with these options.
    ///
    /// # Errors
    /// Where that may not be.
    pub fn mount(path: PathBuf, options: &str) -> Result<Self> {
        std::fs::create_dir_all(&path)?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "drftpd-test"])
            .arg(&path)
            .status()?;
        ensure!(
            mounted.success(),
            "this test mounts a small filesystem and must run as root"
        );
        Ok(Small { path })
    }

    /// Bytes that are free on it.
    ///
    /// # Errors
    /// When the system does not know.
    pub fn free(&self) -> Result<u64> {
        let stat = rustix::fs::statvfs(&self.path)?;
        Ok(stat.f_bavail * stat.f_frsize)
    }

    /// Takes all that is free; answers the file that has it.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn fill(&self) -> Result<PathBuf> {
        let path = self.path.join("fill");
        let file = std::fs::File::create(&path)?;
        // Others write meanwhile: a bit less each time.
        for part in 0..20 {
            let size = (self.free()? >> part).max(1);
            let flags = rustix::fs::FallocateFlags::empty();
            if rustix::fs::fallocate(&file, flags, 0, size).is_ok() {
                break;
            }
        }
        Ok(path)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.path).status());
    }
}
