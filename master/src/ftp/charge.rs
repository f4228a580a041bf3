//! What a download costs and counts, from its begin to its end: beside its slot, in the same guard.

use drftpd_protocol::wire::Outcome;
use drftpd_protocol::{SlaveId, TransferId, VfsPath};
use tracing::warn;

use crate::accounts::AccountsClient;
use crate::accounts::downloads::{Costs, HoldError};
use crate::accounts::tally::Figures;
use crate::outbox::Event;
use crate::store::StoreError;

/// A download that has begun. Settled once, when it is known what it has moved; dropped before, it has moved nothing.
pub struct Charge(Option<Box<Open>>);

struct Open {
    accounts: AccountsClient,
    transfer: TransferId,
    costs: Costs,
    path: VfsPath,
}

impl Charge {
    /// Holds the credits that so many bytes may take, if they cost any.
    ///
    /// # Errors
    /// [`HoldError`].
    pub async fn begin(
        accounts: &AccountsClient,
        (transfer, slave): (TransferId, SlaveId),
        costs: &Costs,
        (path, bytes): (&VfsPath, u64),
    ) -> Result<Self, HoldError> {
        if costs.loss > 0 {
            accounts.hold(costs, bytes, (transfer, slave)).await?;
        }
        Ok(Self(Some(Box::new(Open {
            accounts: accounts.clone(),
            transfer,
            costs: costs.clone(),
            path: path.clone(),
        }))))
    }

    /// Whether the end must be stored before anybody hears of it: nobody would know again whose credits they are. What is
    /// only counted is not waited for.
    pub fn is_held(&self) -> bool {
        self.0.as_ref().is_some_and(|open| open.is_held())
    }

    /// The file went out. Tells whether that is stored.
    pub fn complete(mut self, bytes: u64, ms: u64) -> impl Future<Output = bool> + use<> {
        let files = 1;
        let moved = Figures { files, bytes, ms };
        let open = self.0.take();
        settled(open.and_then(|open| {
            let event = Event::downloaded(&open.path, &open.costs.account, bytes);
            open.settle(moved, Some(event))
        }))
    }

    /// It broke off, after so many bytes. Tells whether that is stored.
    pub fn broken(mut self, bytes: u64, ms: u64) -> impl Future<Output = bool> + use<> {
        let files = 0;
        let moved = Figures { files, bytes, ms };
        settled(self.0.take().and_then(|open| open.settle(moved, None)))
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if let Some(open) = self.0.take() {
            drop(open.settle(Figures::default(), None));
        }
    }
}

type Settled = std::pin::Pin<Box<dyn Future<Output = Result<(), StoreError>>>>;

impl Open {
    fn is_held(&self) -> bool {
        self.costs.loss > 0
    }

    /// On its way to the store when this returns; nothing where there is nothing to store.
    fn settle(self, moved: Figures, event: Option<Event>) -> Option<Settled> {
        let counted = self.costs.counts && !self.is_held() && moved != Figures::default();
        if !counted && event.is_none() && !self.is_held() {
            return None;
        }
        let account = counted.then_some(self.costs.account);
        let settled = self
            .accounts
            .downloaded(self.transfer, moved, (account, event));
        Some(Box::pin(settled))
    }
}

async fn settled(settled: Option<Settled>) -> bool {
    match settled {
        Some(settled) => match settled.await {
            Ok(()) => true,
            Err(why) => {
                warn!(%why, "the end of a download is not stored");
                false
            }
        },
        None => true,
    }
}

/// Bytes that a download has moved.
pub fn bytes_of(outcome: &Outcome) -> u64 {
    match outcome {
        Outcome::Sent { bytes } | Outcome::Broken { bytes, .. } => *bytes,
        Outcome::Prepared { .. } => 0,
    }
}
