//! `[tls.acme]`: a certificate that clients know, from an authority that speaks ACME (RFC 8555), proved by HTTP-01.
//!
//! [`plan`] decides, purely, when one is ordered; [`actor`] owns the plan; [`order`] is one order, with the account of
//! [`account`], over the requests of [`http`], answering the authority in [`answers`]. What comes of it lies in `DIR/acme`
//! ([`files`]) and is shown by `tls::keeper` as any other file that changes.

mod account;
mod actor;
mod answers;
pub mod config;
pub mod error;
pub mod files;
mod http;
mod order;
pub mod plan;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use actix::{Addr, Recipient};
use drftpd_actors::{Budget, ChildDown, ChildSpec, supervise};

pub use actor::Acme;
pub(crate) use actor::time;
pub use config::AcmeConfig;

use crate::config::MasterConfig;
use crate::deps;
use crate::tls::keeper::Look;
use actor::Deps;
use files::Folder;
use order::Authority;

/// Its name as a child; without it the master is as good as before.
pub const NAME: &str = "acme";
/// Nobody sends it anything but itself.
const MAILBOX: usize = 16;

/// Starts it where the configuration has the section. `look` tells the keeper of a new certificate.
pub fn start(
    config: &MasterConfig,
    deps: &deps::Deps,
    look: Look,
    parent: Recipient<ChildDown>,
) -> Option<Addr<Acme>> {
    let acme = config.tls.acme.clone()?;
    let folder = Folder::of(config);
    let issuer = Authority {
        config: acme.clone(),
        folder: folder.clone(),
        net: Arc::clone(&deps.net),
        clock: deps.clock.clone(),
        blocking: deps.blocking.clone(),
    };
    let given = Deps {
        config: acme,
        folder,
        issuer: Arc::new(issuer),
        look,
        clock: deps.clock.clone(),
        dice: deps.dice.clone(),
        blocking: deps.blocking.clone(),
        again: deps.reload.as_ref().map(|reload| reload.current()),
    };
    let spec = ChildSpec::new(NAME, MAILBOX, Budget::PLUGIN, parent);
    Some(supervise(&deps.places.core, spec, move || Acme::new(given)))
}
