//! TLS of the control connection: the handshake behind AUTH, or in front of everything else.
//!
//! While it goes on nothing is read or written but the handshake itself, and no verb runs. What a client said in clear
//! before does not count behind it; bytes that came in clear behind AUTH end the connection, or somebody on the way could
//! put commands into a session that its client takes for protected (CVE-2011-0411 and its kin).

use std::io;
use std::rc::Rc;
use std::sync::Arc;

use actix::prelude::*;
use bytes::Bytes;
use drftpd_actors::Net;
use drftpd_protocol::ftp::Reply;
use rustls::ServerConfig;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::{Instrument, debug, info};

use super::{FtpSession, Kind, Phase, Running};
use crate::ftp::secure::{Secure, fingerprint, seen};
use crate::ftp::shared_io::SharedIo;
use crate::ftp::state::Change;
use crate::ftp::writer::Outbox;
use crate::tls::{Rules, Shown, policy};

impl FtpSession {
    /// AUTH may be begun: nothing was sent behind it.
    pub(super) fn stands_alone(&self) -> bool {
        self.queue.is_empty() && !self.tap.holds_more()
    }

    /// Speaks TLS from now on. Replies that wait go out in clear first.
    pub(super) fn shake_hands(&mut self, ctx: &mut Context<Self>) {
        self.tap.close(true);
        let shown = self.services.tls.as_ref().map(|tls| tls.control(self.id));
        let (Some(Ok(shown)), Some(out), Some(io)) = (shown, self.out.clone(), self.io.clone())
        else {
            return ctx.stop();
        };
        self.running = Some(Running {
            kind: Kind::Alone,
            cut: None,
            abort_asked: false,
            opened: watch::Sender::new(false).subscribe(),
            _unfinished: None,
        });
        let services = Rc::clone(&self.services);
        let implicit = self.implicit;
        let handshake = async move {
            let limit = services
                .tls
                .as_ref()
                .map(crate::tls::Tls::handshake_timeout);
            let limit = limit.unwrap_or_default();
            let net = services.net.as_ref();
            match timeout(limit, secure(net, &out, &io, shown, implicit)).await {
                Ok(secured) => secured,
                Err(_elapsed) => Err(io::ErrorKind::TimedOut.into()),
            }
        };
        let handshake = handshake.instrument(self.span.clone());
        ctx.spawn(handshake.into_actor(self).map(|secured, act, ctx| {
            let _entered = act.span.clone().entered();
            act.shaken(secured, ctx);
        }));
    }

    fn shaken(&mut self, secured: io::Result<Secure>, ctx: &mut Context<Self>) {
        self.running = None;
        let secured = match secured {
            Ok(secured) => secured,
            Err(why) => {
                info!(%why, "tls handshake failed");
                return ctx.stop();
            }
        };
        debug!(
            version = secured.seen.version,
            cipher = secured.seen.cipher,
            "control connection is secure"
        );
        self.live.edit(|row| row.tls = Some(secured.seen.clone()));
        self.apply(Change::Secured(Arc::new(secured)));
        if self.phase == Phase::Closing {
            return;
        }
        if self.implicit {
            let judged = self.may_secure();
            if let Err(reply) = judged {
                return self.close(reply, ctx);
            }
            self.greet();
        }
        self.tap.anew();
        self.next(ctx);
    }

    /// A network that is refused TLS can still be told so where TLS came first.
    fn may_secure(&self) -> Result<(), Reply> {
        let Some(tls) = &self.services.tls else {
            return Ok(());
        };
        let possible = tls.possible(self.peer.ip());
        policy::any(&possible, Rules::may_secure)
            .map_err(|_| Reply::closing("TLS is refused for your network"))
    }
}

async fn secure(
    net: &dyn Net,
    out: &Outbox,
    io: &SharedIo,
    shown: Shown,
    implicit: bool,
) -> io::Result<Secure> {
    let gone = |_| io::Error::from(io::ErrorKind::NotConnected);
    // Behind what still waits, so that 234 has left in clear.
    out.send_and_flush(Bytes::new()).await.map_err(gone)?;
    let (plain, away) = io.take()?;
    let config: Arc<ServerConfig> = shown.control();
    let secured = net.serve_tls(plain, config).await?;
    let (seen, client) = (seen(&secured), fingerprint(&secured));
    away.back(secured.io);
    Ok(Secure {
        shown,
        seen,
        client,
        implicit,
    })
}
