//! Who belongs to the cluster: adding a slave makes a token, joining with it gives a certificate,
//! removing it takes both away. Works on the store alone, with and without a running master.

use std::sync::Arc;
use std::time::Duration;

use drftpd_actors::{Clock, Dice};
use drftpd_protocol::wire::{Join, JoinToken, Joined};
use drftpd_protocol::{SlaveId, TransferId};
use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use tracing::info;

use super::authority::{Authority, AuthorityError};
use super::book::{self, AddSlave, JoinSlave, RemoveSlave, SlaveRow};
use super::standing::{Duty, Stand, Standing};
use crate::store::{Store, StoreError};

/// Why a slave was not added, removed or taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnrollError {
    /// The name is in use.
    #[error("slave {0} exists; remove it first, or ask for another token for it")]
    Exists(SlaveId),
    /// No slave has that name.
    #[error("there is no slave {0}")]
    Unknown(SlaveId),
    /// Not a token of this cluster, used before, or too old.
    #[error("the join token is unknown, was used, or is too old: make a new one on the master")]
    BadToken,
    /// The slave is not in the list, or was removed.
    #[error("slave {0} does not belong to this cluster (any more)")]
    NotOurs(SlaveId),
    /// Another certificate than the one it was given last.
    #[error("the certificate is not the last one that slave {0} was given")]
    OldCertificate(SlaveId),
    /// No certificate was shown.
    #[error("no certificate was shown: join first")]
    NoCertificate,
    /// A certificate was not made.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// The list of slaves with what is needed to change it. Cheap to clone.
#[derive(Clone)]
pub struct Enroll {
    store: Store,
    authority: Arc<Authority>,
    clock: Clock,
    dice: Dice,
    token_lifetime: Duration,
}

impl Enroll {
    /// Over a store and the cluster's authority.
    pub fn new(
        store: Store,
        authority: Arc<Authority>,
        clock: Clock,
        dice: Dice,
        token_lifetime: Duration,
    ) -> Self {
        Self {
            store,
            authority,
            clock,
            dice,
            token_lifetime,
        }
    }

    /// The cluster's authority.
    pub fn authority(&self) -> &Arc<Authority> {
        &self.authority
    }

    /// Every transfer of an earlier start of the master has a smaller number.
    pub(super) fn first_transfer(&self) -> TransferId {
        self.store.ids().first_transfer()
    }

    /// Makes a token with which one machine may join as `name`; `again` also where a slave of that
    /// name is there (its certificate stays good until the new one is made).
    ///
    /// # Errors
    /// [`EnrollError::Exists`], or when the store fails.
    pub async fn add(&self, name: &SlaveId, again: bool) -> Result<JoinToken, EnrollError> {
        let now = self.clock.unix();
        let lifetime = i64::try_from(self.token_lifetime.as_secs()).unwrap_or(i64::MAX);
        let token = JoinToken {
            secret: self.dice.token(),
            authority: self.authority.fingerprint(),
        };
        let add = AddSlave {
            name: name.clone(),
            hash: hash(&token.secret),
            expires: now.saturating_add(lifetime),
            again,
            now,
        };
        self.store.change(add).await?;
        info!(slave = %name, again, "a join token was made");
        Ok(token)
    }

    /// Takes a slave out of the cluster.
    ///
    /// # Errors
    /// [`EnrollError::Unknown`], or when the store fails.
    pub async fn remove(&self, name: &SlaveId) -> Result<(), EnrollError> {
        let now = self.clock.unix();
        let name = name.clone();
        info!(slave = %name, "a slave is removed");
        self.store.change(RemoveSlave { name, now }).await
    }

    /// Decides something about a slave, or takes it back; answers what counts now.
    ///
    /// # Errors
    /// [`EnrollError::Unknown`], or when the store fails.
    pub async fn stand(
        &self,
        name: &SlaveId,
        duty: Duty,
        on: bool,
    ) -> Result<Standing, EnrollError> {
        let (name, now) = (name.clone(), self.clock.unix());
        let stand = Stand {
            name,
            duty,
            on,
            now,
        };
        self.store.change(stand).await
    }

    /// All slaves, those that were removed too.
    ///
    /// # Errors
    /// When the store fails.
    pub fn list(&self) -> Result<Vec<SlaveRow>, StoreError> {
        self.store.read(book::all)
    }

    /// Gives a machine with a good token its certificate.
    ///
    /// # Errors
    /// [`EnrollError::BadToken`], a bad signing request, or when the store fails.
    pub async fn join(&self, join: &Join) -> Result<Joined, EnrollError> {
        let (hash, now) = (hash(&join.secret), self.clock.unix());
        let name = self
            .store
            .read(|sql| book::name_of_token(sql, &hash, now))?;
        let name = name.ok_or(EnrollError::BadToken)?;
        let certificate = self.authority.issue(&name, &join.request)?.to_vec();
        let joined = Joined {
            name: name.clone(),
            certificate: certificate.clone(),
            authority: self.authority.certificate().to_vec(),
        };
        let command = JoinSlave {
            hash,
            name,
            certificate,
            now,
        };
        self.store.change(command).await?;
        info!(slave = %joined.name, build = join.build, "a machine joined the cluster");
        Ok(joined)
    }

    /// Whether this is the slave that it says it is. `shown` is the certificate that the link
    /// proved, where links prove anything (`proven`). Answers what was decided about it.
    ///
    /// # Errors
    /// Why it is not.
    pub fn check(
        &self,
        name: &SlaveId,
        shown: Option<&CertificateDer<'_>>,
        proven: bool,
    ) -> Result<Standing, EnrollError> {
        let row = self.store.read(|sql| book::find(sql, name))?;
        let row = row.filter(|row| row.revoked.is_none());
        let row = row.ok_or_else(|| EnrollError::NotOurs(name.clone()))?;
        if !proven {
            return Ok(row.standing());
        }
        let shown = shown.ok_or(EnrollError::NoCertificate)?;
        if row.certificate.as_deref() != Some(shown.as_ref()) {
            return Err(EnrollError::OldCertificate(name.clone()));
        }
        Ok(row.standing())
    }
}

fn hash(secret: &[u8]) -> [u8; 32] {
    Sha256::digest(secret).into()
}

#[cfg(test)]
#[path = "enroll_tests.rs"]
mod tests;
