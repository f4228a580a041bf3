//! How the authority is asked: HTTP/1.1 over the network that the master was given, one connection for each request, with
//! limits on time and size. The requests come from `instant-acme`, whose own client would bring a second network.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::http::header::{CONNECTION, CONTENT_TYPE, HOST, RETRY_AFTER};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use bytes::Bytes;
use drftpd_actors::{BoxIo, Clock, Net};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use tracing::debug;

use super::config::{AcmeConfig, is_loopback};

/// The longest answer: chains of certificates have some kilobytes.
const LONGEST: usize = 1024 * 1024;

type Question = Request<BodyWrapper<Bytes>>;
type Answer = Result<BytesResponse, Error>;
type Asked = (Question, oneshot::Sender<Answer>);

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
enum HttpError {
    #[error("{0} is no URL of an authority")]
    Url(Uri),
    #[error("{0} is not found: {1}")]
    Resolve(String, #[source] io::Error),
    #[error("{0} has no address")]
    NoAddress(String),
    #[error("{0} cannot be reached: {1}")]
    Connect(String, #[source] io::Error),
    #[error("TLS with {0}: {1}")]
    Tls(String, #[source] io::Error),
    #[error("{0}: {1}")]
    Http(Uri, #[source] hyper::Error),
    #[error("{0}: {1}")]
    Body(Uri, String),
    #[error("{0} answers {1}")]
    Status(Uri, StatusCode),
    #[error("{0} does not answer within {time}", time = humantime::format_duration(*.1))]
    Slow(Uri, Duration),
    #[error("nobody asks for us any more")]
    Gone,
}

/// What `instant-acme` gives its requests to.
pub(super) struct Asker(mpsc::Sender<Asked>);

/// Carries the requests out, one after the other, as long as it is polled.
pub(super) struct Carrier {
    asked: mpsc::Receiver<Asked>,
    net: Arc<dyn Net>,
    tls: Arc<ClientConfig>,
    limit: Duration,
    clock: Clock,
    in_clear: bool,
    wish: watch::Sender<Option<Duration>>,
}

/// Both ends, and how long the authority wanted to be left alone in its last answer.
pub(super) fn client(
    config: &AcmeConfig,
    net: Arc<dyn Net>,
    tls: Arc<ClientConfig>,
    clock: Clock,
) -> (Asker, Carrier, watch::Receiver<Option<Duration>>) {
    let (give, asked) = mpsc::channel(1);
    let (wish, wishes) = watch::channel(None);
    let carrier = Carrier {
        asked,
        net,
        tls,
        limit: config.request_timeout,
        clock,
        in_clear: config.asks_in_clear(),
        wish,
    };
    (Asker(give), carrier, wishes)
}

impl HttpClient for Asker {
    fn request(&self, question: Question) -> Pin<Box<dyn Future<Output = Answer> + Send>> {
        let give = self.0.clone();
        Box::pin(async move {
            let gone = || Error::Other(Box::new(HttpError::Gone));
            let (tell, told) = oneshot::channel();
            give.send((question, tell)).await.map_err(|_| gone())?;
            told.await.map_err(|_| gone())?
        })
    }
}

impl Carrier {
    /// Until nobody asks any more.
    pub(super) async fn run(mut self) {
        while let Some((question, tell)) = self.asked.recv().await {
            let (url, method) = (question.uri().clone(), question.method().clone());
            let answer = match timeout(self.limit, self.exchange(question)).await {
                Ok(answer) => answer,
                Err(_) => Err(HttpError::Slow(url.clone(), self.limit)),
            };
            let status = answer.as_ref().map(|answer| answer.status().as_u16());
            debug!(%method, %url, status = status.ok(), "authority asked");
            let answer = answer.and_then(|answer| self.judge(answer, url));
            let answer = answer.map(BytesResponse::from);
            // Who asked may have given up.
            drop(tell.send(answer.map_err(|why| Error::Other(Box::new(why)))));
        }
    }

    /// Notes what every answer may say, and refuses those that say nothing else.
    fn judge(
        &self,
        answer: Response<Full<Bytes>>,
        url: Uri,
    ) -> Result<Response<Full<Bytes>>, HttpError> {
        let (headers, status) = (answer.headers(), answer.status());
        self.wish
            .send_replace(retry_after(headers, self.clock.now()));
        let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        let is_json = kind.is_some_and(|kind| kind.windows(4).any(|four| four == b"json"));
        // A page of some proxy on the way, say.
        match !status.is_success() && !is_json {
            true => Err(HttpError::Status(url, status)),
            false => Ok(answer),
        }
    }

    async fn exchange(&self, question: Question) -> Result<Response<Full<Bytes>>, HttpError> {
        let (mut parts, body) = question.into_parts();
        let url = parts.uri.clone();
        let (io, host) = self.connect(&url).await?;
        let path = url.path_and_query().cloned();
        parts.uri = Uri::from(path.unwrap_or(PathAndQuery::from_static("/")));
        parts.headers.insert(HOST, host);
        parts
            .headers
            .insert(CONNECTION, HeaderValue::from_static("close"));
        let http = |why| HttpError::Http(url.clone(), why);
        let (mut sender, connection) = http1::handshake(TokioIo::new(io)).await.map_err(http)?;
        let answer = async {
            let sent = sender.send_request(Request::from_parts(parts, body)).await;
            let (parts, body) = sent.map_err(http)?.into_parts();
            let body = Limited::new(body, LONGEST).collect().await;
            let body = body.map_err(|why| HttpError::Body(url.clone(), why.to_string()))?;
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
    async fn connect(&self, url: &Uri) -> Result<(BoxIo, HeaderValue), HttpError> {
        let bad = || HttpError::Url(url.clone());
        let host = url.host().ok_or_else(bad)?;
        let secure = match url.scheme_str() {
            Some("https") => true,
            // A directory in clear is on this machine, and so is all that it names. One over TLS leads to nothing in clear.
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
        let secured = secured.map_err(|why| HttpError::Tls(host.to_owned(), why))?;
        Ok((secured.io, header))
    }

    /// The first address that answers.
    async fn dial(&self, host: &str, port: u16) -> Result<BoxIo, HttpError> {
        let found = self.net.resolve(host, port).await;
        let found = found.map_err(|why| HttpError::Resolve(host.to_owned(), why))?;
        // So that one address that swallows everything does not use up the time of the others.
        let each = self.limit / u32::try_from(found.len() + 1).unwrap_or(u32::MAX);
        let mut last = HttpError::NoAddress(host.to_owned());
        for at in found {
            let why = match timeout(each, self.net.connect(None, at)).await {
                Ok(Ok(io)) => return Ok(io),
                Ok(Err(why)) => why,
                Err(_) => io::ErrorKind::TimedOut.into(),
            };
            last = HttpError::Connect(format!("{host} ({at})"), why);
        }
        Err(last)
    }
}

/// How long somebody wants to be left alone (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    match text.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => {
            let until = httpdate::parse_http_date(text).ok()?;
            Some(until.duration_since(now).unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use drftpd_actors::testkit::{MemNet, sim};
    use rustls::RootCertStore;
    use rustls::crypto::aws_lc_rs;
    use std::time::UNIX_EPOCH;

    #[test]
    fn only_a_directory_in_clear_on_this_machine_leads_to_addresses_in_clear_and_only_there() {
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
            for (directory, url, goes) in [
                ("http://127.0.0.1:1/", "http://127.0.0.1/order", true),
                ("http://127.0.0.1:1/", "http://10.0.0.1/order", false),
                ("https://10.0.0.1/", "http://10.0.0.1/order", false),
                ("https://10.0.0.1/", "http://127.0.0.1/order", false),
                ("http://127.0.0.1:1/", "ftp://127.0.0.1/order", false),
            ] {
                let config = AcmeConfig {
                    directory: directory.to_owned(),
                    ..AcmeConfig::default()
                };
                let net = Arc::new(net.clone());
                let (_asker, carrier, _) = client(&config, net, Arc::clone(&tls), Clock::manual(0));
                let there = carrier.connect(&url.parse().unwrap()).await;
                assert_eq!(there.is_ok(), goes, "{directory} {url}");
            }
        });
    }

    #[test]
    fn an_authority_tells_seconds_or_a_date() {
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
