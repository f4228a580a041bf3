//! Asking others by HTTP/1.1 over the network that the master was given: one connection for each request, with limits on
//! time and size. Whom a certificate must come from is in [`trust`].

mod trust;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::http::header::{CONNECTION, HOST, RETRY_AFTER};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderValue, Request, Response, Uri};
use bytes::Bytes;
use drftpd_actors::{BoxIo, Net};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Body;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::time::timeout;

pub use trust::believes;

/// The longest answer: chains of certificates have some kilobytes.
const LONGEST: usize = 1024 * 1024;

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebError {
    /// Not a URL, or one in clear where that is not allowed.
    #[error("{0} is no URL that may be asked")]
    Url(Uri),
    /// No such host.
    #[error("{0} is not found: {1}")]
    Resolve(String, #[source] io::Error),
    /// A host without addresses.
    #[error("{0} has no address")]
    NoAddress(String),
    /// None of its addresses answers.
    #[error("{0} cannot be reached: {1}")]
    Connect(String, #[source] io::Error),
    /// It is not who it should be, say.
    #[error("TLS with {0}: {1}")]
    Tls(String, #[source] io::Error),
    /// It does not speak HTTP.
    #[error("{0}: {1}")]
    Http(Uri, #[source] hyper::Error),
    /// Its answer is cut, or too long.
    #[error("{0}: {1}")]
    Body(Uri, String),
}

/// Asks others.
#[derive(Clone)]
pub struct Web {
    /// The network.
    pub net: Arc<dyn Net>,
    /// Whom it believes.
    pub tls: Arc<ClientConfig>,
    /// In how much time one of the addresses of a host must answer.
    pub limit: Duration,
    /// Whether this machine may be asked in clear; others never are.
    pub in_clear: bool,
}

impl Web {
    /// Asks, and gives the whole answer, whatever its status. The caller puts a limit of time around it.
    ///
    /// # Errors
    /// See [`WebError`].
    pub async fn ask<B>(&self, question: Request<B>) -> Result<Response<Full<Bytes>>, WebError>
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (mut parts, body) = question.into_parts();
        let url = parts.uri.clone();
        let (io, host) = self.connect(&url).await?;
        let path = url.path_and_query().cloned();
        parts.uri = Uri::from(path.unwrap_or(PathAndQuery::from_static("/")));
        parts.headers.insert(HOST, host);
        parts
            .headers
            .insert(CONNECTION, HeaderValue::from_static("close"));
        let http = |why| WebError::Http(url.clone(), why);
        let (mut sender, connection) = http1::handshake(TokioIo::new(io)).await.map_err(http)?;
        let answer = async {
            let sent = sender.send_request(Request::from_parts(parts, body)).await;
            let (parts, body) = sent.map_err(http)?.into_parts();
            let body = Limited::new(body, LONGEST).collect().await;
            let body = body.map_err(|why| WebError::Body(url.clone(), why.to_string()))?;
            Ok(Response::from_parts(parts, Full::new(body.to_bytes())))
        };
        tokio::pin!(answer);
        tokio::select! {
            answer = &mut answer => answer,
            // What had arrived by then is still there; what had not is an error that says so.
            _ended = connection => answer.await,
        }
    }

    /// A connection to where a URL leads, and what stands in `Host`.
    pub(crate) async fn connect(&self, url: &Uri) -> Result<(BoxIo, HeaderValue), WebError> {
        let bad = || WebError::Url(url.clone());
        let host = url.host().ok_or_else(bad)?;
        let secure = match url.scheme_str() {
            Some("https") => true,
            Some("http") if self.in_clear && is_loopback(host) => false,
            _ => return Err(bad()),
        };
        let port = url.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let authority = url.authority().ok_or_else(bad)?.as_str();
        let header = HeaderValue::from_str(authority).map_err(|_| bad())?;
        let io = self.dial(host, port).await?;
        if !secure {
            return Ok((io, header));
        }
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(bare.to_owned()).map_err(|_| bad())?;
        let secured = self.net.dial_tls(io, Arc::clone(&self.tls), name).await;
        let secured = secured.map_err(|why| WebError::Tls(host.to_owned(), why))?;
        Ok((secured.io, header))
    }

    /// The first address that answers.
    async fn dial(&self, host: &str, port: u16) -> Result<BoxIo, WebError> {
        let found = self.net.resolve(host, port).await;
        let found = found.map_err(|why| WebError::Resolve(host.to_owned(), why))?;
        // So that one address that swallows everything does not use up the time of the others.
        let each = self.limit / u32::try_from(found.len() + 1).unwrap_or(u32::MAX);
        let mut last = WebError::NoAddress(host.to_owned());
        for at in found {
            let why = match timeout(each, self.net.connect(None, at)).await {
                Ok(Ok(io)) => return Ok(io),
                Ok(Err(why)) => why,
                Err(_) => io::ErrorKind::TimedOut.into(),
            };
            last = WebError::Connect(format!("{host} ({at})"), why);
        }
        Err(last)
    }
}

/// How long somebody wants to be left alone (RFC 9110, section 10.2.3).
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => {
            let until = httpdate::parse_http_date(text).ok()?;
            Some(until.duration_since(now).unwrap_or_default())
        }
    }
}

/// Whether a host of a URL is this machine.
pub fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let ip = bare.parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || ip.is_ok_and(|ip| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use drftpd_actors::testkit::{MemNet, sim};
    use rustls::RootCertStore;
    use rustls::crypto::aws_lc_rs;
    use std::time::UNIX_EPOCH;

    #[test]
    fn only_this_machine_is_asked_in_clear_and_only_where_that_is_allowed() {
        sim(async {
            let net = MemNet::new();
            let mut there = Vec::new();
            for at in ["127.0.0.1:80", "10.0.0.1:80"] {
                there.push(net.bind(at.parse().unwrap()).await.unwrap());
            }
            let provider = Arc::new(aws_lc_rs::default_provider());
            let tls = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(RootCertStore::empty())
                .with_no_client_auth();
            let tls = Arc::new(tls);
            for (in_clear, url, goes) in [
                (true, "http://127.0.0.1/order", true),
                (true, "http://10.0.0.1/order", false),
                (false, "http://10.0.0.1/order", false),
                (false, "http://127.0.0.1/order", false),
                (true, "ftp://127.0.0.1/order", false),
            ] {
                let web = Web {
                    net: Arc::new(net.clone()),
                    tls: Arc::clone(&tls),
                    limit: Duration::from_secs(1),
                    in_clear,
                };
                let there = web.connect(&url.parse().unwrap()).await;
                assert_eq!(there.is_ok(), goes, "{in_clear} {url}");
            }
        });
    }

    #[test]
    fn who_wants_to_be_left_alone_tells_seconds_or_a_date() {
        let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let read = |text: &str| {
            let value = HeaderValue::from_str(text).unwrap();
            let headers = HeaderMap::from_iter([(RETRY_AFTER, value)]);
            retry_after(&headers, now)
        };
        assert_eq!(read("120"), Some(Duration::from_secs(120)));
        let date = httpdate::fmt_http_date(now + Duration::from_secs(60));
        assert_eq!(read(&date), Some(Duration::from_secs(60)));
        assert_eq!(read("Fri, 31 Dec 1999 23:59:59 GMT"), Some(Duration::ZERO));
        assert_eq!(read("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
