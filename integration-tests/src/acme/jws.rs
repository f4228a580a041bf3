//! What is signed, and by whom (RFC 8555, section 6.2).

use anyhow::{Context, Result, ensure};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// A signed request, not proved yet.
pub(super) struct Signed {
    pub protected: Value,
    pub payload: Vec<u8>,
    input: String,
    signature: Vec<u8>,
}

/// An account's key.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Key {
    x: String,
    y: String,
}

impl Signed {
    pub fn read(body: &[u8]) -> Result<Self> {
        let body: Value = serde_json::from_slice(body)?;
        let part = |name: &str| body[name].as_str().with_context(|| format!("no {name}"));
        let (protected, payload) = (part("protected")?, part("payload")?);
        Ok(Self {
            input: format!("{protected}.{payload}"),
            signature: URL_SAFE_NO_PAD.decode(part("signature")?)?,
            protected: serde_json::from_slice(&URL_SAFE_NO_PAD.decode(protected)?)?,
            payload: URL_SAFE_NO_PAD.decode(payload)?,
        })
    }

    /// A field of what is protected.
    pub fn field(&self, name: &str) -> Result<&str> {
        let value = self.protected[name].as_str();
        value.with_context(|| format!("no {name} in what is protected"))
    }

    pub fn json(&self) -> Result<Value> {
        Ok(serde_json::from_slice(&self.payload)?)
    }

    /// The key that came along.
    pub fn key(&self) -> Result<Key> {
        let jwk = &self.protected["jwk"];
        ensure!(jwk["kty"] == "EC" && jwk["crv"] == "P-256", "key is {jwk}");
        let part = |name: &str| jwk[name].as_str().map(str::to_owned).context("half a key");
        Ok(Key {
            x: part("x")?,
            y: part("y")?,
        })
    }

    /// Whether that key signed it.
    pub fn prove(&self, key: &Key) -> Result<()> {
        ensure!(self.field("alg")? == "ES256", "signed in another way");
        let mut point = vec![4];
        point.extend(URL_SAFE_NO_PAD.decode(&key.x)?);
        point.extend(URL_SAFE_NO_PAD.decode(&key.y)?);
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
        let proved = key.verify(self.input.as_bytes(), &self.signature);
        proved.ok().context("another key signed it")
    }
}

impl Key {
    /// RFC 7638.
    pub fn thumbprint(&self) -> String {
        let text = format!(
            r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#,
            self.x, self.y
        );
        URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()))
    }
}
