//! `[rights]`: where permissions are said.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use drftpd_actors::ConfigError;
use serde::Deserialize;

use super::read;
use super::rules::Rules;
use crate::admin::Commands;
use crate::store::Case;

/// What holds where no file is named, with comments: for people who log in each their own, and everything for operators.
pub const PLAIN: &str = include_str!("../../../deploy/permissions.toml");

static DEFAULT: LazyLock<Arc<Rules>> = LazyLock::new(|| Arc::new(plain(Case::Sensitive)));

/// `[rights]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RightsConfig {
    /// The file of permissions; without it [`PLAIN`] holds.
    pub file: Option<PathBuf>,
    /// What it says.
    #[serde(skip)]
    pub rules: Arc<Rules>,
}

impl Default for RightsConfig {
    fn default() -> Self {
        Self {
            file: None,
            rules: Arc::clone(&DEFAULT),
        }
    }
}

impl RightsConfig {
    /// Reads what the file says.
    ///
    /// # Errors
    /// Everything that is wrong with it, each with file and line.
    pub fn read(&mut self, case: Case, commands: &Commands) -> Result<(), Vec<ConfigError>> {
        self.rules = match &self.file {
            Some(file) => Arc::new(read::file(file, case, commands)?),
            None if case == Case::Sensitive => Arc::clone(&DEFAULT),
            None => Arc::new(plain(case)),
        };
        Ok(())
    }
}

/// A test reads it as it is; were it wrong, nobody would be allowed anything.
fn plain(case: Case) -> Rules {
    read::table(PLAIN, case).unwrap_or_else(|_| Rules::nothing(case))
}
