//! How the authority is asked: over [`Web`]. The requests come from `instant-acme`, whose own client would bring a second
//! network.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Request, Response, StatusCode, Uri};
use bytes::Bytes;
use drftpd_actors::Clock;
use http_body_util::Full;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use tracing::debug;

use crate::web::{Web, WebError, retry_after};

type Question = Request<BodyWrapper<Bytes>>;
type Answer = Result<BytesResponse, Error>;
type Asked = (Question, oneshot::Sender<Answer>);

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
enum HttpError {
    #[error(transparent)]
    Web(#[from] WebError),
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
    web: Web,
    clock: Clock,
    wish: watch::Sender<Option<Duration>>,
}

/// Both ends, and how long the authority wanted to be left alone in its last answer.
pub(super) fn client(
    web: Web,
    clock: Clock,
) -> (Asker, Carrier, watch::Receiver<Option<Duration>>) {
    let (give, asked) = mpsc::channel(1);
    let (wish, wishes) = watch::channel(None);
    let carrier = Carrier {
        asked,
        web,
        clock,
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
            let limit = self.web.limit;
            let answer = match timeout(limit, self.web.ask(question)).await {
                Ok(answer) => answer.map_err(HttpError::from),
                Err(_) => Err(HttpError::Slow(url.clone(), limit)),
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
}
