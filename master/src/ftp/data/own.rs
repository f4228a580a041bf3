//! Data connections of the master's own, for listings.
//!
//! Under TLS the first whose handshake succeeds is the client: whoever comes first and says nothing takes nobody's place,
//! as on slaves.

use drftpd_actors::tls::is_verdict;
use drftpd_actors::{BoxIo, Crowd};
use drftpd_protocol::VfsPath;
use drftpd_protocol::wire::PeerRule;
use tokio::time::{Instant, sleep_until};

use super::channel::{dial_failed, may_dial, may_try};
use super::error::DataError;
use super::passive::{GRACE, Passive};
use super::secure::{self, Other};
use super::taken::Taken;
use super::{Endpoint, active, fxp};
use crate::ftp::services::VerbCx;
use crate::tls::Carries;
use crate::transfer::Direction;

/// Handshakes for one listing at a time; the oldest gives way to the next.
const MOST: usize = 32;

/// A connection, and how it is known when the client has everything.
type Own = (BoxIo, Taken);

/// Whether an endpoint is good for a listing of `path`: known before 150.
///
/// # Errors
/// When it is not.
pub fn for_listing(
    cx: &VerbCx,
    endpoint: Option<Endpoint>,
    path: &VfsPath,
) -> Result<Endpoint, DataError> {
    let endpoint = endpoint.ok_or(DataError::NotAgreed)?;
    secure::may_carry(cx, Carries::Listing, path)?;
    match endpoint {
        Endpoint::Slave(_) => Err(announced_transfer()),
        Endpoint::Dial(to) => {
            let to = may_dial(cx, to, path, Some(Direction::Download))?;
            Ok(Endpoint::Dial(to))
        }
        here => Ok(here),
    }
}

fn announced_transfer() -> DataError {
    DataError::OtherAnnounced(
        "PRET announced a file, and its slave listens: send PRET LIST and PASV for a listing",
    )
}

/// The data connection for a listing of `path`.
///
/// # Errors
/// When the endpoint is on a slave, nobody is at the other end, or TLS fails.
pub async fn open(cx: &VerbCx, endpoint: Endpoint, path: &VfsPath) -> Result<Own, DataError> {
    match endpoint {
        Endpoint::Here(passive) => comes(cx, passive, path).await,
        Endpoint::Dial(to) => {
            may_try(cx).await?;
            let net = cx.services.net.as_ref();
            let connect = cx.services.data.limits.connect_timeout;
            let dialled = active::dial(net, cx.local.ip(), to, connect).await;
            let io = dialled.inspect_err(|_| dial_failed(cx))?;
            secured(cx, io, path, secure::is_ours(cx, Other::Dialled(to))).await
        }
        Endpoint::Slave(_) => Err(announced_transfer()),
    }
}

async fn secured(cx: &VerbCx, io: BoxIo, path: &VfsPath, is_ours: bool) -> Result<Own, DataError> {
    // Once TLS lies over it the socket is not seen any more.
    let taken = Taken::of(&io, &cx.services.data.asking);
    Ok((secure::handshake(cx, io, path, is_ours).await?, taken))
}

/// The client comes to the master.
async fn comes(cx: &VerbCx, passive: Passive, path: &VfsPath) -> Result<Own, DataError> {
    let is_ours = secure::is_ours(cx, Other::Told(passive.told()));
    let who = fxp::of(cx, path, Some(Direction::Download)).who_may_connect(cx.client());
    let connect = cx.services.data.limits.connect_timeout;
    let Some(limit) = secure::handshake_limit(cx) else {
        let io = passive.accept(who, connect).await?;
        return secured(cx, io, path, is_ours).await;
    };
    let first = passive.meet(&who, connect).await?;
    let handshake = |io| secured(cx, io, path, is_ours);
    let mut crowd = Crowd::new(MOST);
    crowd.push(handshake(first));
    let end = Instant::now() + limit;
    let (mut until, mut failed) = (end, DataError::Tls(std::io::ErrorKind::TimedOut.into()));
    let mut verdict = false;
    loop {
        if crowd.is_empty() && verdict {
            return Err(failed);
        }
        tokio::select! {
            biased;
            done = crowd.next() => match done {
                Ok(own) => return Ok(own),
                Err(why) => {
                    verdict |= is_final(&why, &who);
                    failed = why;
                    until = end.min(Instant::now() + GRACE);
                }
            },
            another = passive.comes(&who) => {
                crowd.push(handshake(another));
                until = end;
            }
            () = sleep_until(until), if crowd.is_empty() => return Err(failed),
            () = sleep_until(end) => return Err(failed),
        }
    }
}

/// Whether it was no stranger that stumbled in, but the only one who may come, and for a reason.
fn is_final(why: &DataError, who: &PeerRule) -> bool {
    let reason = match why {
        DataError::NotResumed => true,
        DataError::Tls(why) => is_verdict(why),
        _ => false,
    };
    reason && matches!(who, PeerRule::Only(_))
}
