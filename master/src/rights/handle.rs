//! The rules as sessions have them: always the newest.

use std::sync::Arc;

use tokio::sync::watch;

use super::rules::Rules;
use crate::config::MasterConfig;

/// Handle to the rules that count; cheap to clone.
#[derive(Clone)]
pub struct Rights(watch::Receiver<Arc<MasterConfig>>);

impl Rights {
    /// The rules of a configuration that may be read again.
    pub fn of(current: watch::Receiver<Arc<MasterConfig>>) -> Self {
        Self(current)
    }

    /// The rules of one that stays.
    pub fn fixed(config: Arc<MasterConfig>) -> Self {
        Self(watch::channel(config).1)
    }

    /// The configuration that counts now, with all that may change while somebody is logged in.
    pub fn config(&self) -> Arc<MasterConfig> {
        Arc::clone(&self.0.borrow())
    }

    /// What counts now.
    pub fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.0.borrow().rights.rules)
    }
}
