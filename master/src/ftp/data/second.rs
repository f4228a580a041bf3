//! The second copy that an upload has before 226, where a rule wants one, as its session sees it.

use drftpd_protocol::{RootId, VfsPath};
use tokio::sync::{oneshot, watch};
use tracing::warn;

use super::error::DataError;
use crate::copies::{AckElse, Sent, Word};
use crate::ftp::services::VerbCx;
use crate::vfs::{Followed, PreparedBytes, Upload};

/// A second copy that is being made. Dropped before [`SecondCopy::committed`], it is thrown away.
pub struct SecondCopy {
    path: VfsPath,
    word: watch::Sender<Word>,
    there: oneshot::Receiver<RootId>,
    otherwise: AckElse,
}

impl SecondCopy {
    /// Looks whether what is sent to there can have all the copies that it must have, before anything is sent.
    ///
    /// # Errors
    /// [`DataError::NoSecondCopy`].
    pub fn is_possible(cx: &VerbCx, path: &VfsPath, first: RootId) -> Result<(), DataError> {
        let seconds = &cx.services.seconds;
        match seconds.rule(path) {
            Some(rule) if rule.ack_else == AckElse::Refuse && !seconds.is_possible(rule, first) => {
                Err(DataError::NoSecondCopy)
            }
            _ => Ok(()),
        }
    }

    /// Begins to have it made, if a rule wants it: the first slave has the file open.
    pub fn begin(cx: &VerbCx, path: &VfsPath, upload: &Upload) -> Option<Self> {
        let seconds = &cx.services.seconds;
        let otherwise = seconds.rule(path)?.ack_else;
        let sent = Sent {
            path: path.clone(),
            file: upload.file,
            at: upload.at.clone(),
            first: upload.root,
            bytes: upload.size_of(cx.state.expected),
            blake3: upload.blake3,
            stall: cx.services.data.limits.stall_timeout,
        };
        let (word, heard) = watch::channel(Word::Comes);
        let (tells, there) = oneshot::channel();
        let made = seconds.clone().run(sent, heard, tells);
        // It ends by itself when the word is not there any more.
        drop(cx.cleanup.uncut(made));
        Some(Self {
            path: path.clone(),
            word,
            there,
            otherwise,
        })
    }

    /// The first slave has prepared everything: waits until another one has. Nothing where the rule does without.
    ///
    /// # Errors
    /// [`DataError::NoSecondCopy`], [`DataError::Deleted`].
    pub async fn there(
        &mut self,
        prepared: PreparedBytes,
        followed: &mut Followed,
    ) -> Result<Option<RootId>, DataError> {
        self.word.send_replace(Word::Whole(prepared));
        let there = tokio::select! {
            biased;
            () = followed.deleted() => return Err(DataError::Deleted),
            there = &mut self.there => there,
        };
        match (there, self.otherwise) {
            (Ok(root), _) => Ok(Some(root)),
            (Err(_none), AckElse::Refuse) => Err(DataError::NoSecondCopy),
            (Err(_none), AckElse::Accept) => {
                warn!(path = %self.path, "an upload has one copy where it should have two");
                Ok(None)
            }
        }
    }

    /// The file is there, with it.
    pub fn committed(self) {
        self.word.send_replace(Word::Committed);
    }
}
