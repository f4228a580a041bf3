//! The control socket's lines: one JSON object for each question, answered by one or more.
//!
//! A question is `{"command": "slave add", "args": {"name": "s1"}}`, or has its words as `"words": ["s1"]` instead of
//! `args`. Answers are `{"line": …}` any number of times (only for commands that stream) and then one of
//! `{"result": …, "text": …}` and `{"error": {"code": …, "field": …, "message": …}}`. Questions of one connection are
//! answered one after the other.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::answer::{AdminError, Answer};

/// Name of the socket in the master's folder.
pub const SOCKET: &str = "control.sock";
/// The longest line of a question.
pub const MAX_QUESTION: usize = 64 * 1024;
/// The longest name that the system takes for a socket.
const MAX_NAME: usize = 100;

/// One question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The command's name.
    pub command: String,
    /// Its arguments by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Map<String, Value>>,
    /// Its arguments in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<Vec<String>>,
}

/// One line of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Line {
    /// A piece of a long answer.
    Piece {
        /// One line of it.
        line: String,
    },
    /// It was done.
    Done(Answer),
    /// It was not.
    Error {
        /// Why not.
        error: AdminError,
    },
}

impl From<Result<Answer, AdminError>> for Line {
    fn from(outcome: Result<Answer, AdminError>) -> Self {
        match outcome {
            Ok(answer) => Self::Done(answer),
            Err(error) => Self::Error { error },
        }
    }
}

/// The socket of a folder, under a name that is short enough for the system. The name is good as long as this lives.
#[derive(Debug)]
pub struct SocketPath {
    path: PathBuf,
    _folder: Option<File>,
}

impl SocketPath {
    /// The name of a file in a folder.
    ///
    /// # Errors
    /// When the folder's path is too long for a socket and the folder cannot be opened.
    pub fn of(folder: &Path, name: &str) -> io::Result<Self> {
        let path = folder.join(name);
        if path.as_os_str().len() <= MAX_NAME {
            return Ok(Self {
                path,
                _folder: None,
            });
        }
        let folder = File::open(folder)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()));
        Ok(Self {
            path,
            _folder: Some(folder),
        })
    }

    /// The name.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
