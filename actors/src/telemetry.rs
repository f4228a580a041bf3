//! Logging: `tracing` to stderr, as text or as JSON, with what libraries say through `log`.

use std::io::{self, IsTerminal};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use tracing::error;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Check, ConfigError};

/// `[log]`: what is logged and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetryConfig {
    /// A level (`error`, `warn`, `info`, `debug`, `trace`) or a list like `info,drftpd_master::ftp=debug`.
    pub level: String,
    /// `text` or `json`.
    pub format: LogFormat,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people; coloured on a terminal only.
    Text,
    /// One JSON object per line.
    Json,
}

/// Why logging could not begin.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter cannot be understood.
    #[error("log filter: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Somebody has set up logging before.
    #[error("logging has begun already: {0}")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
    /// The log is gone.
    #[error("log filter: {0}")]
    Gone(#[from] tracing_subscriber::reload::Error),
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            format: LogFormat::Text,
        }
    }
}

impl Check for TelemetryConfig {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        if let Err(why) = filter(&self.level) {
            errors.push(ConfigError::new("log.level", why.to_string()));
        } else if let Some(word) = no_level(&self.level) {
            let why = format!("{word:?} is none of error, warn, info, debug, trace, off");
            errors.push(ConfigError::new("log.level", why));
        }
    }
}

/// Gives the log another filter.
type SetFilter =
    Box<dyn Fn(EnvFilter) -> Result<(), tracing_subscriber::reload::Error> + Send + Sync>;

/// The filter of the log that has begun.
static FILTER: OnceLock<SetFilter> = OnceLock::new();

/// Begins logging to stderr for the whole process; panics are logged too, with the place where they happened.
///
/// # Errors
/// When the filter is wrong, or logging has begun already.
pub fn init(config: &TelemetryConfig) -> Result<(), TelemetryError> {
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter(&config.level)?)
        .with_writer(io::stderr)
        .with_ansi(config.format == LogFormat::Text && io::stderr().is_terminal());
    let set: SetFilter = match config.format {
        LogFormat::Text => {
            let lines = lines.with_filter_reloading();
            let handle = lines.reload_handle();
            lines.finish().try_init()?;
            Box::new(move |filter| handle.reload(filter))
        }
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true).with_filter_reloading();
            let handle = lines.reload_handle();
            lines.finish().try_init()?;
            Box::new(move |filter| handle.reload(filter))
        }
    };
    // A second log would have failed above.
    drop(FILTER.set(set));
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string);
        let cause = panic.payload_as_str().unwrap_or("without words");
        error!(at, cause, "panicked");
    }));
    Ok(())
}

/// Gives the log that has begun another level; nothing where there is no log.
///
/// # Errors
/// When the level cannot be understood.
pub fn set_level(level: &str) -> Result<(), TelemetryError> {
    let filter = filter(level)?;
    match FILTER.get() {
        Some(set) => Ok(set(filter)?),
        None => Ok(()),
    }
}

/// What rustls warns of is what clients do (an address where a host name belongs, say), once for each connection: it is
/// heard only where the level names it.
/// A word alone that is no level. The filter would take it for a part of the program, and log next to nothing.
fn no_level(level: &str) -> Option<&str> {
    let known = |word: &str| {
        word.parse::<tracing_subscriber::filter::LevelFilter>()
            .is_ok()
    };
    let mut words = level.split(',').map(str::trim);
    words.find(|word| !word.contains(['=', '[', ']', '{', '}']) && !word.is_empty() && !known(word))
}

fn filter(level: &str) -> Result<EnvFilter, tracing_subscriber::filter::ParseError> {
    let filter = EnvFilter::builder().parse(level)?;
    if level.contains("rustls") {
        return Ok(filter);
    }
    Ok(filter.add_directive("rustls=error".parse()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(level: &str) -> Vec<String> {
        let mut errors = Vec::new();
        TelemetryConfig {
            level: level.to_owned(),
            ..TelemetryConfig::default()
        }
        .check(&mut errors);
        errors.iter().map(|error| error.key.clone()).collect()
    }

    #[test]
    fn a_filter_that_cannot_be_understood_is_found_before_logging_begins() {
        assert_eq!(errors("info,drftpd_master::ftp=debug"), [""; 0]);
        assert_eq!(errors("info,=,=debug=loud"), ["log.level"]);
        for level in ["loud", "info,verbose", "information"] {
            assert_eq!(errors(level), ["log.level"], "{level}");
        }
        for level in [
            "",
            "off",
            "WARN",
            "trace",
            "a=debug,error",
            "info,a::b[span{x=1}]=debug",
        ] {
            assert_eq!(errors(level), [""; 0], "{level}");
        }
    }

    #[test]
    fn what_clients_make_rustls_warn_of_is_heard_only_by_name() {
        let quiet = filter("info").unwrap().to_string();
        assert!(quiet.contains("rustls=error"), "{quiet}");
        let asked = filter("info,rustls=debug").unwrap().to_string();
        assert!(!asked.contains("rustls=error"), "{asked}");
    }

    #[test]
    fn the_section_may_be_left_out_or_be_partial() {
        let config: TelemetryConfig = toml::from_str("format = \"json\"").unwrap();
        assert_eq!(
            config,
            TelemetryConfig {
                level: "info".into(),
                format: LogFormat::Json
            }
        );
    }
}
