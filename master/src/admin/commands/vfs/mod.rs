//! The file list for operators, and for users to whom the permissions grant it: `vfs …`. Paths are looked up and judged
//! by [`View`](crate::rights::View) alone, so nobody sees or touches more than by FTP.

pub mod change;
pub mod find;
pub mod fix;
pub mod lost;
pub mod own;
pub mod search;
pub mod show;
pub mod wipe;

mod wanted;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use drftpd_protocol::VfsPath;
use serde_json::{Value, json};

use super::super::{AdminError, Code};
use crate::rights::ViewError;
use crate::vfs::{Kind, VfsError};

/// What a command answers whose path cannot be had.
pub(in crate::admin) fn refused(field: &str, why: impl Into<ViewError>) -> AdminError {
    let why = why.into();
    let code = match &why {
        ViewError::Denied => {
            return AdminError {
                code: Code::Denied,
                ..AdminError::argument(field, "that is not allowed there")
            };
        }
        ViewError::Stopped(_) => Code::Denied,
        ViewError::BadName => Code::BadArgument,
        ViewError::NameTaken => Code::Exists,
        ViewError::Vfs(why) => match why {
            VfsError::NotFound(_) | VfsError::UnknownRoot(_) => Code::NotFound,
            VfsError::Exists(_) => Code::Exists,
            VfsError::Busy(_) | VfsError::JustFound(_) | VfsError::Closing { .. } => Code::Busy,
            VfsError::Recovering => Code::Busy,
            VfsError::Store(_) | VfsError::Ask(_) => return AdminError::failed(why),
            _ => Code::BadArgument,
        },
    };
    AdminError {
        code,
        ..AdminError::argument(field, why)
    }
}

/// How a kind is called, here and as an argument.
fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Dir => "dir",
        Kind::File => "file",
        Kind::Link => "link",
    }
}

/// The kind that a word names, if it names one.
fn kind(word: Option<&str>) -> Option<Kind> {
    let all = [Kind::Dir, Kind::File, Kind::Link];
    all.into_iter().find(|kind| word == Some(self::word(*kind)))
}

/// A path as arguments take it: text, or its bytes where they are none.
fn argument(path: &VfsPath) -> Value {
    let bytes = path.to_bytes();
    match std::str::from_utf8(&bytes) {
        Ok(text) => json!(text),
        Err(_) => json!({ "b64": STANDARD.encode(&bytes) }),
    }
}
