//! The certificate of an ACME authority: whether it is there, when it ends, why it is not renewed.

use super::Notes;
use crate::acme::files::Folder;
use crate::acme::plan::{Held, Record, latest};
use crate::acme::{AcmeConfig, time};

/// Renewals may fail so long before somebody should look.
const PATIENCE: i64 = 86_400;

pub(super) fn look(acme: &AcmeConfig, folder: &Folder, now: i64, notes: &mut Notes<'_>) {
    let record = folder.record().unwrap_or_else(|why| {
        notes.wrong(why.to_string(), "remove the file; the next order writes it");
        Record::default()
    });
    match folder.held() {
        Ok(Some(held)) => ends(acme, &held, now, notes),
        Ok(None) if record.failures == 0 => notes.note(
            format!("{} has not given a certificate yet", acme.directory),
            "until then clients see one that the master has signed itself",
        ),
        Ok(None) => {}
        Err(why) => notes.wrong(why.to_string(), "SIGHUP orders a new one at once"),
    }
    if record.failures > 0 {
        failing(acme, &record, notes);
    }
}

fn ends(acme: &AcmeConfig, held: &Held, now: i64, notes: &mut Notes<'_>) {
    let until = time(held.until);
    let renewal = latest(held, acme.renew_before);
    if now >= held.until {
        notes.wrong(
            format!("the authority's certificate was valid until {until}"),
            "see why it is not renewed; clients that check it do not come in",
        );
    } else if now > renewal.saturating_add(PATIENCE) {
        notes.wrong(
            format!("the authority's certificate ends at {until} and is not renewed"),
            "see why in the log of the master, which must run for it",
        );
    } else {
        let renewal = time(renewal);
        notes.good(format!(
            "the authority's certificate is valid until {until}, renewed at {renewal}"
        ));
    }
    if !held.names.is_superset(&acme.names()) {
        notes.note(
            format!("the authority's certificate is for {:?}", held.names),
            "another one is ordered for tls.acme.domains",
        );
    }
}

fn failing(acme: &AcmeConfig, record: &Record, notes: &mut Notes<'_>) {
    let (failures, why) = (record.failures, &record.why);
    let since = time(record.failing_since);
    let port = acme.http_listen.port();
    notes.wrong(
        format!("orders fail, {failures} times since {since}: {why}"),
        format!(
            "port 80 of each of tls.acme.domains must lead to port {port} here; next try at {}, or at once on SIGHUP",
            time(record.next_try)
        ),
    );
}
