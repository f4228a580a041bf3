//! A link that is up, as others use it: typed calls and notices.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::Addr;
use drftpd_actors::{AskError, ask, tell};
use drftpd_protocol::SlaveId;
use drftpd_protocol::wire::{Call, Fault, FaultCode, MasterNotice, Revision, decode, encode};
use tracing::{error, warn};

use super::calls::CallLost;
use super::error::SlaveError;
use super::manager::SlaveManager;
use super::messages::{PlaceCall, SendNotice};

/// How long a call may wait to be sent. The manager answers from memory.
const TO_SEND: Duration = Duration::from_secs(10);

/// All links that are up.
pub(super) type Links = Arc<BTreeMap<SlaveId, LinkHandle>>;

/// Reaches the slave at the other end of a link. Cheap to clone, one per holder.
#[derive(Clone)]
pub(super) struct LinkHandle {
    /// The slave.
    pub slave: SlaveId,
    /// What both ends speak.
    pub revision: Revision,
    /// Its manager.
    pub manager: Addr<SlaveManager>,
}

impl LinkHandle {
    /// Asks and waits; `limit` is between two signs of life of this call.
    pub async fn call<C: Call>(&self, call: &C, limit: Duration) -> Result<C::Answer, SlaveError> {
        if C::SINCE > self.revision {
            let text = format!("the slave's version does not know kind {:#06x}", C::KIND);
            return Err(Fault::new(FaultCode::UNKNOWN_KIND, text).into());
        }
        let body = encode(call).map_err(|why| {
            Fault::new(
                FaultCode::BAD_REQUEST,
                format!("the call cannot be sent: {why}"),
            )
        })?;
        self.call_encoded::<C>(body, limit).await
    }

    /// Asks with a body that was encoded before.
    pub async fn call_encoded<C: Call>(
        &self,
        body: Vec<u8>,
        limit: Duration,
    ) -> Result<C::Answer, SlaveError> {
        let kind = C::KIND;
        let placed = ask(&self.manager, PlaceCall { kind, body, limit }, TO_SEND).await;
        let answer = placed
            .map_err(|why| match why {
                AskError::Gone => SlaveError::Offline(self.slave.clone()),
                AskError::TimedOut => SlaveError::Ask(why),
            })?
            .ok_or_else(|| Fault::new(FaultCode::BUSY, "too many calls are under way"))?;
        // The manager keeps the time; when it goes, so does the sender.
        let body = answer.await.unwrap_or(Err(CallLost::Offline));
        let body = body.map_err(|lost| match lost {
            CallLost::Fault(fault) => SlaveError::Fault(fault),
            CallLost::TimedOut => SlaveError::TimedOut(self.slave.clone()),
            CallLost::Offline => SlaveError::Offline(self.slave.clone()),
        })?;
        decode(&body).map_err(|why| {
            warn!(slave = %self.slave, kind, %why, "a slave's answer cannot be understood");
            SlaveError::Nonsense(self.slave.clone())
        })
    }

    /// Tells the slave something.
    pub fn notice<N: MasterNotice>(&self, notice: &N) {
        match encode(notice) {
            Ok(body) => tell(
                &self.manager,
                SendNotice {
                    kind: N::KIND,
                    body,
                },
            ),
            Err(why) => {
                error!(slave = %self.slave, kind = N::KIND, %why, "a notice cannot be encoded")
            }
        }
    }
}
