//! A filesystem on a file, whose power can fail: what was not on the disk by then is gone.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use crate::cluster::run;

/// Bytes that fit on it.
const SIZE: u64 = 256 << 20;
/// What is not synced does not get to the disk by itself for so many seconds.
const LAZY: u32 = 600;
/// Makes ext4 forget what it has not written, its journal too, and refuse everything from then on: `EXT4_IOC_SHUTDOWN`
/// with `EXT4_GOING_FLAGS_NOLOGFLUSH`. Another program's, as the call is unsafe in ours.
const SHUTDOWN: &str = "import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack('I', 2))";

/// A filesystem of its own; unmounted when it is dropped.
pub struct Disk {
    /// Where it is mounted.
    pub path: PathBuf,
    image: PathBuf,
}

impl Disk {
    /// Makes one that is mounted there, with what is in that folder; nothing where this may not be, which is said.
    ///
    /// # Errors
    /// Those of the disk below.
    #[allow(clippy::print_stderr)]
    pub fn over(path: PathBuf) -> Result<Option<Self>> {
        fs::create_dir_all(&path)?;
        let disk = Disk {
            image: path.with_extension("image"),
            path,
        };
        File::create(&disk.image)?.set_len(SIZE)?;
        let kept = disk.path.with_extension("kept");
        match disk.make().and_then(|()| disk.loses_power()) {
            Ok(()) => {}
            Err(why) => {
                eprintln!(
                    "skipped: no filesystem here whose power could fail (root, mkfs.ext4 and loop devices are needed): {why}"
                );
                return Ok(None);
            }
        }
        disk.unmount()?;
        fs::rename(&disk.path, &kept)?;
        fs::create_dir(&disk.path)?;
        disk.mount()?;
        let mut copy = Command::new("cp");
        copy.arg("-a").arg(kept.join(".")).arg(&disk.path);
        run(copy)?;
        run(on(&["sync", "-f"], &disk.path))?;
        fs::remove_dir_all(kept)?;
        Ok(Some(disk))
    }

    fn make(&self) -> Result<()> {
        run(on(&["mkfs.ext4", "-q", "-F", "-m", "0"], &self.image))?;
        self.mount()
    }

    fn mount(&self) -> Result<()> {
        let lazy = format!("loop,commit={LAZY}");
        let mut mount = Command::new("mount");
        mount.args(["-t", "ext4", "-o", &lazy]).arg(&self.image);
        mount.arg(&self.path);
        run(mount).map(drop)
    }

    fn unmount(&self) -> Result<()> {
        run(on(&["umount"], &self.path)).map(drop)
    }

    /// Whether the power of this one can fail at all: what was synced is there afterwards, what was not is not.
    fn loses_power(&self) -> Result<()> {
        let (safe, lost) = (self.path.join("safe"), self.path.join("lost"));
        fs::write(&safe, b"safe")?;
        File::open(&safe)?.sync_all()?;
        File::open(&self.path)?.sync_all()?;
        fs::write(&lost, b"lost")?;
        self.fail()?;
        self.mend()?;
        ensure!(fs::read(&safe)? == b"safe" && !lost.exists());
        Ok(fs::remove_file(safe)?)
    }

    /// The power fails: nothing more gets to the disk, and everything on it is an error until it is mended.
    ///
    /// # Errors
    /// When the system does not do it.
    pub fn fail(&self) -> Result<()> {
        run(on(&["python3", "-c", SHUTDOWN], &self.path)).map(drop)
    }

    /// The power is back; nobody may have anything open there any more.
    ///
    /// # Errors
    /// When the disk cannot be mounted.
    pub fn mend(&self) -> Result<()> {
        self.unmount()?;
        self.mount()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(run(on(&["umount", "-l"], &self.path)));
    }
}

fn on(words: &[&str], at: &Path) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).arg(at);
    command
}
