//! What a command answers: one value, as JSON for programs and as text for people; or an error with a code.

use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::vfs::VfsError;

/// A typed result: what serde makes of it is for programs, its `Display` is for people (lines, without the last line
/// end).
pub trait Report: Serialize + Display {}

impl<T: Serialize + Display> Report for T {}

/// What a command answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// For programs.
    pub result: Value,
    /// For people.
    pub text: String,
}

impl Answer {
    /// Both forms of a result.
    ///
    /// # Errors
    /// When serde cannot make JSON of it.
    pub fn of(report: &impl Report) -> Result<Self, AdminError> {
        let result = serde_json::to_value(report);
        let result = result.map_err(|why| AdminError::new(Code::Failed, why.to_string()))?;
        let text = report.to_string().trim_end().to_owned();
        Ok(Self { result, text })
    }
}

/// What kind of error it is; programs may rely on these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// No command has that name.
    UnknownCommand,
    /// An argument is missing, superfluous or not what it must be; `field` says which.
    BadArgument,
    /// What is named is not there.
    NotFound,
    /// What should be made is there already.
    Exists,
    /// Not for this caller.
    Denied,
    /// Needs a running master.
    NotRunning,
    /// Too much at once; the same may work a moment later.
    Busy,
    /// It did not work; `message` says why.
    Failed,
}

/// Why a command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub struct AdminError {
    /// Kind of error.
    pub code: Code,
    /// The argument that is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// For people.
    pub message: String,
}

impl AdminError {
    /// An error that is no argument's fault.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            field: None,
            message: message.into(),
        }
    }

    /// An argument that is not what it must be.
    pub fn argument(field: &str, why: impl Display) -> Self {
        Self {
            code: Code::BadArgument,
            field: Some(field.to_owned()),
            message: why.to_string(),
        }
    }

    /// Something failed; the message names the causes too.
    pub fn failed(why: &dyn std::error::Error) -> Self {
        let mut message = why.to_string();
        let mut cause = why.source();
        while let Some(why) = cause {
            message = format!("{message}: {why}");
            cause = why.source();
        }
        Self::new(Code::Failed, message)
    }
}

impl From<VfsError> for AdminError {
    fn from(why: VfsError) -> Self {
        let mut error = Self::failed(&why);
        error.code = match why {
            VfsError::NotFound(_) => Code::NotFound,
            VfsError::Exists(_) => Code::Exists,
            VfsError::Busy(_) | VfsError::Recovering => Code::Busy,
            _ => Code::Failed,
        };
        error
    }
}

impl Display for AdminError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(field) = &self.field {
            write!(f, "{field}: ")?;
        }
        f.write_str(&self.message)
    }
}
