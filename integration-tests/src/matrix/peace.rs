//! A cluster that is left in peace: what is under way comes to its end, then everything is compared.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::Value;

use super::hands::Hands;
use super::round::Books;
use crate::cluster::Cluster;
use crate::users::check::{Disks, listed};
use crate::users::worker::bytes;
use crate::users::{Site, Spoilt, Trace};

/// How long all consequences may take to come to their end.
const TO_SETTLE: Duration = Duration::from_secs(60);
/// How it is said why nobody copies a file of which nobody has good bytes.
const NOBODY: &str = "no slave that has ";
/// How long is waited before it is looked again.
const PAUSE: Duration = Duration::from_millis(200);

pub(super) struct Peace<'a> {
    pub cluster: &'a mut Cluster,
    /// The slaves' roots, by their names.
    pub roots: Vec<(String, PathBuf)>,
    pub copies: usize,
    pub books: &'a Books,
    pub hands: &'a Hands,
    pub spoilt: &'a Spoilt,
    pub site_begun: Instant,
    pub trace: &'a Trace,
}

impl Peace<'_> {
    /// Waits until nothing is wrong, but not for ever; answers what is.
    ///
    /// # Errors
    /// When nothing can be asked.
    pub fn judge(mut self) -> Result<Vec<String>> {
        self.after_failures()?;
        let until = Instant::now() + TO_SETTLE;
        loop {
            let mut wrong = self.unsettled()?;
            if wrong.is_empty() {
                wrong = self.compare()?;
            }
            if wrong.is_empty() || Instant::now() > until {
                let at = self.site_begun.elapsed();
                self.trace
                    .note(at, "peace", format!("wrong: {}", wrong.len()));
                if !wrong.is_empty() {
                    wrong.extend(self.tails());
                }
                return Ok(wrong);
            }
            thread::sleep(PAUSE);
        }
    }

    fn tails(&self) -> Vec<String> {
        let slaves = self
            .cluster
            .slaves
            .iter()
            .filter_map(|s| s.process.as_ref());
        let all = self.cluster.master.iter().chain(slaves);
        all.map(crate::process::Running::tail).collect()
    }

    /// A slave whose disk has failed is started again by its operator.
    fn after_failures(&mut self) -> Result<()> {
        for index in 0..self.roots.len() {
            let failed = match &self.cluster.slaves[index].process {
                Some(process) => process.log().contains("the root is read-only now"),
                None => bail!("slave {index} is down"),
            };
            if failed {
                self.cluster.kill_slave(index)?;
                self.cluster.start_slave(index)?;
            }
        }
        Ok(())
    }

    /// What is still under way. Roots that miss too much are confirmed, as an operator would.
    fn unsettled(&self) -> Result<Vec<String>> {
        let mut wrong = Vec::new();
        let slaves = rows(self.cluster.ctl(&["slave", "list"])?, "slaves");
        let online = slaves.iter().filter(|slave| slave["state"] == "online");
        if online.count() != self.roots.len() {
            wrong.push(format!("slaves are not online: {slaves:?}"));
        }
        for root in rows(self.cluster.ctl(&["root", "list"])?, "roots") {
            if root["state"] == "held"
                && let Some(id) = root["root"].as_str()
            {
                self.cluster.ctl(&["root", "confirm", id])?;
            }
            if root["waiting_operations"] != 0 {
                wrong.push(format!("operations wait: {root}"));
            }
        }
        for copy in rows(self.cluster.ctl(&["copy", "list"])?, "files") {
            // A file that is lost waits for ever.
            if !copy["why"]
                .as_str()
                .is_some_and(|why| why.starts_with(NOBODY))
            {
                wrong.push(format!("a copy waits: {copy}"));
            }
        }
        Ok(wrong)
    }

    fn compare(&self) -> Result<Vec<String>> {
        let site = Site::real(self.cluster.ftp, self.site_begun, &Trace::default());
        let found = drftpd_actors::block_on(async { listed("looks", &site).await })?;
        let found = match found {
            Ok(found) => found,
            Err(why) => return Ok(vec![format!("it cannot be listed: {why}")]),
        };
        let mut left = found.clone();
        let mut wrong = Vec::new();
        for ledger in &self.books.ledgers {
            let spoilt = |content| self.spoilt.is(content);
            wrong.extend(ledger.check(&found, bytes, spoilt, &mut left));
        }
        wrong.extend(self.hands.check(&mut left));
        let nobodys = left.keys();
        wrong.extend(nobodys.map(|path| format!("{path} is there and nobody made it")));
        let mut disks = Disks::read(&self.roots)?;
        if self.hands.emptied {
            disks.empty.clear();
        }
        wrong.extend(disks.check(&found, self.copies));
        wrong.extend(disks.staging(&found, self.hands.took_staged));
        let checked = self.cluster.ctl(&["check"])?;
        if checked["wrong"] != 0 {
            wrong.push(format!("check says: {checked}"));
        }
        Ok(wrong)
    }
}

fn rows(of: Value, key: &str) -> Vec<Value> {
    of[key].as_array().cloned().unwrap_or_default()
}
