//! What a transfer costs or earns, and whether it may begin: judged once, on the resolved target.

use drftpd_protocol::VfsPath;
use drftpd_protocol::ftp::Reply;
use tracing::warn;

use crate::accounts::downloads::{Costs, HoldError, TooFew};
use crate::accounts::earned::Earns;
use crate::accounts::limits::Unit;
use crate::ftp::error::FtpError;
use crate::ftp::services::VerbCx;
use crate::transfer::Direction;

/// What an upload to there earns.
///
/// # Errors
/// When nobody is logged in.
pub fn earns(cx: &VerbCx, path: &VfsPath) -> Result<Earns, FtpError> {
    let (who, rules) = (cx.account()?, cx.services.rights.rules());
    Ok(Earns {
        account: who.name.clone(),
        ratio: rules.earned(who, path),
        counts: rules.counts(who, path, Direction::Upload),
    })
}

/// What a download from there costs.
///
/// # Errors
/// When nobody is logged in.
pub fn costs(cx: &VerbCx, path: &VfsPath) -> Result<Costs, FtpError> {
    let (who, rules) = (cx.account()?, cx.services.rights.rules());
    Ok(Costs {
        account: who.name.clone(),
        loss: rules.lost(who, path).0,
        least: cx.services.accounts.least_credits(),
        counts: rules.counts(who, path, Direction::Download),
    })
}

/// Whether credits suffice for so many bytes from there.
///
/// # Errors
/// [`FtpError::Said`] when not.
pub fn suffice(cx: &VerbCx, path: &VfsPath, bytes: u64) -> Result<Costs, FtpError> {
    let costs = costs(cx, path)?;
    if costs.loss > 0 {
        cx.services.accounts.suffice(&costs, bytes).map_err(said)?;
    }
    Ok(costs)
}

/// What the client hears when credits are not held.
pub fn said(why: HoldError) -> FtpError {
    match why {
        HoldError::TooFew(TooFew { needed, free }) => {
            let (needed, free) = (Unit::show_signed(needed), Unit::show_signed(free));
            let text = format!("Not enough credits: it takes {needed}, you have {free}");
            FtpError::Said(Reply::new(550, text))
        }
        HoldError::Store(why) => {
            warn!(%why, "credits cannot be held");
            FtpError::Said(Reply::new(451, "Credits cannot be looked at"))
        }
    }
}

/// Whether as much has been moved in a time as may be by a `creditlimit` line.
///
/// # Errors
/// [`FtpError::Said`] when so.
pub fn within_caps(cx: &VerbCx, path: &VfsPath, way: Direction) -> Result<(), FtpError> {
    let who = cx.account()?;
    for cap in cx.services.rights.rules().caps(who, path, way) {
        let moved = cx.services.accounts.tally(&who.name, cap.period, way);
        let moved = moved.map_err(|why| said(why.into()))?;
        if moved.bytes >= cap.bytes {
            let most = Unit::Bytes.show(cap.bytes);
            let of = match cap.period.name() {
                "ever" => String::new(),
                period => format!(" a {period}"),
            };
            let text = format!("You have moved the {most}{of} that you may here");
            return Err(FtpError::Said(Reply::new(550, text)));
        }
    }
    Ok(())
}
