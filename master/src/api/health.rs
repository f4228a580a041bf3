//! What machines ask without a token: `/livez`, `/readyz`, `/metrics`. Nothing of it names users, paths or slaves.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use drftpd_actors::{Health, HealthSnapshot};
use tokio::sync::watch;
use tokio::time::Instant;

use super::Shared;
use super::metrics;
use super::reply::Refused;

/// Numbers are counted at most so often, whoever asks.
const NEWEST: Duration = Duration::from_secs(1);

/// What shows whether the master lives.
pub struct Vital {
    /// Arbiters and actors.
    pub health: Health,
    /// An arbiter that is later than this, or an actor that answers later, is not alive.
    pub within: Duration,
    /// Whether the disk of the store is full.
    pub full: watch::Receiver<bool>,
}

impl Vital {
    /// What is not alive, one line each; empty where all is well.
    fn ill(&self) -> String {
        let full = (*self.full.borrow()).then(|| "the disk of the store is full\n".to_owned());
        let what = [full, ill(&self.health.snapshot(), self.within)];
        what.into_iter().flatten().collect()
    }
}

fn told(what: String) -> (StatusCode, String) {
    match what.is_empty() {
        true => (StatusCode::OK, "ok\n".to_owned()),
        false => (StatusCode::SERVICE_UNAVAILABLE, what),
    }
}

/// `GET /livez`: 200 `ok`, or 503 and what is not alive.
pub(super) async fn livez(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    told(shared.vital.ill())
}

/// `GET /readyz`: as `/livez`, and 503 while the master drains.
pub(super) async fn readyz(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    let mut what = shared.vital.ill();
    if shared.drain.is_draining() {
        what += "the master drains\n";
    }
    told(what)
}

/// `GET /metrics`: numbers in the text format of Prometheus.
pub(super) async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    // Whoever comes meanwhile waits for the same numbers.
    let mut counted = shared.counted.lock().await;
    if let Some((at, text)) = &*counted
        && at.elapsed() < NEWEST
    {
        return shown(text.clone());
    }
    match metrics::count(Arc::clone(&shared)).await {
        Ok(Ok(text)) => {
            *counted = Some((Instant::now(), text.clone()));
            shown(text)
        }
        Ok(Err(error)) => Refused::from(error).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn shown(text: String) -> Response {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

/// What is not alive, one line each.
fn ill(snapshot: &HealthSnapshot, within: Duration) -> Option<String> {
    if snapshot.is_alive(within) {
        return None;
    }
    let late = snapshot.arbiters.iter().filter(|one| one.lag > within);
    let late = late.map(|one| format!("arbiter {} is {:?} late\n", one.name, one.lag));
    let silent = snapshot.actors.iter().filter(|one| one.waited.is_none());
    let silent = silent.map(|one| format!("actor {} does not answer\n", one.name));
    Some(late.chain(silent).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use drftpd_actors::{ActorHealth, ArbiterHealth};

    fn snapshot(lag: u64, waited: Option<u64>) -> HealthSnapshot {
        HealthSnapshot {
            arbiters: vec![ArbiterHealth {
                name: "sessions-0".to_owned(),
                lag: Duration::from_millis(lag),
                worst: Duration::from_secs(60),
            }],
            actors: vec![ActorHealth {
                name: "vfs".to_owned(),
                waited: waited.map(Duration::from_millis),
            }],
        }
    }

    #[test]
    fn what_is_not_alive_is_named() {
        let within = Duration::from_secs(1);
        assert_eq!(ill(&snapshot(999, Some(5_000)), within), None);
        let late = ill(&snapshot(2_000, Some(1)), within).unwrap();
        assert_eq!(late, "arbiter sessions-0 is 2s late\n");
        let silent = ill(&snapshot(0, None), within).unwrap();
        assert_eq!(silent, "actor vfs does not answer\n");
    }
}
