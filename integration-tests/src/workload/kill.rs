//! The moment at which a process is killed: so many steps of its clients from now, and a bit later.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;

use anyhow::Result;
use rustix::process::{Pid, Signal, kill_process};

/// Kills a process when its clients have passed so many points.
pub struct Killer {
    pid: Pid,
    left: AtomicI64,
    turns: u64,
    over: AtomicBool,
}

impl Killer {
    /// Kills `pid` at the `points`-th point, after giving others `turns` turns on the processor: what
    /// the process is doing just then may differ, so what the clients were told decides.
    pub fn new(pid: u32, points: u64, turns: u64) -> Result<Self> {
        let pid = Pid::from_raw(i32::try_from(pid)?);
        Ok(Killer {
            pid: pid.ok_or_else(|| anyhow::anyhow!("no process"))?,
            left: AtomicI64::new(i64::try_from(points)?),
            turns,
            over: AtomicBool::new(false),
        })
    }

    /// A client is at a point.
    pub fn pass(&self) -> Result<()> {
        if self.left.fetch_sub(1, Ordering::SeqCst) == 0 {
            (0..self.turns).for_each(|_| thread::yield_now());
            self.over.store(true, Ordering::SeqCst);
            kill_process(self.pid, Signal::KILL)?;
        }
        Ok(())
    }

    /// Whether it was killed.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }
}
