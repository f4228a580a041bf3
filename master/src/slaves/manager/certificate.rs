//! The certificate that FTP clients see: the first thing a slave is told on a link, before any transfer, and again
//! whenever it changes.

use std::time::Duration;

use actix::prelude::*;
use drftpd_protocol::wire::{Call, FtpCertificate, encode};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::{debug, error, warn};

use super::super::calls::CallResult;
use super::SlaveManager;

/// It is put into memory and nothing more.
const TO_TAKE: Duration = Duration::from_secs(30);
/// How soon it is tried again where it could not be sent.
const AGAIN: Duration = Duration::from_secs(1);

impl SlaveManager {
    /// Hands over what there is now, and follows changes.
    pub(super) fn hand_certificate(&mut self, ctx: &mut Context<Self>) {
        let Some(mut certificates) = self.deps.certificates.clone() else {
            return;
        };
        let wire = certificates.borrow_and_update().wire.clone();
        let Some(answer) = self.send_certificate(&wire, ctx) else {
            // The slave has too many calls to answer.
            ctx.run_later(AGAIN, Self::hand_certificate);
            return;
        };
        let next = async move {
            let taken = answer.await;
            (taken, certificates.changed().await.is_ok())
        };
        ctx.spawn(next.into_actor(self).map(|(taken, changed), act, ctx| {
            act.certificate_taken(&taken);
            if changed {
                act.hand_certificate(ctx);
            }
        }));
    }

    fn send_certificate(
        &mut self,
        wire: &FtpCertificate,
        ctx: &mut Context<Self>,
    ) -> Option<oneshot::Receiver<CallResult>> {
        let slave = &self.deps.slave;
        let body = match encode(wire) {
            Ok(body) => body,
            Err(why) => {
                error!(%slave, %why, "the certificate for ftp clients cannot be sent");
                return None;
            }
        };
        let kind = FtpCertificate::KIND;
        let (call, answer) = self.calls.open(kind, TO_TAKE, Instant::now())?;
        self.send(call, kind, body, ctx);
        Some(answer)
    }

    fn certificate_taken(&self, taken: &Result<CallResult, oneshot::error::RecvError>) {
        let slave = &self.deps.slave;
        match taken {
            Ok(Ok(_)) => debug!(%slave, "a slave has the certificate for ftp clients"),
            Ok(Err(why)) => {
                warn!(%slave, ?why, "a slave did not take the certificate for ftp clients")
            }
            Err(_) => {} // the link is down
        }
    }
}
