//! What runs beside the link's actor: dialling, and telling the master what others tell the link.

use drftpd_protocol::wire::{Envelope, FrameError, Notice};
use tokio::sync::mpsc;
use tracing::{error, info};

use super::deps::LinkDeps;
use super::dial::{self, DialError, Greeted};
use crate::transfer::TransferNotice;

/// Dials and greets once, with what the slave is now. A master that is obeyed is remembered before
/// anything it says is done.
pub(super) async fn dial(deps: &LinkDeps) -> Result<Greeted, DialError> {
    let mut hello = dial::hello(deps.name.clone(), deps.seen());
    hello.roots = deps.statuses.borrow().clone();
    hello.transfers = deps.ops.transfers.running().await;
    let greeted = dial::dial(&deps.way, hello).await?;
    remember(deps, &greeted).await;
    Ok(greeted)
}

/// Losing this note to a broken disk does not end the service: it is held in memory all the same.
async fn remember(deps: &LinkDeps, greeted: &Greeted) {
    let seen = (greeted.welcome.epoch, greeted.welcome.store);
    if deps.seen() == Some(seen) {
        return;
    }
    deps.set_seen(seen);
    deps.ops.applied.forget();
    let file = deps.seen_file.clone();
    let written = deps.ops.blocking.run(move || file.write(seen)).await;
    let file = deps.seen_file.path().display();
    match written {
        Ok(Ok(())) => info!(epoch = %seen.0, store = %seen.1, "a new epoch is remembered"),
        Ok(Err(error)) => error!(%error, %file, "the highest epoch could not be written down"),
        Err(error) => error!(%error, %file, "the highest epoch could not be written down"),
    }
}

/// Tells again how transfers ended of which the master has not said that it knows.
pub(super) async fn retell(deps: LinkDeps, out: mpsc::Sender<Envelope>) {
    for ended in deps.ops.transfers.unacknowledged().await {
        info!(transfer = %ended.transfer, "the end of a transfer is told again");
        if !send(&out, &ended).await {
            return;
        }
    }
}

/// Passes on what transfers tell, as long as the link lives. What they tell while there is no link
/// is not lost: ends are told again, and progress is only of the moment.
pub(super) async fn tell_notices(deps: LinkDeps, out: mpsc::Sender<Envelope>) {
    let mut notices = deps.notices.lock().await;
    while let Some(notice) = notices.recv().await {
        let sent = match &notice {
            TransferNotice::Ended(ended) => send(&out, ended).await,
            TransferNotice::Progress(progress) => send(&out, progress).await,
        };
        if !sent {
            return;
        }
    }
}

/// Tells a notice; false when the link is gone.
pub(crate) async fn send<N: Notice>(out: &mpsc::Sender<Envelope>, notice: &N) -> bool {
    match Envelope::new(0, N::KIND, notice) {
        Ok(frame) => out.send(frame).await.is_ok(),
        Err(error @ FrameError::TooLong(_)) | Err(error) => {
            error!(kind = N::KIND, %error, "a notice could not be written");
            true
        }
    }
}
