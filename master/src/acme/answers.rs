//! Answers to HTTP-01 (RFC 8555, section 8.3): `GET /.well-known/acme-challenge/TOKEN` and nothing else, plain HTTP, only
//! while an order runs. Everybody may come: connections are few, short and small, and who says nothing gives way to the
//! next, so that nobody keeps the authority out.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode};
use bytes::Bytes;
use drftpd_actors::{Crowd, Incoming, Listener};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::time::{sleep, timeout};
use tracing::{debug, info};

const FOLDER: &str = "/.well-known/acme-challenge/";
/// Connections at a time; the oldest gives way to the next.
const CONNECTIONS: usize = 64;
/// One connection, from its first byte to its last.
const LIMIT: Duration = Duration::from_secs(10);
/// Request line and headers; the least that hyper takes.
const LARGEST: usize = 8192;
/// Headers of a request.
const HEADERS: usize = 64;
/// After accepting failed.
const AFTER_ERROR: Duration = Duration::from_millis(200);

/// The answer to each token.
pub(super) type Tokens = BTreeMap<String, String>;

/// Answers for ever; dropped, nobody listens any more.
pub(super) async fn serve(listener: Box<dyn Listener>, tokens: Tokens) {
    let mut connections = Crowd::new(CONNECTIONS);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(incoming) => connections.push(connection(incoming, &tokens)),
                Err(why) => {
                    debug!(%why, "accepting for http-01 failed");
                    sleep(AFTER_ERROR).await;
                }
            },
            () = connections.next() => {}
        }
    }
}

async fn connection(incoming: Incoming, tokens: &Tokens) {
    let peer = incoming.peer;
    let Ok(io) = incoming.adopt() else {
        return;
    };
    let service = service_fn(|request: Request<hyper::body::Incoming>| {
        let answer = answer(request.method(), request.uri().path(), tokens, peer);
        async move { Ok::<_, Infallible>(answer) }
    });
    let mut http = http1::Builder::new();
    http.keep_alive(false)
        .header_read_timeout(None)
        .max_buf_size(LARGEST)
        .max_headers(HEADERS);
    let served = timeout(LIMIT, http.serve_connection(TokioIo::new(io), service)).await;
    if let Ok(Err(why)) = served {
        debug!(%peer, %why, "http-01 connection ended");
    }
}

fn answer(method: &Method, path: &str, tokens: &Tokens, peer: SocketAddr) -> Response<Full<Bytes>> {
    let token = path.strip_prefix(FOLDER);
    let found = token.filter(|_| method == Method::GET);
    let found = found.and_then(|token| tokens.get(token));
    let Some(answer) = found else {
        debug!(%peer, %method, path, "nothing there for http-01");
        let mut nothing = Response::new(Full::new(Bytes::from_static(b"not found\n")));
        *nothing.status_mut() = StatusCode::NOT_FOUND;
        return nothing;
    };
    info!(%peer, "http-01 answered");
    let mut good = Response::new(Full::new(Bytes::from(answer.clone())));
    let kind = HeaderValue::from_static("application/octet-stream");
    good.headers_mut().insert(CONTENT_TYPE, kind);
    good
}

#[cfg(test)]
mod tests {
    use super::*;
    use drftpd_actors::{Net, TokioNet, block_on};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    async fn ask(at: SocketAddr, request: &str) -> String {
        let mut io = TcpStream::connect(at).await.unwrap();
        io.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        // A reset is an answer, too.
        drop(io.read_to_string(&mut answer).await);
        answer
    }

    fn served(talk: impl AsyncFnOnce(SocketAddr)) {
        let talk = async {
            let net = TokioNet::new();
            let any = SocketAddr::from(([127, 0, 0, 1], 0));
            let listener = net.bind(any).await.unwrap();
            let at = listener.local_addr().unwrap();
            let tokens = Tokens::from([("tok-1".to_owned(), "tok-1.thumb".to_owned())]);
            tokio::select! {
                () = serve(listener, tokens) => {}
                () = talk(at) => {}
            }
        };
        block_on(talk).unwrap();
    }

    #[test]
    fn a_token_is_answered_and_everything_else_is_404() {
        served(async |at| {
            let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: a.example\r\n\r\n");
            let good = ask(at, &get("/.well-known/acme-challenge/tok-1")).await;
            assert!(good.starts_with("HTTP/1.1 200 "), "{good}");
            assert!(good.ends_with("\r\n\r\ntok-1.thumb"), "{good}");
            for path in [
                "/",
                "/.well-known/acme-challenge/",
                "/.well-known/acme-challenge/tok-2",
                "/.well-known/acme-challenge/../acme-challenge/tok-1",
                "/x/.well-known/acme-challenge/tok-1",
            ] {
                let nothing = ask(at, &get(path)).await;
                assert!(nothing.starts_with("HTTP/1.1 404 "), "{path}: {nothing}");
            }
            let post = get("/.well-known/acme-challenge/tok-1").replacen("GET", "POST", 1);
            assert!(ask(at, &post).await.starts_with("HTTP/1.1 404 "));
        });
    }

    #[test]
    fn what_is_too_large_or_no_http_ends_its_connection_and_no_other() {
        served(async |at| {
            let long = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(20_000));
            let answer = ask(at, &long).await;
            assert!(!answer.starts_with("HTTP/1.1 200 "), "{answer}");
            let answer = ask(at, "\x16\x03\x01\x02\x00\x01\r\n\r\n").await;
            assert!(!answer.starts_with("HTTP/1.1 200 "), "{answer}");
            let many = "a: b\r\n".repeat(100);
            let answer = ask(at, &format!("GET / HTTP/1.1\r\n{many}\r\n")).await;
            assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
            let good = "GET /.well-known/acme-challenge/tok-1 HTTP/1.0\r\n\r\n";
            assert!(ask(at, good).await.starts_with("HTTP/1.0 200 "));
        });
    }

    #[test]
    fn those_who_say_nothing_keep_nobody_out() {
        drftpd_actors::testkit::sim(async {
            let net = drftpd_actors::testkit::MemNet::new();
            let at = SocketAddr::from(([10, 0, 0, 1], 80));
            let here = net.at(at.ip());
            let listener = here.bind(at).await.unwrap();
            let tokens = Tokens::from([("t".to_owned(), "t.x".to_owned())]);
            let crowd = async {
                let mut silent = Vec::new();
                for _ in 0..2 * CONNECTIONS {
                    silent.push(here.connect(None, at).await.unwrap());
                    drftpd_actors::testkit::settle().await;
                }
                let begun = tokio::time::Instant::now();
                let mut io = here.connect(None, at).await.unwrap();
                let request = b"GET /.well-known/acme-challenge/t HTTP/1.0\r\n\r\n";
                io.write_all(request).await.unwrap();
                let mut answer = String::new();
                io.read_to_string(&mut answer).await.unwrap();
                assert!(answer.ends_with("t.x"), "{answer}");
                assert_eq!(begun.elapsed(), Duration::ZERO);
            };
            tokio::select! {
                () = serve(listener, tokens) => {}
                () = crowd => {}
            }
        });
    }
}
