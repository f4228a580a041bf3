//! The account at the authority: made at the first order, kept in the folder, told of contacts that changed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use drftpd_actors::Blocking;
use instant_acme::{Account, AccountCredentials, ExternalAccountKey, NewAccount};
use tracing::info;

use super::config::AcmeConfig;
use super::error::AcmeError;
use super::files::{Folder, FolderError, StoredAccount};
use super::http::Asker;
use crate::slaves::secret_file;

/// The account that is stored, or a new one.
pub(super) async fn open(
    config: &AcmeConfig,
    folder: &Folder,
    blocking: &Blocking,
    asker: Asker,
) -> Result<Account, AcmeError> {
    let from = folder.clone();
    let stored = blocking.run(move || from.account()).await??;
    let builder = Account::builder_with_http(Box::new(asker));
    let contacts: Vec<&str> = config.contacts.iter().map(String::as_str).collect();
    let mine = stored.filter(|stored| stored.directory == config.directory);
    let (account, credentials) = match mine {
        Some(stored) => {
            let credentials = credentials(stored.credentials.clone())?;
            let account = builder.from_credentials(credentials).await?;
            if stored.contacts == config.contacts {
                return Ok(account);
            }
            account.update_contacts(&contacts).await?;
            (account, stored.credentials)
        }
        None => {
            let external = external(config, blocking).await?;
            let wanted = NewAccount {
                contact: &contacts,
                terms_of_service_agreed: config.agree_to_terms,
                only_return_existing: false,
            };
            let directory = config.directory.clone();
            let made = builder.create(&wanted, directory, external.as_ref());
            let (account, credentials) = made.await?;
            info!(account = account.id(), "account made at the authority");
            let credentials = serde_json::to_value(&credentials);
            (account, credentials.map_err(instant_acme::Error::from)?)
        }
    };
    let stored = StoredAccount {
        directory: config.directory.clone(),
        contacts: config.contacts.clone(),
        credentials,
    };
    let to = folder.clone();
    blocking.run(move || to.store_account(&stored)).await??;
    Ok(account)
}

fn credentials(stored: serde_json::Value) -> Result<AccountCredentials, AcmeError> {
    let read = serde_json::from_value(stored);
    Ok(read.map_err(instant_acme::Error::from)?)
}

/// The key by which an authority knows who opens the account (RFC 8555, section 7.3.4).
async fn external(
    config: &AcmeConfig,
    blocking: &Blocking,
) -> Result<Option<ExternalAccountKey>, AcmeError> {
    let (Some(id), Some(file)) = (&config.external_account, &config.external_account_key) else {
        return Ok(None);
    };
    let bad = |why: &str| AcmeError::Named(format!("{}: {why}", file.display()));
    let path = file.clone();
    let read = blocking.run(move || secret_file::read(&path)).await?;
    let text = read.map_err(FolderError::from)?;
    let text = text.ok_or_else(|| bad("there is no such file (tls.acme.external_account_key)"))?;
    let key = URL_SAFE_NO_PAD.decode(text.trim().trim_end_matches('='));
    let key = key.map_err(|_| bad("is no key in base64url (tls.acme.external_account_key)"))?;
    Ok(Some(ExternalAccountKey::new(id.clone(), &key)))
}
