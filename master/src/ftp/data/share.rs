//! What a transfer has of its user's limits while it runs: its place among those at once, its part of the speed, and how
//! much it may still move.

use drftpd_protocol::ftp::Reply;
use drftpd_protocol::{SessionId, VfsPath};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::warn;

use super::error::DataError;
use super::traffic::{Pace, TrafficRule};
use crate::ftp::client::SessionsClient;
use crate::ftp::error::FtpError;
use crate::ftp::services::{Services, VerbCx};
use crate::transfer::Direction;

/// Held while a transfer runs; given back, and its bytes counted, when it is dropped.
pub struct Share {
    session: SessionId,
    sessions: SessionsClient,
    /// Bytes per second that it has now by its user's limits.
    pub rate: watch::Receiver<Option<u64>>,
    /// Bytes per second that a rule of `[traffic]` lets it have at most.
    pub most_rate: Option<u64>,
    /// What it must keep up.
    pace: Option<Pace>,
    meter: Meter,
}

/// What a transfer has moved, of what it may.
struct Meter {
    services: Services,
    user: String,
    way: Direction,
    /// Bytes that were there before.
    before: u64,
    moved: u64,
    /// `None`: any number.
    most: Option<u64>,
}

impl Share {
    /// Takes a place for a transfer of a path that will move `expected` bytes (0: nobody knows).
    ///
    /// # Errors
    /// [`FtpError::Said`] where a limit or a quota is used up.
    pub async fn take(
        cx: &VerbCx,
        (path, way): (&VfsPath, Direction),
        expected: u64,
    ) -> Result<Self, FtpError> {
        let account = cx.account()?;
        let config = cx.services.rights.config();
        let rule = config.traffic.of(account, path, way);
        let taken = cx
            .sessions
            .take_move(cx.session, account, way, expected)
            .await;
        let taken = taken.map_err(|_| FtpError::Said(Reply::new(451, "Busy, try again")))?;
        let taken = taken.map_err(|full| FtpError::Said(Reply::new(450, full)))?;
        let mut share = Self {
            session: cx.session,
            sessions: cx.sessions.clone(),
            rate: taken.rate,
            most_rate: rule.and_then(TrafficRule::most),
            pace: rule.and_then(TrafficRule::pace),
            meter: Meter {
                services: (*cx.services).clone(),
                user: account.name.clone(),
                way,
                before: 0,
                moved: 0,
                most: None,
            },
        };
        let quota = cx.services.accounts.quota(account, way);
        let quota = quota.map_err(|why| {
            warn!(%why, "quotas cannot be read");
            FtpError::Said(Reply::new(451, "Quotas cannot be looked at"))
        })?;
        share.meter.most = quota.left.map(|left| left.saturating_sub(taken.ahead));
        share.may(expected.max(1))?;
        Ok(share)
    }

    /// Bytes per second that it may have, when it begins; whoever asks hears of the next.
    pub fn rate_now(&mut self) -> Option<u64> {
        lower(*self.rate.borrow_and_update(), self.most_rate)
    }

    fn may(&self, bytes: u64) -> Result<(), FtpError> {
        match self.meter.most {
            Some(most) if bytes > most => Err(FtpError::Said(Reply::new(552, "Quota exceeded"))),
            _ => Ok(()),
        }
    }

    /// So many bytes of the file were there before.
    pub fn goes_on_behind(&mut self, before: u64) {
        self.meter.before = before;
        if let Some(pace) = &mut self.pace {
            pace.goes_on_behind(before);
        }
    }

    /// The transfer is at this byte now.
    ///
    /// # Errors
    /// [`FtpError::Said`] when that is more than it may.
    pub fn at(&mut self, bytes: u64) -> Result<(), FtpError> {
        if let Some(pace) = &mut self.pace {
            pace.moved(Instant::now(), bytes);
        }
        let moved = bytes.saturating_sub(self.meter.before);
        self.meter.moved = self.meter.moved.max(moved);
        self.may(self.meter.moved)
    }

    /// When its speed is to be judged.
    pub fn due(&self) -> Option<Instant> {
        self.pace.as_ref()?.due()
    }

    /// Judges its speed.
    ///
    /// # Errors
    /// [`DataError::TooSlow`].
    pub fn keeps_up(&mut self) -> Result<(), DataError> {
        let judged = self.pace.as_mut().map(|pace| pace.judge(Instant::now()));
        judged.unwrap_or(Ok(())).map_err(DataError::TooSlow)
    }

    /// It has moved so many bytes in the end.
    pub fn moved(&mut self, bytes: u64) {
        self.meter.moved = bytes;
    }
}

/// The lower one of two speeds; `None`: as many bytes as there are.
pub fn lower(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.into_iter().chain(other).min()
}

impl Drop for Share {
    fn drop(&mut self) {
        self.sessions.move_over(self.session);
        let meter = &self.meter;
        // Where there is no quota nobody wants to know.
        if meter.most.is_some() && meter.moved > 0 {
            meter
                .services
                .accounts
                .moved(&meter.user, meter.way, meter.moved);
        }
    }
}
