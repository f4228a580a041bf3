//! Checksums: HASH (draft-bryan-ftp-hash) and the older XCRC XMD5 XSHA XSHA1 XSHA256 XSHA512.
//!
//! The CRC-32 of a whole file is known since its upload and is answered at once; all else is read by a slave that
//! holds the file.

use std::time::Duration;

use drftpd_protocol::ftp::args::{HashArgs, OctetRange};
use drftpd_protocol::ftp::reply::{Reply, Text};
use drftpd_protocol::wire::{Algorithm, Checksum};
use tracing::debug;

use super::{Arg, Feat, Kind, Verb, VerbResult};
use crate::accounts::Action;
use crate::ftp::data::run::Part;
use crate::ftp::error::FtpError;
use crate::ftp::services::VerbCx;
use crate::ftp::state::State;
use crate::slaves::{SlaveError, slave_of};
use crate::transfer::{Direction, TransferError};
use crate::vfs::{FileState, Readable, VfsError};

/// How long a slave that reads a file may give no sign of life.
const SILENCE: Duration = Duration::from_secs(30);

/// What HASH offers, with the names of the draft.
const ALGORITHMS: [(&str, Algorithm); 5] = [
    ("SHA-512", Algorithm::Sha512),
    ("SHA-256", Algorithm::Sha256),
    ("SHA-1", Algorithm::Sha1),
    ("MD5", Algorithm::Md5),
    ("CRC32", Algorithm::Crc32),
];

/// `HASH`: the checksum that `OPTS HASH` chose, of a whole file.
pub(super) const HASH: Verb = Verb {
    name: "HASH",
    syntax: "HASH <SP> pathname",
    feat: Feat::Of(feature),
    kind: Kind::Long,
    run: |cx, arg| Box::pin(hash(cx, arg)),
    ..Verb::PLAIN
};

/// `XCRC`: CRC-32.
pub(super) const XCRC: Verb = Verb {
    run: |cx, arg| Box::pin(older(cx, arg, Algorithm::Crc32)),
    ..older_verb("XCRC", "XCRC <SP> pathname [<SP> start [<SP> end]]")
};

/// `XMD5`: MD5.
pub(super) const XMD5: Verb = Verb {
    run: |cx, arg| Box::pin(older(cx, arg, Algorithm::Md5)),
    ..older_verb("XMD5", "XMD5 <SP> pathname [<SP> start [<SP> end]]")
};

/// `XSHA`, `XSHA1`: SHA-1.
pub(super) const XSHA: Verb = Verb {
    aliases: &["XSHA1"],
    feat: Feat::Lines(&["XSHA", "XSHA1"]),
    run: |cx, arg| Box::pin(older(cx, arg, Algorithm::Sha1)),
    ..older_verb("XSHA", "XSHA <SP> pathname [<SP> start [<SP> end]]")
};

/// `XSHA256`: SHA-256.
pub(super) const XSHA256: Verb = Verb {
    run: |cx, arg| Box::pin(older(cx, arg, Algorithm::Sha256)),
    ..older_verb("XSHA256", "XSHA256 <SP> pathname [<SP> start [<SP> end]]")
};

/// `XSHA512`: SHA-512.
pub(super) const XSHA512: Verb = Verb {
    run: |cx, arg| Box::pin(older(cx, arg, Algorithm::Sha512)),
    ..older_verb("XSHA512", "XSHA512 <SP> pathname [<SP> start [<SP> end]]")
};

const fn older_verb(name: &'static str, syntax: &'static str) -> Verb {
    Verb {
        name,
        syntax,
        feat: Feat::Line(name),
        kind: Kind::Long,
        ..Verb::PLAIN
    }
}

/// The draft's name of an algorithm.
pub(super) fn name_of(algorithm: Algorithm) -> &'static str {
    let known = ALGORITHMS.iter().find(|(_, known)| *known == algorithm);
    known.map_or("BLAKE3", |(name, _)| name)
}

/// The algorithm of that name.
pub(super) fn named(name: &[u8]) -> Option<Algorithm> {
    let known = ALGORITHMS
        .iter()
        .find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name));
    known.map(|(_, algorithm)| *algorithm)
}

fn feature(state: &State) -> String {
    let star = |algorithm| if algorithm == state.hash { "*" } else { "" };
    let offered = ALGORITHMS.map(|(name, algorithm)| format!("{name}{}", star(algorithm)));
    format!("HASH {}", offered.join(";"))
}

async fn hash(cx: VerbCx, arg: Arg) -> VerbResult {
    let name = arg.path()?;
    let file = readable(&cx, name).await?;
    let (algorithm, size) = (cx.state.hash, file.entry.size);
    let (part, shown) = match cx.state.range {
        None => (None, format!("0-{size}")),
        Some(_) => {
            let Part { offset, .. } = Part::of(&cx.state, size)?;
            let behind = offset + Part::of(&cx.state, size)?.of_size(size);
            let part = OctetRange {
                start: offset,
                end: Some(behind),
            };
            (Some(part), format!("{offset}-{}", behind - 1))
        }
    };
    let sum = checksum(&cx, &file, algorithm, part).await?;
    let facts = format!("{} {shown} {} ", name_of(algorithm), hex(&sum));
    Ok(Reply::new(213, Text::concat(&[facts.as_bytes(), name])).into())
}

async fn older(cx: VerbCx, arg: Arg, algorithm: Algorithm) -> VerbResult {
    let args = HashArgs::parse(&arg)?;
    let (file, part) = match args.whole {
        None => (readable(&cx, &args.name).await?, args.range),
        // What looks like a part may be the end of a name.
        Some(whole) => match readable(&cx, whole).await {
            Err(FtpError::Vfs(VfsError::NotFound(_))) => {
                (readable(&cx, &args.name).await?, args.range)
            }
            file => (file?, None),
        },
    };
    let sum = checksum(&cx, &file, algorithm, part).await?;
    Ok(Reply::new(250, hex(&sum)).into())
}

/// A file that is complete and may be read by whoever may see it.
async fn readable(cx: &VerbCx, name: &[u8]) -> Result<Readable, FtpError> {
    let there = cx.target(&cx.path(name)?, Action::View).await?;
    let file = cx.services.vfs.readable(&there.path).await?;
    if file.entry.state == FileState::Uploading {
        return Err(VfsError::Busy(there.path).into());
    }
    Ok(file)
}

async fn checksum(
    cx: &VerbCx,
    file: &Readable,
    algorithm: Algorithm,
    part: Option<OctetRange>,
) -> Result<Vec<u8>, FtpError> {
    let size = file.entry.size;
    let (offset, end) = part.map_or((0, size), |part| (part.start, part.end.unwrap_or(size)));
    if offset > size || end > size {
        let offset = offset.max(end);
        return Err(VfsError::BadOffset { offset, size }.into());
    }
    if let (Algorithm::Crc32, 0, Some(crc32)) = (algorithm, offset, file.entry.crc32)
        && end == size
    {
        return Ok(crc32.to_be_bytes().to_vec());
    }
    ask_holders(cx, file, algorithm, offset..end).await
}

/// Asks one slave after the other that has the file.
async fn ask_holders(
    cx: &VerbCx,
    file: &Readable,
    algorithm: Algorithm,
    part: std::ops::Range<u64>,
) -> Result<Vec<u8>, FtpError> {
    let mut last = None;
    for (root, after) in &file.holders {
        let views = cx.services.slaves.views();
        let Some(slave) = slave_of(&views.borrow(), *root).map(|view| view.slave.clone()) else {
            continue;
        };
        let call = Checksum {
            root: *root,
            file: Some(file.file),
            at: file.at.clone(),
            algorithm,
            offset: part.start,
            length: Some(part.end - part.start),
            after: *after,
        };
        match cx.services.slaves.call(&slave, call, SILENCE).await {
            Ok(done) if done.bytes == part.end - part.start => return Ok(done.sum),
            Ok(_) => last = Some(SlaveError::Nonsense(slave)),
            Err(why) => last = Some(why),
        }
        debug!(%root, why = ?last, "checksum not made here");
    }
    Err(match last {
        Some(why) => why.into(),
        None => TransferError::NoSlave {
            direction: Direction::Download,
            path: cx.state.cwd.clone(),
            why: "no holder is online".to_owned(),
        }
        .into(),
    })
}

/// Hexadecimal, upper-case as most servers have it.
fn hex(sum: &[u8]) -> String {
    sum.iter().map(|byte| format!("{byte:02X}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feat_marks_the_chosen_algorithm() {
        assert_eq!(
            feature(&State::default()),
            "HASH SHA-512;SHA-256*;SHA-1;MD5;CRC32"
        );
        assert_eq!(named(b"sha-1"), Some(Algorithm::Sha1));
        assert_eq!(named(b"sha-3"), None);
    }

    #[test]
    fn sums_are_upper_case_with_leading_zeros() {
        assert_eq!(hex(&0x000F_2C9Au32.to_be_bytes()), "000F2C9A");
    }
}
