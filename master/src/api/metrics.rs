//! Numbers for Prometheus: every number of `stat`, and what only the API knows. A number that `stat` gets one day is here,
//! too.

use std::sync::Arc;

use serde_json::Value;
use tokio::task::JoinHandle;

use super::Shared;
use crate::admin::{AdminError, Caller, Cx, commands};

/// What the names begin with.
const PREFIX: &str = "drftpd";

/// Counts everything on this thread.
pub(super) fn count(shared: Arc<Shared>) -> JoinHandle<Result<String, AdminError>> {
    let cx = Cx {
        caller: Caller::Owner,
        of: Arc::clone(&shared.of),
        lines: None,
        said: Default::default(),
    };
    tokio::task::spawn_local(async move {
        let stat = commands::stat::STAT;
        let stat = (stat.run)(cx, Default::default()).await?;
        let mut text = String::new();
        numbers(&mut text, PREFIX, &stat.result);
        let snapshot = shared.vital.health.snapshot();
        for arbiter in snapshot.arbiters {
            let (name, lag) = (arbiter.name, arbiter.lag.as_secs_f64());
            text += &format!("{PREFIX}_lag_seconds{{arbiter=\"{name}\"}} {lag}\n");
        }
        for (status, count) in shared.answered() {
            let name = format!("{PREFIX}_api_requests_total");
            text += &format!("{name}{{status=\"{status}xx\"}} {count}\n");
        }
        Ok(text)
    })
}

/// One line for each number or truth; how many there are for each list.
fn numbers(text: &mut String, name: &str, value: &Value) {
    let number = match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                // What only a running master knows is what the name would say anyway.
                let below = match field.as_str() {
                    "running" => name.to_owned(),
                    field => format!("{name}_{field}"),
                };
                numbers(text, &below, value);
            }
            return;
        }
        Value::Number(number) => number.to_string(),
        Value::Bool(truth) => u8::from(*truth).to_string(),
        Value::Array(list) => list.len().to_string(),
        Value::Null | Value::String(_) => return,
    };
    *text += &format!("{name} {number}\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_get_names_and_texts_are_left_out() {
        let mut text = String::new();
        let stat = serde_json::json!({
            "version": "1", "running": {"sessions": 3, "ftp": ["127.0.0.1:21"], "draining": false},
            "tree": {"bytes": 5}, "recovery": true, "nothing": null,
        });
        numbers(&mut text, "drftpd", &stat);
        let expected = "drftpd_recovery 1\ndrftpd_draining 0\ndrftpd_ftp 1\n\
                        drftpd_sessions 3\ndrftpd_tree_bytes 5\n";
        let sorted = |text: &str| {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(sorted(&text), sorted(expected));
    }
}
