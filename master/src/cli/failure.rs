//! How a command ended that did not end well.

use std::error::Error;

use drftpd_actors::ConfigError;

use crate::admin::{AdminError, Code};
use crate::root::MasterError;
use crate::setup::MakeError;

/// Failed while running.
const FAILED: u8 = 1;
/// Wrong usage or configuration.
const WRONG: u8 = 2;

/// What to say, and the exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub code: u8,
    pub text: String,
}

impl Failure {
    /// It did not work.
    pub fn failed(text: impl Into<String>) -> Self {
        Self {
            code: FAILED,
            text: text.into(),
        }
    }

    /// It cannot work as it was asked for.
    pub fn wrong(text: impl Into<String>) -> Self {
        Self {
            code: WRONG,
            text: text.into(),
        }
    }

    /// It did not work, with all causes on one line.
    pub fn of(why: &dyn Error) -> Self {
        let mut text = why.to_string();
        let mut cause = why.source();
        while let Some(why) = cause {
            text = format!("{text}: {why}");
            cause = why.source();
        }
        Self::failed(text)
    }
}

impl From<Vec<ConfigError>> for Failure {
    fn from(errors: Vec<ConfigError>) -> Self {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Self::wrong(lines.join("\n"))
    }
}

impl From<MasterError> for Failure {
    fn from(why: MasterError) -> Self {
        Self::of(&why)
    }
}

impl From<MakeError> for Failure {
    fn from(why: MakeError) -> Self {
        Self::of(&why)
    }
}

impl From<AdminError> for Failure {
    fn from(error: AdminError) -> Self {
        let code = match error.code {
            Code::UnknownCommand | Code::BadArgument => WRONG,
            _ => FAILED,
        };
        Self {
            code,
            text: error.to_string(),
        }
    }
}
