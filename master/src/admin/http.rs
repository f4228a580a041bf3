//! The health page: `GET /livez`, plain HTTP on loopback.
//!
//! 200 `ok` while every arbiter is in time and every core actor answers and the store has space, else 503 with what does not. All else is 404,
//! as JSON. Our network's sockets belong to the thread that accepts them, so a task of this thread does that and hands
//! them to axum.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use drftpd_actors::{BoxIo, Health, HealthSnapshot, Listener, Net};
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tracing::{debug, warn};

/// Connections that were accepted and are not served yet.
const AHEAD: usize = 16;
/// After accepting failed.
const AFTER_ERROR: Duration = Duration::from_millis(200);

/// The health page; dropped, it is gone.
pub struct HealthPage {
    /// Where it listens, with the real port.
    pub address: SocketAddr,
    tasks: [JoinHandle<()>; 2],
}

/// What the page shows.
#[derive(Clone)]
struct Shown {
    health: Health,
    within: Duration,
    /// Whether the disk of the store is full.
    full: watch::Receiver<bool>,
}

impl HealthPage {
    /// Listens, and serves on this thread.
    ///
    /// # Errors
    /// When the address cannot be listened at.
    pub async fn start(
        net: &dyn Net,
        at: SocketAddr,
        (health, full): (Health, watch::Receiver<bool>),
        within: Duration,
    ) -> io::Result<Self> {
        let listener = net.bind(at).await?;
        let address = listener.local_addr()?;
        let (give, connections) = mpsc::channel(AHEAD);
        let accepting = tokio::task::spawn_local(accept(listener, give));
        let app = app(Shown {
            health,
            within,
            full,
        });
        let accepted = Accepted {
            address,
            connections,
        };
        let serving = tokio::task::spawn_local(async move {
            if let Err(why) = axum::serve(accepted, app).await {
                warn!(%why, "health page ended");
            }
        });
        Ok(Self {
            address,
            tasks: [accepting, serving],
        })
    }
}

impl Drop for HealthPage {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

fn app(shown: Shown) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .fallback(nothing)
        .with_state(Arc::new(shown))
}

async fn nothing() -> impl IntoResponse {
    let error = json!({"code": "not_found", "message": "there is nothing here"});
    (StatusCode::NOT_FOUND, Json(json!({ "error": error })))
}

async fn livez(State(shown): State<Arc<Shown>>) -> impl IntoResponse {
    let snapshot = shown.health.snapshot();
    let full = *shown.full.borrow();
    let full = full.then(|| "the disk of the store is full\n".to_owned());
    let what = [full, ill(&snapshot, shown.within)];
    let what: String = what.into_iter().flatten().collect();
    match Some(what).filter(|what| !what.is_empty()) {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(what) => (StatusCode::SERVICE_UNAVAILABLE, what),
    }
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

async fn accept(listener: Box<dyn Listener>, give: mpsc::Sender<(BoxIo, SocketAddr)>) {
    loop {
        let accepted = match listener.accept().await {
            Ok(incoming) => {
                let peer = incoming.peer;
                incoming.adopt().map(|io| (io, peer))
            }
            Err(why) => Err(why),
        };
        match accepted {
            Ok(accepted) => {
                if give.send(accepted).await.is_err() {
                    return;
                }
            }
            Err(why) => {
                debug!(%why, "accepting for the health page failed");
                sleep(AFTER_ERROR).await;
            }
        }
    }
}

/// Hands accepted connections to axum.
struct Accepted {
    address: SocketAddr,
    connections: mpsc::Receiver<(BoxIo, SocketAddr)>,
}

impl axum::serve::Listener for Accepted {
    type Io = BoxIo;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (BoxIo, SocketAddr) {
        match self.connections.recv().await {
            Some(accepted) => accepted,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use drftpd_actors::{ActorHealth, ArbiterHealth, TokioNet};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

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

    async fn get(at: SocketAddr, path: &str) -> String {
        let mut io = tokio::net::TcpStream::connect(at).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        io.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        io.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[test]
    fn the_page_says_ok_and_everything_else_is_404_as_json() {
        let talk = async {
            let net = TokioNet::new();
            let at = SocketAddr::from(([127, 0, 0, 1], 0));
            let (full, told) = watch::channel(false);
            let page = HealthPage::start(&net, at, (Health::new(), told), Duration::from_secs(5));
            let page = page.await.unwrap();
            let ok = get(page.address, "/livez").await;
            assert!(
                ok.starts_with("HTTP/1.1 200 ") && ok.ends_with("\r\n\r\nok\n"),
                "{ok}"
            );
            full.send_replace(true);
            let ill = get(page.address, "/livez").await;
            assert!(
                ill.starts_with("HTTP/1.1 503 ") && ill.contains("store is full"),
                "{ill}"
            );
            let nothing = get(page.address, "/api/v1/who").await;
            assert!(nothing.starts_with("HTTP/1.1 404 "), "{nothing}");
            assert!(nothing.contains("application/json") && nothing.contains("\"not_found\""));
        };
        drftpd_actors::block_on(talk).unwrap();
    }
}
