//! TLS of data connections, as PROT, CPSV and SSCN left it: what a slave is told of it, and the handshakes of the
//! master's own.

use std::io;
use std::net::{IpAddr, SocketAddr};

use drftpd_actors::tls::{Believed, ftp_client};
use drftpd_actors::{BoxIo, Secured};
use drftpd_protocol::VfsPath;
use drftpd_protocol::wire::{DataTls, Resumption, TlsPeer};
use rustls_pki_types::ServerName;
use tokio::time::timeout;
use tracing::debug;

use super::error::DataError;
use super::fxp::{self, Fxp};
use super::ours::OurPort;
use crate::ftp::secure::{Secure, seen};
use crate::ftp::services::VerbCx;
use crate::ftp::state::Prot;
use crate::tls::Carries;

/// How the other end of a data connection comes there.
#[derive(Debug, Clone, Copy)]
pub enum Other<'a> {
    /// We go to it.
    Dialled(SocketAddr),
    /// It comes to a port that its client was told of.
    Told(Option<&'a OurPort>),
}

/// Whether a data connection may be as PROT said; known before 150.
///
/// # Errors
/// [`DataError::Prot`].
pub fn may_carry(cx: &VerbCx, what: Carries) -> Result<(), DataError> {
    let Some(rules) = cx.rules() else {
        return Ok(());
    };
    let protected = protection(cx).is_some();
    rules.may_carry(what, protected).map_err(DataError::Prot)
}

/// TLS of the control connection, if data connections are to have it too.
fn protection(cx: &VerbCx) -> Option<&Secure> {
    let secure = cx.state.secure.as_deref()?;
    (cx.state.prot == Prot::Private).then_some(secure)
}

/// Whether our side begins the handshake.
fn is_client(cx: &VerbCx) -> bool {
    cx.state.sscn || cx.state.cpsv
}

/// Another server at the other end cannot resume the session of this control connection.
fn resumption(cx: &VerbCx, path: &VfsPath) -> Resumption {
    match cx.rules().map(|rules| rules.resumption) {
        Some(Resumption::Required) if fxp::of(cx, path) != Fxp::No => Resumption::Offered,
        Some(resumption) => resumption,
        None => Resumption::Off,
    }
}

/// What the slave of a transfer is told.
pub fn order(cx: &VerbCx, path: &VfsPath, other: Other<'_>) -> Option<DataTls> {
    let secure = protection(cx)?;
    let ours = match other {
        Other::Dialled(to) => cx.services.data.ours.dial(to),
        Other::Told(port) => port.is_some_and(OurPort::is_dialled),
    };
    if is_client(cx) {
        let peer = match ours {
            true => TlsPeer::Cluster,
            false => TlsPeer::Any,
        };
        return Some(DataTls::Client { peer });
    }
    Some(DataTls::Server {
        tickets: secure.shown.tickets,
        resumption: resumption(cx, path),
    })
}

/// Makes the handshake of a data connection of the master's own, if there is to be one.
///
/// # Errors
/// [`DataError::Tls`], [`DataError::NotResumed`].
pub async fn handshake(cx: &VerbCx, io: BoxIo, path: &VfsPath) -> Result<BoxIo, DataError> {
    let (Some(secure), Some(tls)) = (protection(cx), &cx.services.tls) else {
        cx.live.data_was(None);
        return Ok(io);
    };
    let resumption = resumption(cx, path);
    let shakes = async {
        if is_client(cx) {
            as_client(cx, io).await
        } else {
            let config = secure.shown.data(resumption);
            cx.services.net.serve_tls(io, config).await
        }
    };
    let shaken = timeout(tls.handshake_timeout(), shakes).await;
    let secured = shaken.unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into()));
    let secured = secured.map_err(DataError::Tls)?;
    let seen = seen(&secured);
    debug!(
        version = seen.version,
        cipher = seen.cipher,
        resumed = seen.resumed,
        "data connection is secure"
    );
    cx.live.data_was(Some(seen));
    if !is_client(cx) && resumption == Resumption::Required && !secured.resumed {
        return Err(DataError::NotResumed);
    }
    Ok(secured.io)
}

/// No certificate is asked of the other end: it is whoever the client chose.
async fn as_client(cx: &VerbCx, io: BoxIo) -> io::Result<Secured> {
    let config = ftp_client(Believed::Anybody).map_err(io::Error::other)?;
    let name = ServerName::from(
        io.peer_addr()
            .map_or(IpAddr::from([0, 0, 0, 0]), |at| at.ip()),
    );
    cx.services.net.dial_tls(io, config.into(), name).await
}
