//! Events by HTTP: one `POST` for some of them, signed with a secret that both sides have.
//!
//! The body is `{"events": [{"seq": …, "at": …, "kind": …, …}, …]}`. `X-Drftpd-Signature` is `v1=` and the HMAC-SHA-256,
//! in hexadecimal, of `X-Drftpd-Timestamp`, a full stop and the body, under the secret. Any answer of 200 to 299 takes
//! the events; after any other, or none, they are sent again.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use axum::http::{Method, Request, Uri};
use bytes::Bytes;
use drftpd_actors::{Clock, Net};
use futures_util::future::LocalBoxFuture;
use http_body_util::Full;
use tokio::time::timeout;

use super::config::WebhookConfig;
use super::deliver::{CannotTell, Refused, Sink};
use super::queue::Numbered;
use crate::web::{self, Web};

/// The shortest secret, in bytes.
const LEAST_SECRET: usize = 16;

const TIMESTAMP: HeaderName = HeaderName::from_static("x-drftpd-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("x-drftpd-signature");

/// A server that is sent events.
#[derive(Clone)]
pub(super) struct Webhook {
    url: Uri,
    key: hmac::Key,
    web: Web,
    limit: Duration,
    at_once: usize,
    clock: Clock,
}

impl Webhook {
    /// Reads the files that the configuration names.
    pub fn new(
        config: &WebhookConfig,
        net: Arc<dyn Net>,
        clock: Clock,
    ) -> Result<Self, CannotTell> {
        let wrong = |why: String| CannotTell::Webhook {
            name: config.name.clone(),
            why,
        };
        let url: Uri = config.url.parse().map_err(|why| wrong(format!("{why}")))?;
        let secret = read_secret(&config.secret).map_err(wrong)?;
        let tls = web::believes(config.authority.as_deref()).map_err(wrong)?;
        let web = Web {
            net,
            tls,
            limit: config.timeout,
            in_clear: url.scheme_str() == Some("http"),
        };
        Ok(Self {
            url,
            key: hmac::Key::new(hmac::HMAC_SHA256, &secret),
            web,
            limit: config.timeout,
            at_once: config.at_once,
            clock,
        })
    }

    fn request(&self, events: &[Numbered]) -> Result<Request<Full<Bytes>>, Refused> {
        let events = events.iter().map(super::program::shown);
        let body = serde_json::json!({ "events": events.collect::<Result<Vec<_>, _>>()? });
        let body = body.to_string();
        let timestamp = self.clock.unix().to_string();
        let signature = sign(&self.key, &timestamp, body.as_bytes());
        Request::builder()
            .method(Method::POST)
            .uri(self.url.clone())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(TIMESTAMP, timestamp)
            .header(SIGNATURE, format!("v1={signature}"))
            .body(Full::new(Bytes::from(body)))
            .map_err(Refused::because)
    }
}

impl Sink for Webhook {
    fn give<'s>(&'s mut self, events: &'s [Numbered]) -> LocalBoxFuture<'s, Result<(), Refused>> {
        Box::pin(async move {
            let request = self.request(events)?;
            let answer = timeout(self.limit, self.web.ask(request)).await;
            let answer = answer.map_err(|_| Refused::because("no answer in time"))?;
            let answer = answer.map_err(Refused::because)?;
            match answer.status() {
                taken if taken.is_success() => Ok(()),
                status => Err(Refused {
                    why: format!("{} answers {status}", self.url),
                    wait: web::retry_after(answer.headers(), self.clock.now()),
                }),
            }
        })
    }

    fn at_once(&self) -> usize {
        self.at_once
    }
}

fn read_secret(file: &Path) -> Result<Vec<u8>, String> {
    let shown = file.display();
    let text = std::fs::read(file).map_err(|why| format!("secret {shown}: {why}"))?;
    let secret = text.trim_ascii();
    match secret.len() < LEAST_SECRET {
        true => Err(format!(
            "secret {shown}: must have {LEAST_SECRET} bytes or more"
        )),
        false => Ok(secret.to_vec()),
    }
}

fn sign(key: &hmac::Key, timestamp: &str, body: &[u8]) -> String {
    let signed = [timestamp.as_bytes(), b".", body].concat();
    let tag = hmac::sign(key, &signed);
    tag.as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_is_the_time_and_the_body() {
        // printf '1700000000.{}' | openssl dgst -sha256 -hmac 0123456789abcdef
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"0123456789abcdef");
        let signature = sign(&key, "1700000000", b"{}");
        assert_eq!(
            signature,
            "e4f8e2ecae2295b2ddb2f0b5584c8275e226c0ebe9b3b819e70156bb67122e3e"
        );
        assert_ne!(signature, sign(&key, "1700000001", b"{}"));
    }

    #[test]
    fn a_secret_is_a_file_of_some_length() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret");
        assert!(read_secret(&file).unwrap_err().contains("secret"));
        std::fs::write(&file, "short\n").unwrap();
        assert!(read_secret(&file).unwrap_err().contains("16 bytes"));
        std::fs::write(&file, "0123456789abcdef\n").unwrap();
        assert_eq!(read_secret(&file).unwrap(), b"0123456789abcdef");
    }
}
