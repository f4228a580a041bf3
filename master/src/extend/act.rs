//! What is asked before it happens. Judged on the resolved target, by every way that leads there, after permissions: whoever may
//! not do it does not get as far.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix::{Message, Recipient};
use drftpd_actors::{Gate, Otherwise, Verdict};
use drftpd_protocol::VfsPath;
use drftpd_protocol::ftp::Reply;
use tracing::info;

use crate::accounts::Account;
use crate::vfs::Entry;

/// What somebody is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Act {
    /// Log in: the password was right. The path is where they would stand.
    LogIn,
    /// Fetch a file: PRET and RETR.
    Download,
    /// Send a file, new or to go on with: PRET, STOR, STOU, APPE.
    Upload,
    /// Make a directory: MKD.
    MakeDir,
    /// Remove a directory: RMD.
    RemoveDir,
    /// Delete a file or a link: DELE.
    Delete,
    /// Give something another path: RNTO. Plugins that move directories themselves ask it, too.
    Rename,
}

impl Act {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::LogIn,
        Self::Download,
        Self::Upload,
        Self::MakeDir,
        Self::RemoveDir,
        Self::Delete,
        Self::Rename,
    ];

    /// The code by which its refusal is said (RFC 959: what each verb may answer).
    fn refused(self) -> u16 {
        match self {
            Self::LogIn => 530,
            Self::Upload | Self::Rename => 553,
            Self::Download | Self::MakeDir | Self::RemoveDir | Self::Delete => 550,
        }
    }

    /// The code where somebody who has a say did not answer.
    fn unanswered(self) -> u16 {
        match self {
            Self::LogIn => 530,
            _ => 450,
        }
    }
}

/// Asks whether something may happen; to be answered within the limit that was said with [`judges`](super::PluginCx::judges).
#[derive(Message, Debug, Clone)]
#[rtype(result = "Verdict")]
pub struct Asked {
    /// What.
    pub what: Act,
    /// Who wants it.
    pub who: Arc<Account>,
    /// From where; nowhere for what was not asked over a connection.
    pub client: Option<IpAddr>,
    /// Where, resolved: for [`Act::Rename`] the new path.
    pub path: VfsPath,
    /// What it is about, as far as it is there: what is fetched, deleted, renamed, or would be replaced or gone on with.
    pub entry: Option<Entry>,
    /// Of a rename: where it is now.
    pub from: Option<VfsPath>,
}

/// A gate for each [`Act`]; without judges it costs nothing to pass.
#[derive(Default)]
pub struct Gates([Gate<Asked>; Act::ALL.len()]);

/// Why something must not happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    what: Act,
    verdict: Verdict,
}

impl Gates {
    pub(super) fn add(
        &self,
        name: &'static str,
        acts: &[Act],
        to: &Recipient<Asked>,
        limit: Duration,
    ) {
        for what in acts {
            self.gate(*what)
                .register(name, to.clone(), limit, Otherwise::Refuse);
        }
    }

    /// Asks whoever has a say. `question` is made only where somebody has.
    ///
    /// # Errors
    /// When somebody refuses, or does not answer in time.
    pub async fn ask(&self, what: Act, question: impl FnOnce() -> Asked) -> Result<(), Stopped> {
        let gate = self.gate(what);
        if gate.is_open() {
            return Ok(());
        }
        let question = question();
        let verdict = gate.ask(&question).await;
        if verdict.allows() {
            return Ok(());
        }
        let (who, path) = (&question.who.name, &question.path);
        info!(?what, %who, %path, ?verdict, "stopped by a plugin");
        Err(Stopped { what, verdict })
    }

    fn gate(&self, what: Act) -> &Gate<Asked> {
        &self.0[what as usize]
    }
}

impl Stopped {
    /// Says it to the client.
    pub fn reply(&self) -> Reply {
        match &self.verdict {
            Verdict::Refuse(why) => Reply::new(self.what.refused(), why.clone()),
            _ => Reply::new(self.what.unanswered(), "Not now, try again later"),
        }
    }

    /// For people.
    pub fn why(&self) -> String {
        match &self.verdict {
            Verdict::Refuse(why) => why.clone(),
            _ => "not now, try again later".to_owned(),
        }
    }
}
