//! `[tls.acme]`: which authority gives the certificate that FTP clients see, for which names, and when it is asked again.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use axum::http::Uri;
use drftpd_actors::ConfigError;
use rustls_pki_types::ServerName;
use serde::Deserialize;

use crate::web::is_loopback;

/// Let's Encrypt.
const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// `[tls.acme]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AcmeConfig {
    /// The authority's directory (RFC 8555, section 7.1.1).
    pub directory: String,
    /// Certificates that the directory's own is proved with, PEM; without it those of the Web's authorities.
    pub authority: Option<PathBuf>,
    /// Whether the operator agrees to the authority's terms of service; without that nothing is ordered.
    pub agree_to_terms: bool,
    /// Host names and addresses that the certificate is for.
    pub domains: Vec<String>,
    /// Where the authority may write to: URLs.
    pub contacts: Vec<String>,
    /// The authority's name for a kind of certificate.
    pub profile: Option<String>,
    /// The key identifier of an account that the authority knows already (external account binding).
    pub external_account: Option<String>,
    /// File with that account's MAC key, base64url as authorities give it.
    pub external_account_key: Option<PathBuf>,
    /// Address and port where the authority's HTTP-01 challenges are answered while an order runs.
    pub http_listen: SocketAddr,
    /// How long before its end a certificate is renewed.
    pub renew_before: RenewBefore,
    /// The first pause after an order that failed; each further one doubles it.
    #[serde(with = "humantime_serde")]
    pub retry_from: Duration,
    /// The longest pause.
    #[serde(with = "humantime_serde")]
    pub retry_to: Duration,
    /// How long one request to the authority may take.
    #[serde(with = "humantime_serde")]
    pub request_timeout: Duration,
    /// How long a whole order may take.
    #[serde(with = "humantime_serde")]
    pub order_timeout: Duration,
}

/// How long before its end a certificate is renewed: `"33%"` of its life, or `"30d"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum RenewBefore {
    /// Percent of its life.
    Share(u8),
    /// A time.
    Time(Duration),
}

impl TryFrom<String> for RenewBefore {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.strip_suffix('%') {
            Some(share) => {
                let share = share.trim().parse();
                share.map_err(|_| format!("{text:?} is no share"))
            }
            .map(Self::Share),
            None => humantime::parse_duration(&text)
                .map(Self::Time)
                .map_err(|why| format!("{text:?}: {why}")),
        }
    }
}

impl Default for AcmeConfig {
    fn default() -> Self {
        Self {
            directory: LETS_ENCRYPT.to_owned(),
            authority: None,
            agree_to_terms: false,
            domains: Vec::new(),
            contacts: Vec::new(),
            profile: None,
            external_account: None,
            external_account_key: None,
            http_listen: SocketAddr::from((Ipv6Addr::UNSPECIFIED, 80)),
            renew_before: RenewBefore::Share(33),
            retry_from: Duration::from_secs(5 * 60),
            retry_to: Duration::from_secs(6 * 3600),
            request_timeout: Duration::from_secs(30),
            order_timeout: Duration::from_secs(5 * 60),
        }
    }
}

impl AcmeConfig {
    /// What the certificate is for, as certificates have it.
    pub fn names(&self) -> BTreeSet<String> {
        self.domains.iter().map(|name| canonical(name)).collect()
    }

    /// The files that are named.
    pub(crate) fn paths(&mut self) -> [&mut Option<PathBuf>; 2] {
        [&mut self.authority, &mut self.external_account_key]
    }

    /// Whether the directory is asked without TLS.
    pub(super) fn asks_in_clear(&self) -> bool {
        let url: Result<Uri, _> = self.directory.parse();
        url.is_ok_and(|url| url.scheme_str() == Some("http"))
    }

    /// Files that are named and are not there, each with its key.
    pub(crate) fn missing(&self) -> Vec<ConfigError> {
        let named = [
            ("tls.acme.authority", &self.authority),
            ("tls.acme.external_account_key", &self.external_account_key),
        ];
        let gone = named.into_iter().filter_map(|(key, path)| {
            let path = path.as_ref().filter(|path| !path.is_file())?;
            let why = format!("{}: there is no such file", path.display());
            Some(ConfigError::new(key, why))
        });
        gone.collect()
    }

    /// Adds what is wrong, with the whole key.
    pub(crate) fn check(&self, errors: &mut Vec<ConfigError>) {
        let mut wrong = |key: &str, why: &str| {
            errors.push(ConfigError::new(format!("tls.acme.{key}"), why));
        };
        if let Err(why) = directory(&self.directory) {
            wrong("directory", why);
        }
        if !self.agree_to_terms {
            let why = "must be true: no authority gives a certificate to who does not agree to its terms of service";
            wrong("agree_to_terms", why);
        }
        self.check_domains(&mut wrong);
        for (at, contact) in self.contacts.iter().enumerate() {
            let has_scheme = contact.split_once(':').is_some_and(|(scheme, rest)| {
                scheme.bytes().all(|b| b.is_ascii_alphabetic()) && !rest.is_empty()
            });
            if !has_scheme {
                let why = "must be a URL: \"mailto:you@example.net\"";
                wrong(&format!("contacts[{at}]"), why);
            }
        }
        let together =
            "must be named together with the other of external_account and external_account_key";
        match (&self.external_account, &self.external_account_key) {
            (Some(_), None) => wrong("external_account_key", together),
            (None, Some(_)) => wrong("external_account", together),
            _ => {}
        }
        self.check_times(&mut wrong);
    }

    fn check_domains(&self, wrong: &mut impl FnMut(&str, &str)) {
        if self.domains.is_empty() {
            wrong("domains", "must name a domain");
        }
        let mut seen = BTreeSet::new();
        for (at, name) in self.domains.iter().enumerate() {
            let judged = domain(name).and_then(|()| match seen.insert(canonical(name)) {
                true => Ok(()),
                false => Err("stands here twice"),
            });
            judged.unwrap_or_else(|why| wrong(&format!("domains[{at}]"), why));
        }
    }

    fn check_times(&self, wrong: &mut impl FnMut(&str, &str)) {
        match self.renew_before {
            RenewBefore::Share(share) if !(1..=50).contains(&share) => {
                wrong("renew_before", "must be 1% to 50%");
            }
            RenewBefore::Time(time) if time < Duration::from_secs(60) => {
                wrong("renew_before", "must be 1m or more");
            }
            _ => {}
        }
        for (key, time) in [
            ("retry_from", self.retry_from),
            ("request_timeout", self.request_timeout),
            ("order_timeout", self.order_timeout),
        ] {
            if time < Duration::from_secs(1) {
                wrong(key, "must be 1s or more");
            }
        }
        if self.retry_to < self.retry_from {
            wrong("retry_to", "must not be less than retry_from");
        }
    }
}

/// A name as certificates have it: small letters, addresses in their one form.
fn canonical(name: &str) -> String {
    name.parse::<IpAddr>()
        .map_or_else(|_| name.to_ascii_lowercase(), |ip| ip.to_string())
}

/// Whether HTTP-01 can prove a name.
fn domain(name: &str) -> Result<(), &'static str> {
    if name.contains('*') {
        return Err("HTTP-01, which is all there is here, cannot prove wildcards: name each host");
    }
    if !name.is_ascii() {
        return Err("must be written as DNS has it (xn--…)");
    }
    let bad = name.ends_with('.') || ServerName::try_from(name).is_err();
    match bad {
        true => Err("must be a host name or an address"),
        false => Ok(()),
    }
}

/// Whether a directory can be asked: over TLS, or on this machine.
fn directory(url: &str) -> Result<(), &'static str> {
    let whole = "must be a whole URL: \"https://HOST/…\"";
    let url: Uri = url.parse().map_err(|_| whole)?;
    let host = url.host().filter(|host| !host.is_empty()).ok_or(whole)?;
    match url.scheme_str() {
        Some("https") => Ok(()),
        Some("http") if is_loopback(host) => Ok(()),
        Some("http") => Err("must be https: nobody else's word is proved on the way"),
        _ => Err(whole),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::MasterConfig;
    use crate::tls::TlsConfig;

    fn keys(text: &str) -> Vec<String> {
        let text = format!("[tls.acme]\n{text}");
        match drftpd_actors::parse::<MasterConfig>(&text, None) {
            Ok(_) => Vec::new(),
            Err(errors) => errors.into_iter().map(|error| error.key).collect(),
        }
    }

    #[test]
    fn what_is_wrong_is_named_by_its_key() {
        let good = "agree_to_terms = true\ndomains = [\"ftp.example.net\"]\n";
        let fine = [
            "contacts = [\"mailto:ops@example.net\"]",
            "directory = \"http://127.0.0.1:14000/dir\"",
            "directory = \"http://[::1]:14000/dir\"\nrenew_before = \"30d\"",
            "http_listen = \"192.0.2.1:80\"\nprofile = \"shortlived\"",
        ];
        for text in fine {
            assert_eq!(
                keys(&format!("{good}{text}")),
                Vec::<String>::new(),
                "{text}"
            );
        }
        for (text, key) in [
            ("directory = \"/directory\"", "directory"),
            ("directory = \"acme.example.net/directory\"", "directory"),
            (
                "directory = \"http://acme.example.net/directory\"",
                "directory",
            ),
            ("directory = \"ftp://acme.example.net/\"", "directory"),
            ("contacts = [\"ops@example.net\"]", "contacts[0]"),
            ("external_account = \"k\"", "external_account_key"),
            ("external_account_key = \"k\"", "external_account"),
            ("renew_before = \"0%\"", "renew_before"),
            ("renew_before = \"60%\"", "renew_before"),
            ("renew_before = \"soon\"", "renew_before"),
            ("renew_before = \"1s\"", "renew_before"),
            ("retry_from = \"7h\"", "retry_to"),
            ("order_timeout = \"0s\"", "order_timeout"),
            ("request_timeout = \"0s\"", "request_timeout"),
            ("http_listen = \"80\"", "http_listen"),
            ("challenge = \"dns-01\"", "challenge"),
        ] {
            let found = keys(&format!("{good}{text}"));
            assert_eq!(found, [format!("tls.acme.{key}")], "{text}");
        }
    }

    #[test]
    fn names_that_cannot_be_proved_are_refused() {
        assert_eq!(keys("agree_to_terms = true"), ["tls.acme.domains"]);
        assert_eq!(
            keys("domains = [\"a.example\"]"),
            ["tls.acme.agree_to_terms"]
        );
        for bad in [
            "*.example.net",
            "no name",
            "ftp.example.net.",
            "münchen.example",
            "",
        ] {
            let text = format!("agree_to_terms = true\ndomains = [\"a.example\", \"{bad}\"]");
            assert_eq!(keys(&text), ["tls.acme.domains[1]"], "{bad}");
        }
        let twice = "agree_to_terms = true\ndomains = [\"a.example\", \"A.Example\"]";
        assert_eq!(keys(twice), ["tls.acme.domains[1]"]);
    }

    #[test]
    fn files_of_ones_own_and_an_authority_exclude_each_other() {
        let text = "certificate = \"c\"\nkey = \"k\"\n[acme]\nagree_to_terms = true\ndomains = [\"a.example\"]";
        let errors = drftpd_actors::parse::<TlsConfig>(text, None).unwrap_err();
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0].key, "tls.acme");
    }

    #[test]
    fn names_are_compared_as_certificates_have_them() {
        let config = AcmeConfig {
            domains: vec!["FTP.Example.NET".to_owned(), "2001:DB8:0::1".to_owned()],
            ..AcmeConfig::default()
        };
        let names: Vec<_> = config.names().into_iter().collect();
        assert_eq!(names, ["2001:db8::1", "ftp.example.net"]);
    }
}
