//! Certificates: the cluster's authority, and the one that FTP clients see.

use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use x509_parser::prelude::{FromDer, X509Certificate};

use super::{Finding, Known, Notes, ordered};
use crate::acme::files::Folder;
use crate::config::MasterConfig;
use crate::tls::identity::{Files, IdentityError};
use crate::tls::own;

/// So long before its end a certificate is worth a note.
const SOON: i64 = 30 * 86_400;

pub(super) fn look(config: &MasterConfig, known: &Known, found: &mut Vec<Finding>) {
    let mut notes = Notes {
        area: "certificates",
        found,
    };
    authority(config, known, &mut notes);
    ftp(config, known, &mut notes);
    api(config, known, &mut notes);
    clients(config, known, &mut notes);
    if let Some(acme) = &config.tls.acme {
        ordered::look(acme, &Folder::of(config), known.now, &mut notes);
    }
}

fn authority(config: &MasterConfig, known: &Known, notes: &mut Notes<'_>) {
    let Some(der) = &known.authority else {
        return notes.wrong(
            "the cluster has no authority",
            "`init` makes one; without it no slave is believed",
        );
    };
    valid("the cluster's authority", der, known.now, notes);
    private(&config.master.authority(), notes);
}

/// Who needs a certificate of their own must be asked for it.
fn clients(config: &MasterConfig, known: &Known, notes: &mut Notes<'_>) {
    if known.need_certificate > 0 && !config.tls.client_certificates {
        notes.wrong(
            format!(
                "{} accounts need a certificate beside the password, and no client is asked for one",
                known.need_certificate
            ),
            "set tls.client_certificates, or `user change NAME certificate none`",
        );
    }
}

/// Keys are their owner's alone.
fn private(folder: &Path, notes: &mut Notes<'_>) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let is_key = name.to_string_lossy().contains("key");
        let mode = entry
            .metadata()
            .map(|meta| meta.permissions().mode() & 0o777);
        if let (true, Ok(mode)) = (is_key, mode)
            && mode & 0o077 != 0
        {
            notes.wrong(
                format!(
                    "{} can be read by others (mode {mode:o})",
                    entry.path().display()
                ),
                "chmod 600, and think of who has read it",
            );
        }
    }
}

/// Whether now lies in a certificate's time.
fn valid(whose: &str, der: &[u8], now: i64, notes: &mut Notes<'_>) {
    let Ok((_, parsed)) = X509Certificate::from_der(der) else {
        let what = format!("the certificate of {whose} cannot be understood");
        return notes.wrong(what, "put the right file in its place");
    };
    let validity = parsed.validity();
    let (from, until) = (validity.not_before, validity.not_after);
    if now < from.timestamp() {
        notes.wrong(
            format!("the certificate of {whose} is valid only from {from}"),
            "the clock of this machine is behind, or was ahead when it was made",
        );
    } else if now >= until.timestamp() {
        notes.wrong(
            format!("the certificate of {whose} was valid until {until}"),
            "renew it",
        );
    } else if until.timestamp() - now < SOON {
        notes.note(
            format!("the certificate of {whose} is valid until {until}"),
            "renew it soon",
        );
    } else {
        notes.good(format!("the certificate of {whose} is valid until {until}"));
    }
}

fn ftp(config: &MasterConfig, known: &Known, notes: &mut Notes<'_>) {
    let files = own::of(config);
    let ordered = own::ordered(config).is_some_and(|ordered| ordered == files);
    let own = config.tls.certificate.is_none() && !ordered;
    if own && !files.certificate.exists() && !files.key.exists() {
        return notes.note(
            "there is no certificate for FTP clients yet",
            "the master makes one of its own when it starts",
        );
    }
    let understood = files.read().and_then(|both| files.understand(&both));
    match understood {
        Ok(identity) => {
            let der = identity.wire.chain.first().map(|der| der.0.clone());
            if let Some(der) = der {
                if !ordered {
                    valid("FTP clients", &der, known.now, notes);
                }
                names(config, &der, notes);
            }
            if own && config.tls.acme.is_none() {
                notes.note(
                    "FTP clients see a certificate of the master's own, which they do not know",
                    format!(
                        "give {} to them, or set tls.certificate",
                        files.certificate.display()
                    ),
                );
            }
        }
        Err(IdentityError::Expired(_, until)) => notes.wrong(
            format!("the certificate of FTP clients was valid until {until}"),
            "renew it",
        ),
        Err(why) => notes.wrong(why.to_string(), "FTPS does not work until that is mended"),
    }
}

/// The certificate that the HTTP API has for itself, where it has one.
fn api(config: &MasterConfig, known: &Known, notes: &mut Notes<'_>) {
    let (Some(certificate), Some(key)) = (&config.api.certificate, &config.api.key) else {
        return;
    };
    let files = Files {
        certificate: certificate.clone(),
        key: key.clone(),
    };
    match files.read().and_then(|both| files.understand(&both)) {
        Ok(identity) => {
            if let Some(der) = identity.wire.chain.first() {
                valid("the HTTP API", &der.0, known.now, notes);
            }
        }
        Err(why) => notes.wrong(
            why.to_string(),
            "the master does not start with it: see api.certificate and api.key",
        ),
    }
}

/// Clients that check names connect to one of these.
fn names(config: &MasterConfig, der: &[u8], notes: &mut Notes<'_>) {
    use x509_parser::prelude::GeneralName;
    let Ok((_, parsed)) = X509Certificate::from_der(der) else {
        return;
    };
    let alternative = parsed.subject_alternative_name().ok().flatten();
    let list = alternative.map(|names| names.value.general_names.clone());
    let list = list.unwrap_or_default();
    let has_name = |host: &str| {
        list.iter().any(|name| match name {
            GeneralName::DNSName(dns) => dns.eq_ignore_ascii_case(host),
            _ => false,
        })
    };
    let has_address = |ip: IpAddr| {
        list.iter().any(|name| match (name, ip) {
            (GeneralName::IPAddress(bytes), IpAddr::V4(ip)) => *bytes == ip.octets(),
            (GeneralName::IPAddress(bytes), IpAddr::V6(ip)) => *bytes == ip.octets(),
            _ => false,
        })
    };
    for host in config.ftp.hosts.iter().filter(|host| !has_name(host)) {
        notes.note(
            format!("the certificate of FTP clients is not for {host} (ftp.hosts)"),
            "name it in tls.names, or get a certificate that has it",
        );
    }
    let outside = config.passive.announce_address;
    if let Some(ip) = outside.filter(|ip| !has_address(*ip) && config.ftp.hosts.is_empty()) {
        notes.note(
            format!("the certificate of FTP clients is not for {ip} (passive.announce_address)"),
            "clients that connect to that address and check names will not like it",
        );
    }
}
