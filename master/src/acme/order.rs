//! One order from beginning to end (RFC 8555, section 7.4): the account, the proof that the names are ours, the request for
//! the certificate, the certificate. A task; it decides nothing about the next one.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use drftpd_actors::{Blocking, Clock, Net};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use instant_acme::{
    Account, AuthorizationStatus, CertificateIdentifier, ChallengeType, Error, Identifier,
    NewOrder, Order, OrderStatus,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use rustls_pki_types::CertificateDer;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::account;
use super::answers::{self, Tokens};
use super::config::AcmeConfig;
use super::error::{AcmeError, Failed};
use super::files::Folder;
use super::http::{self, Asker};
use super::plan::Window;
use crate::web::{self, Web};

/// The first pause before the authority is asked whether it has come further; each one is twice as long.
const POLL_FROM: Duration = Duration::from_millis(250);
/// The longest.
const POLL_TO: Duration = Duration::from_secs(10);

/// Who gives certificates; scripted in tests.
pub trait Issuer: Send + Sync {
    /// Orders a certificate, and gives it with its key as PEM. `replaces`: the one in whose place it comes, DER.
    fn order(&self, replaces: Option<Vec<u8>>) -> LocalBoxFuture<'_, Result<String, Failed>>;

    /// When a certificate, DER, would best be renewed; nothing where the authority does not say (RFC 9773).
    fn window(&self, of: Vec<u8>) -> LocalBoxFuture<'_, Result<Option<Window>, Failed>>;
}

/// The authority of the configuration.
pub struct Authority {
    /// Which.
    pub config: AcmeConfig,
    /// Where the account is.
    pub folder: Folder,
    /// The way to it.
    pub net: Arc<dyn Net>,
    /// The time of day.
    pub clock: Clock,
    /// For the disk.
    pub blocking: Blocking,
}

impl Issuer for Authority {
    fn order(&self, replaces: Option<Vec<u8>>) -> LocalBoxFuture<'_, Result<String, Failed>> {
        self.talk(async |account, wishes| self.place(account, wishes, replaces).await)
            .boxed_local()
    }

    fn window(&self, of: Vec<u8>) -> LocalBoxFuture<'_, Result<Option<Window>, Failed>> {
        self.talk(async |account, _| ask_window(&account, of).await)
            .boxed_local()
    }
}

type Wishes = watch::Receiver<Option<Duration>>;

impl Authority {
    /// Talks with the authority, as one of its accounts, within the time of an order.
    async fn talk<T>(
        &self,
        what: impl AsyncFnOnce(Account, Wishes) -> Result<T, AcmeError>,
    ) -> Result<T, Failed> {
        let (asker, carrier, wishes) = http::client(self.web().await?, self.clock.clone());
        let talk = async {
            let account = self.account(asker).await?;
            what(account, wishes.clone()).await
        };
        let talk = async {
            tokio::select! {
                done = talk => done,
                () = carrier.run() => Err(AcmeError::GivenUp),
            }
        };
        let limit = self.config.order_timeout;
        // instant-acme takes it for granted that URLs of a directory are URLs. A failure with its pause is better than an
        // actor that spends its restarts.
        let done = match timeout(limit, AssertUnwindSafe(talk).catch_unwind()).await {
            Ok(done) => done.unwrap_or(Err(AcmeError::Panicked)),
            Err(_) => Err(AcmeError::Slow(limit)),
        };
        if done.as_ref().is_err_and(AcmeError::is_unknown_account) {
            warn!("the authority does not know the account, the next order makes a new one");
            let folder = self.folder.clone();
            self.blocking.run(move || folder.forget_account()).await?;
        }
        done.map_err(|why| Failed {
            why,
            wish: *wishes.borrow(),
        })
    }

    /// The way to the authority. A directory in clear is on this machine, and so is all that it names; one over TLS
    /// leads to nothing in clear.
    async fn web(&self) -> Result<Web, AcmeError> {
        let file = self.config.authority.clone();
        let tls = self.blocking.run(move || web::believes(file.as_deref()));
        let named = |why| AcmeError::Named(format!("tls.acme.authority: {why}"));
        Ok(Web {
            net: Arc::clone(&self.net),
            tls: tls.await?.map_err(named)?,
            limit: self.config.request_timeout,
            in_clear: self.config.asks_in_clear(),
        })
    }

    async fn account(&self, asker: Asker) -> Result<Account, AcmeError> {
        account::open(&self.config, &self.folder, &self.blocking, asker).await
    }

    async fn place(
        &self,
        account: Account,
        wishes: Wishes,
        replaces: Option<Vec<u8>>,
    ) -> Result<String, AcmeError> {
        let replaces = replaces.map(CertificateDer::from);
        let replaces = replaces
            .as_ref()
            .and_then(|der| CertificateIdentifier::try_from(der).ok());
        let names: Vec<String> = self.config.names().into_iter().collect();
        let wanted: Vec<Identifier> = names.iter().map(|name| identifier(name)).collect();
        let mut wanted = NewOrder::new(&wanted);
        if let Some(replaces) = replaces {
            wanted = wanted.replaces(replaces);
        }
        if let Some(profile) = &self.config.profile {
            wanted = wanted.profile(profile);
        }
        let mut order = account.new_order(&wanted).await?;
        self.prove(&mut order, &wishes).await?;
        // A key of its own for each certificate.
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
        let mut request = CertificateParams::new(names)?;
        request.distinguished_name = DistinguishedName::new();
        let request = request.serialize_request(&key)?;
        order.finalize_csr(request.der()).await?;
        poll(&mut order, &wishes).await?;
        let chain = order.certificate().await?;
        let chain = chain.ok_or(AcmeError::GivenUp)?;
        Ok(key.serialize_pem() + &chain)
    }

    /// Proves what is not proved yet, and answers the authority's questions meanwhile.
    async fn prove(&self, order: &mut Order, wishes: &Wishes) -> Result<(), AcmeError> {
        let tokens = tokens(order).await?;
        if !tokens.is_empty() {
            let at = self.config.http_listen;
            let failed = |why| AcmeError::Listen(at, why);
            let listener = self.net.bind(at).await.map_err(failed)?;
            let real = listener.local_addr().map_err(failed)?;
            info!(at = %real, names = tokens.len(), "http-01 is answered while the order runs");
            let confirm = async {
                confirm(order).await?;
                poll(order, wishes).await
            };
            tokio::select! {
                proved = confirm => proved?,
                () = answers::serve(listener, tokens) => {}
            }
        }
        match order.state().status {
            OrderStatus::Invalid => Err(refused(order).await),
            _ => Ok(()),
        }
    }
}

fn identifier(name: &str) -> Identifier {
    match name.parse() {
        Ok(ip) => Identifier::Ip(ip),
        Err(_) => Identifier::Dns(name.to_owned()),
    }
}

/// What the authority will ask for, and what it shall hear.
async fn tokens(order: &mut Order) -> Result<Tokens, AcmeError> {
    let mut tokens = Tokens::new();
    let mut all = order.authorizations();
    while let Some(one) = all.next().await {
        let mut one = one?;
        let name = one.identifier().to_string();
        match one.status {
            AuthorizationStatus::Valid => continue,
            AuthorizationStatus::Pending => {}
            status => {
                let why = format!("{name}: the authorization is {status:?} already");
                return Err(AcmeError::NotProved(why));
            }
        }
        let challenge = one.challenge(ChallengeType::Http01).ok_or_else(|| {
            AcmeError::NotProved(format!("{name}: the authority does not offer http-01"))
        })?;
        let answer = challenge.key_authorization().as_str().to_owned();
        tokens.insert(challenge.token.clone(), answer);
    }
    Ok(tokens)
}

/// Tells the authority that it may ask.
async fn confirm(order: &mut Order) -> Result<(), AcmeError> {
    let mut all = order.authorizations();
    while let Some(one) = all.next().await {
        let mut one = one?;
        if one.status != AuthorizationStatus::Pending {
            continue;
        }
        if let Some(mut challenge) = one.challenge(ChallengeType::Http01) {
            challenge.set_ready().await?;
        }
    }
    Ok(())
}

/// Asks until the authority has come further. Limited by the time of the whole order.
async fn poll(order: &mut Order, wishes: &Wishes) -> Result<(), AcmeError> {
    let mut pause = POLL_FROM;
    while let OrderStatus::Pending | OrderStatus::Processing = order.refresh().await?.status {
        let wish = wishes.borrow().unwrap_or_default();
        sleep(pause.max(wish.min(POLL_TO))).await;
        pause = (pause * 2).min(POLL_TO);
    }
    Ok(())
}

/// Why an order became invalid: what the authority found when it asked.
async fn refused(order: &mut Order) -> AcmeError {
    let mut found = Vec::new();
    let mut all = order.authorizations();
    while let Some(Ok(mut one)) = all.next().await {
        if let Err(why) = one.refresh().await {
            return why.into();
        }
        let name = one.identifier().to_string();
        let problems = one.challenges.iter().filter_map(|it| it.error.as_ref());
        found.extend(problems.map(|problem| format!("{name}: {problem}")));
    }
    if let Some(problem) = order.state().error.as_ref().filter(|_| found.is_empty()) {
        found.push(problem.to_string());
    }
    match found.is_empty() {
        true => {
            AcmeError::NotProved("the authority refuses the order and does not say why".to_owned())
        }
        false => AcmeError::NotProved(found.join("; ")),
    }
}

async fn ask_window(account: &Account, of: Vec<u8>) -> Result<Option<Window>, AcmeError> {
    let der = CertificateDer::from(of);
    // Without an identifier of its authority's key it cannot be asked for.
    let Ok(which) = CertificateIdentifier::try_from(&der) else {
        return Ok(None);
    };
    match account.renewal_info(&which).await {
        Ok((info, again)) => Ok(Some(Window {
            start: info.suggested_window.start.unix_timestamp(),
            end: info.suggested_window.end.unix_timestamp(),
            again,
        })),
        Err(Error::Unsupported(_)) => Ok(None),
        Err(why) => Err(why.into()),
    }
}
