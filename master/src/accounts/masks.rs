//! From where somebody may log in: `ident@address`. The address is an IPv4 or IPv6 one, a network (CIDR), or one with `*`
//! and `?` as DrFTPD and glftpd write it. Names of hosts are none: nobody looks them up. Pure.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use drftpd_protocol::Network;

use crate::transfer::filters::glob;

/// The longest mask.
const MAX_LENGTH: usize = 128;

/// A mask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    ident: String,
    host: Host,
    /// As it was written, in lower case.
    said: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Network(Network),
    /// Over the address as text.
    Pattern(String),
}

/// Not a mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be ident@address: 192.0.2.1, 192.0.2.*, 192.0.2.0/24, 2001:db8::1, 2001:db8:* or 2001:db8::/32; no names of hosts"
)]
pub struct NoMask;

impl FromStr for Mask {
    type Err = NoMask;

    /// Without `ident@`, any ident is meant.
    fn from_str(text: &str) -> Result<Self, NoMask> {
        if text.len() > MAX_LENGTH {
            return Err(NoMask);
        }
        let (ident, host) = text.split_once('@').unwrap_or(("*", text));
        let of_ident = |c: char| c.is_ascii_graphic() && !"@:".contains(c);
        if ident.is_empty() || !ident.chars().all(of_ident) {
            return Err(NoMask);
        }
        let said = format!("{ident}@{}", host.to_ascii_lowercase());
        let inner = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        let host = inner.unwrap_or(host).to_ascii_lowercase();
        Ok(Self {
            ident: ident.to_owned(),
            host: Host::read(host)?,
            said,
        })
    }
}

impl Host {
    fn read(text: String) -> Result<Self, NoMask> {
        if let Ok(network) = text.parse::<Network>() {
            return Ok(Self::Network(network));
        }
        let wild = |c: char| c == '*' || c == '?';
        let of_v4 = |c: char| c.is_ascii_digit() || c == '.' || wild(c);
        let of_v6 = |c: char| c.is_ascii_hexdigit() || c == ':' || wild(c);
        let is_v4 = text.chars().all(of_v4) && text.matches('.').count() <= 3;
        let is_v6 = text.chars().all(of_v6) && text.contains([':', '*']);
        if text.is_empty() || !text.contains(wild) || !(is_v4 || is_v6) {
            return Err(NoMask);
        }
        Ok(Self::Pattern(text))
    }

    fn holds(&self, address: IpAddr) -> bool {
        match self {
            Self::Network(network) => network.contains(address),
            Self::Pattern(pattern) => {
                let text = address.to_canonical().to_string();
                glob::matches(pattern.as_bytes(), text.as_bytes())
            }
        }
    }
}

impl Mask {
    /// Whether somebody comes from there. Who tells no ident is only meant by `*`.
    pub fn holds(&self, ident: Option<&str>, address: IpAddr) -> bool {
        let ident = match ident {
            _ if self.ident == "*" => true,
            Some(ident) => glob::matches(self.ident.as_bytes(), ident.as_bytes()),
            None => false,
        };
        ident && self.host.holds(address)
    }

    /// Whether it wants an ident.
    pub fn names_ident(&self) -> bool {
        self.ident.chars().any(|c| c != '*' && c != '?')
    }

    /// How many parts of the address are said, from the left: octets of IPv4, groups of IPv6.
    pub fn parts(&self) -> u32 {
        match &self.host {
            Host::Network(network) => {
                let each = if network.address().is_ipv4() { 8 } else { 16 };
                u32::from(network.bits()) / each
            }
            Host::Pattern(pattern) => {
                let said = pattern.split(['.', ':']);
                let said = said.take_while(|part| !part.is_empty() && !part.contains(['*', '?']));
                u32::try_from(said.count()).unwrap_or(0)
            }
        }
    }
}

impl fmt::Display for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.said)
    }
}

/// Whether one of these masks holds; where there is none, `without` says. One that cannot be read holds nobody.
pub fn let_in(masks: &[String], ident: Option<&str>, address: IpAddr, without: bool) -> bool {
    if masks.is_empty() {
        return without;
    }
    let mut read = masks.iter().filter_map(|text| text.parse::<Mask>().ok());
    read.any(|mask| mask.holds(ident, address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(mask: &str, ident: Option<&str>, address: &str) -> bool {
        let mask: Mask = mask.parse().unwrap();
        mask.holds(ident, address.parse().unwrap())
    }

    #[test]
    fn masks_of_every_form_hold_whom_they_name() {
        for (mask, address, is) in [
            ("*@192.0.2.1", "192.0.2.1", true),
            ("*@192.0.2.1", "::ffff:192.0.2.1", true),
            ("*@192.0.2.1", "192.0.2.10", false),
            ("*@192.0.2.*", "192.0.2.10", true),
            ("*@192.0.2.*", "192.0.20.1", false),
            ("*@192.0.*", "192.0.20.1", true),
            ("*@192.0.2.1?", "192.0.2.12", true),
            ("192.0.2.0/24", "192.0.2.200", true),
            ("192.0.2.0/24", "192.0.3.1", false),
            ("*@2001:db8::/32", "2001:db8:1::5", true),
            ("*@2001:db8::/32", "2001:db9::1", false),
            ("*@[2001:db8::1]", "2001:db8::1", true),
            ("*@2001:DB8:*", "2001:db8::9", true),
            ("*@*", "192.0.2.1", true),
            ("*@*", "2001:db8::1", true),
        ] {
            assert_eq!(holds(mask, None, address), is, "{mask} {address}");
        }
    }

    #[test]
    fn an_ident_must_be_told_where_one_is_wanted() {
        assert!(holds("bob@10.*", Some("bob"), "10.0.0.1"));
        assert!(holds("b*@10.*", Some("bob"), "10.0.0.1"));
        assert!(!holds("bob@10.*", Some("eve"), "10.0.0.1"));
        assert!(!holds("bob@10.*", None, "10.0.0.1"));
        assert!(holds("*@10.*", Some("eve"), "10.0.0.1"));
    }

    #[test]
    fn what_could_never_hold_is_no_mask() {
        let long = format!("{}@*", "x".repeat(MAX_LENGTH));
        for bad in [
            "",
            "@",
            "bob@",
            "@10.0.0.1",
            "bob@host.example",
            "*@*.example.org",
            "a@b@10.*",
            "10.0.0.0/33",
            "*@10.0.0.1.2.*",
            "*@10.0.0.x",
            "b b@10.*",
            "*@1.2.3",
            &long,
        ] {
            assert_eq!(bad.parse::<Mask>(), Err(NoMask), "{bad}");
        }
    }

    #[test]
    fn parts_that_are_said_are_counted_from_the_left() {
        for (mask, parts) in [
            ("*@*", 0),
            ("*@10.*", 1),
            ("*@10.1.2.*", 3),
            ("*@10.1.2.3", 4),
            ("*@*.1.2.3", 0),
            ("*@10.0.0.0/15", 1),
            ("*@2001:db8::/32", 2),
            ("*@2001:db8:*", 2),
        ] {
            assert_eq!(mask.parse::<Mask>().unwrap().parts(), parts, "{mask}");
        }
        assert!("bob@*".parse::<Mask>().unwrap().names_ident());
        assert!(!"*@*".parse::<Mask>().unwrap().names_ident());
    }

    #[test]
    fn without_masks_the_rule_decides_and_a_damaged_one_lets_nobody_in() {
        let at = "10.0.0.1".parse().unwrap();
        assert!(let_in(&[], None, at, true) && !let_in(&[], None, at, false));
        let damaged = ["rubbish".to_owned()];
        assert!(!let_in(&damaged, None, at, true));
    }
}
