//! A slave listens for a transfer that PRET announced, and the client is told where.

use std::net::{IpAddr, SocketAddr};

use drftpd_protocol::wire::{DataPath, Family};
use drftpd_protocol::{Name, VfsPath};

use super::error::DataError;
use super::{Reserved, fxp, plans};
use crate::ftp::error::FtpError;
use crate::ftp::guard::TransferGuard;
use crate::ftp::services::VerbCx;
use crate::ftp::state::Pret;
use crate::transfer::Direction;
use crate::vfs::UploadMode;

/// What a PRET means for the data connection that will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Announced {
    /// A listing: the master serves it.
    Listing,
    /// A file goes out.
    Download(VfsPath),
    /// A file comes in.
    Upload(VfsPath, UploadMode),
    /// A file comes in, under a name that is made.
    Unique,
}

impl Announced {
    /// What a verb with its resolved path would be; `None` for verbs without a data connection.
    pub fn of(pret: &Pret, rest: Option<u64>) -> Option<Self> {
        let path = pret.path.clone();
        match pret.verb.as_str() {
            "LIST" | "NLST" | "MLSD" => Some(Self::Listing),
            "RETR" => path.map(Self::Download),
            "STOR" => path.map(|path| Self::Upload(path, plans::store_mode(rest))),
            "APPE" => path.map(|path| Self::Upload(path, UploadMode::Append)),
            "STOU" => Some(Self::Unique),
            _ => None,
        }
    }
}

/// A file name that nobody has.
///
/// # Errors
/// When the name is none.
pub fn unique_name(cx: &VerbCx, wish: &[u8]) -> Result<VfsPath, FtpError> {
    let random = format!("{:016x}", cx.services.dice.u64());
    let base = match wish.trim_ascii() {
        b"" => b"upload",
        wish => wish,
    };
    let wished = cx.path(base)?;
    let named = wished.name().map_or(&b"upload"[..], Name::as_bytes);
    // Room for what is added.
    let named = named.get(..named.len().min(200)).unwrap_or_default();
    let name = Name::new([named, b".", random.as_bytes()].concat());
    let name = name.map_err(drftpd_protocol::PathError::from)?;
    let directory = wished.parent().unwrap_or_default();
    Ok(directory.join(name)?)
}

/// Opens a port on the slave that will serve the announced transfer; tells where it is.
///
/// # Errors
/// When the transfer may not be, or no slave can serve it.
pub async fn slave_listens(
    cx: &VerbCx,
    announced: &Announced,
    family: Family,
) -> Result<Option<(Reserved, SocketAddr)>, FtpError> {
    let (guard, path, direction) = match announced {
        Announced::Listing => return Ok(None),
        Announced::Download(path) => {
            let from = plans::download(cx, path).await?;
            let guard = from.hold(cx, from.present(cx)?).await?;
            (guard, from.path, Direction::Download)
        }
        Announced::Upload(path, mode) => {
            let to = plans::upload(cx, path, *mode).await?;
            (to.hold_early(cx).await?, to.path, Direction::Upload)
        }
        Announced::Unique => {
            let path = unique_name(cx, b"")?;
            let to = plans::upload(cx, &path, UploadMode::Store).await?;
            (to.hold(cx).await?, to.path, Direction::Upload)
        }
    };
    let (guard, at) = listen(cx, guard, (&path, direction), family).await?;
    let limit = cx.services.data.limits.connect_timeout;
    let port = cx.services.data.ours.told(at);
    let reserved = Reserved::new(guard, port, path, direction, limit);
    Ok(Some((reserved, at)))
}

async fn listen(
    cx: &VerbCx,
    mut guard: TransferGuard,
    (path, direction): (&VfsPath, Direction),
    family: Family,
) -> Result<(TransferGuard, SocketAddr), FtpError> {
    let limits = &cx.services.data.limits;
    let peers = fxp::of(cx, path, Some(direction)).who_may_connect(cx.client());
    let opened = guard.open(
        DataPath::Listen { family, peers },
        limits.connect_timeout,
        limits.open_timeout,
    );
    let opened = opened.await?;
    let address = opened.address.or_else(|| address_of(cx, &guard));
    let address = address.ok_or(DataError::NobodyConnected)?;
    let at = SocketAddr::new(address.to_canonical(), opened.port);
    let reaches = cx.services.data.clients.of(cx.client());
    let seen = guard.slot().map(|slot| reaches.slave(&slot.slave, at));
    Ok((guard, seen.unwrap_or(at)))
}

/// The address by which the master knows a slot's slave.
fn address_of(cx: &VerbCx, guard: &TransferGuard) -> Option<IpAddr> {
    let views = cx.services.slaves.views();
    let views = views.borrow();
    Some(views.get(&guard.slot()?.slave)?.address)
}

/// Whether a client may be able to reach this address: another machine's loopback it cannot.
pub fn is_reachable(address: IpAddr, client: IpAddr) -> bool {
    !address.is_unspecified() && (!address.is_loopback() || client.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use drftpd_protocol::ftp::Verb;

    use super::*;

    #[test]
    fn only_verbs_with_a_data_connection_can_be_announced() {
        let path = VfsPath::absolute(b"/a").unwrap();
        let of = |verb: &str, rest| {
            let verb = Verb::new(verb).unwrap();
            let path = Some(path.clone());
            Announced::of(&Pret { verb, path }, rest)
        };
        let upload = |mode| Some(Announced::Upload(path.clone(), mode));
        assert_eq!(of("RETR", Some(5)), Some(Announced::Download(path.clone())));
        assert_eq!(of("STOR", None), upload(UploadMode::Store));
        assert_eq!(
            of("STOR", Some(5)),
            upload(UploadMode::Resume { offset: 5 })
        );
        assert_eq!(of("APPE", Some(5)), upload(UploadMode::Append));
        assert_eq!(of("STOU", None), Some(Announced::Unique));
        for listing in ["LIST", "NLST", "MLSD"] {
            assert_eq!(of(listing, None), Some(Announced::Listing));
        }
        for other in ["DELE", "STAT", "MLST", "PASV", "XYZ"] {
            assert_eq!(of(other, None), None);
        }
    }

    #[test]
    fn a_foreign_loopback_is_not_reached() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(is_reachable(ip("127.0.0.1"), ip("127.0.0.1")));
        assert!(is_reachable(ip("127.0.0.1"), ip("::ffff:127.0.0.2")));
        assert!(!is_reachable(ip("127.0.0.1"), ip("10.0.0.1")));
        assert!(!is_reachable(ip("::1"), ip("10.0.0.1")));
        assert!(is_reachable(ip("10.0.0.2"), ip("192.0.2.1")));
        assert!(!is_reachable(ip("0.0.0.0"), ip("10.0.0.1")));
    }
}
