//! What has happened, as readers of the outbox are told it. Pure.
//!
//! In the store and to programs outside an event is one JSON object whose `kind` says what the other keys are. Keys are
//! only ever added.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use drftpd_protocol::VfsPath;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::vfs::{Entry, Kind};

/// How text that holds the bytes of a path begins which is no UTF-8; paths themselves begin with `/`.
const NO_TEXT: &str = "base64:";

/// A completed change of the site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
#[non_exhaustive]
pub enum Event {
    /// An upload is complete: all its bytes are stored and listed.
    #[serde(rename = "file.uploaded")]
    FileUploaded {
        /// Where it is.
        path: At,
        /// Whose it is.
        user: String,
        /// The owner's group.
        group: String,
        /// Bytes.
        size: u64,
        /// Eight hexadecimal digits.
        crc32: Option<String>,
        /// Whether it took the place of an older complete file.
        replaced: bool,
    },
    /// A file went out, all that was asked for of it.
    #[serde(rename = "file.downloaded")]
    FileDownloaded {
        /// Where it is.
        path: At,
        /// Who has it.
        user: String,
        /// Bytes that went out.
        size: u64,
    },
    /// A file was found on a disk and is listed now.
    #[serde(rename = "file.found")]
    FileFound {
        /// Where it is.
        path: At,
        /// Bytes.
        size: u64,
    },
    /// A directory was found on a disk and is listed now.
    #[serde(rename = "dir.found")]
    DirFound {
        /// Where it is.
        path: At,
    },
    /// A file or link is deleted.
    #[serde(rename = "file.deleted")]
    FileDeleted {
        /// Where it was.
        path: At,
        /// Who did it; nobody where the site itself did.
        by: Option<String>,
        /// Whose it was.
        owner: String,
        /// Bytes.
        size: u64,
    },
    /// Something has another path; of a directory: with everything below it.
    #[serde(rename = "renamed")]
    Renamed {
        /// Where it was.
        from: At,
        /// Where it is.
        path: At,
        /// Who did it.
        by: Option<String>,
        /// Whether it is a directory.
        dir: bool,
    },
    /// A directory is made.
    #[serde(rename = "dir.made")]
    DirMade {
        /// Where it is.
        path: At,
        /// Whose it is.
        user: String,
        /// The owner's group.
        group: String,
    },
    /// An empty directory is removed.
    #[serde(rename = "dir.removed")]
    DirRemoved {
        /// Where it was.
        path: At,
        /// Who did it.
        by: Option<String>,
    },
    /// A link is made.
    #[serde(rename = "link.made")]
    LinkMade {
        /// Where it is.
        path: At,
        /// Whose it is.
        user: String,
    },
    /// Accounts or groups were changed by a command.
    #[serde(rename = "account.changed")]
    AccountChanged {
        /// The command: `user add`, `group change`, ….
        command: String,
        /// Its arguments by name, as in the log: secrets are hidden.
        args: String,
        /// Who gave it.
        by: String,
    },
    /// Somebody has proved by password who they are.
    #[serde(rename = "login")]
    LoggedIn {
        /// Who.
        user: String,
        /// From where.
        client: IpAddr,
    },
    /// Something of a plugin's.
    #[serde(rename = "plugin")]
    Plugin {
        /// The plugin.
        plugin: String,
        /// What has happened, in its words.
        what: String,
        /// Where.
        path: At,
        /// Who did it.
        by: Option<String>,
        /// What else there is to know.
        facts: Map<String, Value>,
    },
}

/// Every kind there is, as configurations name them.
pub const KINDS: [&str; 12] = [
    "file.uploaded",
    "file.downloaded",
    "file.found",
    "dir.found",
    "file.deleted",
    "renamed",
    "dir.made",
    "dir.removed",
    "link.made",
    "account.changed",
    "login",
    "plugin",
];

impl Event {
    /// One of [`KINDS`].
    pub fn kind(&self) -> &'static str {
        match self {
            Self::FileUploaded { .. } => "file.uploaded",
            Self::FileDownloaded { .. } => "file.downloaded",
            Self::FileFound { .. } => "file.found",
            Self::DirFound { .. } => "dir.found",
            Self::FileDeleted { .. } => "file.deleted",
            Self::Renamed { .. } => "renamed",
            Self::DirMade { .. } => "dir.made",
            Self::DirRemoved { .. } => "dir.removed",
            Self::LinkMade { .. } => "link.made",
            Self::AccountChanged { .. } => "account.changed",
            Self::LoggedIn { .. } => "login",
            Self::Plugin { .. } => "plugin",
        }
    }

    /// Where it happened, if it did somewhere, and for a rename where that was before.
    pub fn paths(&self) -> (Option<&VfsPath>, Option<&VfsPath>) {
        match self {
            Self::AccountChanged { .. } | Self::LoggedIn { .. } => (None, None),
            Self::Renamed { from, path, .. } => (Some(&path.0), Some(&from.0)),
            Self::FileUploaded { path, .. }
            | Self::FileDownloaded { path, .. }
            | Self::FileFound { path, .. }
            | Self::DirFound { path }
            | Self::FileDeleted { path, .. }
            | Self::DirMade { path, .. }
            | Self::DirRemoved { path, .. }
            | Self::LinkMade { path, .. }
            | Self::Plugin { path, .. } => (Some(&path.0), None),
        }
    }

    /// A new directory or link; files come with their bytes.
    pub fn made(entry: &Entry, path: VfsPath) -> Self {
        let (path, user) = (At(path), entry.owner.clone());
        let group = entry.group.clone();
        match entry.kind {
            Kind::Link => Self::LinkMade { path, user },
            _ => Self::DirMade { path, user, group },
        }
    }

    /// The contents of a file have come.
    pub fn uploaded(entry: &Entry, path: VfsPath, replaced: bool) -> Self {
        Self::FileUploaded {
            path: At(path),
            user: entry.owner.clone(),
            group: entry.group.clone(),
            size: entry.size,
            crc32: entry.crc32.map(|crc32| format!("{crc32:08x}")),
            replaced,
        }
    }

    /// A file went out.
    pub fn downloaded(path: &VfsPath, user: &str, size: u64) -> Self {
        Self::FileDownloaded {
            path: At(path.clone()),
            user: user.to_owned(),
            size,
        }
    }

    /// A file or link is no more.
    pub fn deleted(entry: &Entry, path: VfsPath, by: Option<String>) -> Self {
        Self::FileDeleted {
            path: At(path),
            by,
            owner: entry.owner.clone(),
            size: entry.size,
        }
    }
}

/// A path as text: as it is where that is UTF-8, else `base64:` and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At(pub VfsPath);

impl Serialize for At {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match String::from_utf8(self.0.to_bytes()) {
            Ok(text) => serializer.serialize_str(&text),
            Err(no_text) => {
                let bytes = STANDARD.encode(no_text.as_bytes());
                serializer.serialize_str(&format!("{NO_TEXT}{bytes}"))
            }
        }
    }
}

impl<'de> Deserialize<'de> for At {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = match text.strip_prefix(NO_TEXT) {
            Some(bytes) => STANDARD.decode(bytes).map_err(D::Error::custom)?,
            None => text.into_bytes(),
        };
        VfsPath::absolute(&bytes).map(At).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(bytes: &[u8]) -> At {
        At(VfsPath::absolute(bytes).unwrap())
    }

    /// One of each.
    fn all() -> Vec<Event> {
        let (path, user, group) = (at(b"/a/b"), "ann".to_owned(), "staff".to_owned());
        let by = Some("bob".to_owned());
        vec![
            Event::FileUploaded {
                path: path.clone(),
                user: user.clone(),
                group: group.clone(),
                size: 7,
                crc32: Some("00ff00ff".into()),
                replaced: false,
            },
            Event::FileDownloaded {
                path: path.clone(),
                user: user.clone(),
                size: 7,
            },
            Event::FileFound {
                path: path.clone(),
                size: 7,
            },
            Event::DirFound { path: path.clone() },
            Event::FileDeleted {
                path: path.clone(),
                by: None,
                owner: user.clone(),
                size: 7,
            },
            Event::Renamed {
                from: at(b"/a/\xff"),
                path: path.clone(),
                by: by.clone(),
                dir: true,
            },
            Event::DirMade {
                path: path.clone(),
                user: user.clone(),
                group,
            },
            Event::DirRemoved {
                path: path.clone(),
                by,
            },
            Event::LinkMade {
                path: path.clone(),
                user,
            },
            Event::AccountChanged {
                command: "user add".to_owned(),
                args: "user=\"x\" password=<hidden>".to_owned(),
                by: "owner".to_owned(),
            },
            Event::LoggedIn {
                user: "ann".to_owned(),
                client: [192, 0, 2, 1].into(),
            },
            Event::Plugin {
                plugin: "nuke".to_owned(),
                what: "nuked".to_owned(),
                path,
                by: None,
                facts: Map::from_iter([("why".to_owned(), "bad".into())]),
            },
        ]
    }

    #[test]
    fn an_event_says_its_kind_and_comes_back_as_it_was() {
        let kinds: Vec<&str> = all().iter().map(Event::kind).collect();
        assert_eq!(kinds, KINDS);
        for event in all() {
            let text = serde_json::to_value(&event).unwrap();
            assert_eq!(text["kind"], event.kind());
            assert_eq!(serde_json::from_value::<Event>(text).unwrap(), event);
        }
    }

    #[test]
    fn a_path_that_is_no_text_is_told_by_its_bytes() {
        let text = serde_json::to_string(&at(b"/a/\xff")).unwrap();
        assert_eq!(text, "\"base64:L2Ev/w==\"");
        assert_eq!(
            serde_json::to_string(&at("/ä b".as_bytes())).unwrap(),
            "\"/ä b\""
        );
        assert!(serde_json::from_str::<At>("\"no path\"").is_err());
    }
}
