//! Where TLS must, may or must not be: pure judgements, each with its reply of RFC 4217.

use drftpd_protocol::ftp::Reply;
use drftpd_protocol::wire::Resumption;
use serde::Deserialize;

/// What is said about TLS in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// Not without.
    Required,
    /// As the client likes.
    #[default]
    Allowed,
    /// Not with.
    Refused,
}

impl Policy {
    /// The stricter of two; in doubt not without TLS.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Required, _) | (_, Self::Required) => Self::Required,
            (Self::Refused, _) | (_, Self::Refused) => Self::Refused,
            (Self::Allowed, Self::Allowed) => Self::Allowed,
        }
    }
}

/// What holds for one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// The control connection.
    pub login: Policy,
    /// Data connections of listings.
    pub listings: Policy,
    /// Data connections of files.
    pub data: Policy,
    /// Whether data connections have to resume the session of the control connection.
    pub resumption: Resumption,
}

/// What a data connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carries {
    /// A listing.
    Listing,
    /// A file.
    File,
}

/// One of several, drawn by lot. Of none, the strictest that there are.
pub fn drawn(possible: &[Rules], lot: u64) -> Rules {
    let of = possible.len() as u64;
    let at = lot.checked_rem(of).and_then(|at| usize::try_from(at).ok());
    let drawn = at.and_then(|at| possible.get(at)).copied();
    drawn.unwrap_or(Rules::STRICTEST)
}

/// Whether one of several lets something be; else what the last of them says.
///
/// # Errors
/// That.
pub fn any(possible: &[Rules], judge: impl Fn(&Rules) -> Result<(), Reply>) -> Result<(), Reply> {
    let mut judged = Ok(());
    for rules in possible {
        judged = judge(rules);
        if judged.is_ok() {
            break;
        }
    }
    judged
}

impl Rules {
    /// Nothing without TLS.
    pub const STRICTEST: Self = Self {
        login: Policy::Required,
        listings: Policy::Required,
        data: Policy::Required,
        resumption: Resumption::Required,
    };

    /// What holds for whoever it is that one of these holds for: in each place the stricter.
    pub fn strictest(possible: &[Rules]) -> Self {
        let stricter = possible.iter().copied().reduce(Self::and);
        stricter.unwrap_or(Self::STRICTEST)
    }

    fn and(self, other: Self) -> Self {
        let resumption = match (self.resumption, other.resumption) {
            (Resumption::Required, _) | (_, Resumption::Required) => Resumption::Required,
            (Resumption::Off, _) | (_, Resumption::Off) => Resumption::Off,
            (Resumption::Offered, Resumption::Offered) => Resumption::Offered,
        };
        Self {
            login: self.login.and(other.login),
            listings: self.listings.and(other.listings),
            data: self.data.and(other.data),
            resumption,
        }
    }

    /// Whether AUTH is answered with TLS at all.
    ///
    /// # Errors
    /// 534.
    pub fn may_secure(&self) -> Result<(), Reply> {
        match self.login {
            Policy::Refused => Err(Reply::new(534, "TLS is refused here")),
            Policy::Required | Policy::Allowed => Ok(()),
        }
    }

    /// Whether somebody may log in on a control connection.
    ///
    /// # Errors
    /// 530 with what to do about it.
    pub fn may_log_in(&self, secure: bool) -> Result<(), Reply> {
        match (self.login, secure) {
            (Policy::Required, false) => {
                Err(Reply::new(530, "TLS is required here: say AUTH TLS first"))
            }
            (Policy::Refused, true) => Err(Reply::new(530, "TLS is refused here")),
            _ => Ok(()),
        }
    }

    /// Whether a data connection may be protected, or in clear, as PROT said.
    ///
    /// # Errors
    /// 521.
    pub fn may_carry(&self, what: Carries, protected: bool) -> Result<(), Reply> {
        let (policy, name) = match what {
            Carries::Listing => (self.listings, "listings"),
            Carries::File => (self.data, "files"),
        };
        match (policy, protected) {
            (Policy::Required, false) => {
                let text = format!("TLS is required for {name}: say PROT P first");
                Err(Reply::new(521, text))
            }
            (Policy::Refused, true) => {
                let text = format!("TLS is refused for {name}: say PROT C first");
                Err(Reply::new(521, text))
            }
            _ => Ok(()),
        }
    }

    /// Whether any data connection could be so; PROT asks before it is known what will be moved.
    ///
    /// # Errors
    /// 534.
    pub fn may_protect(&self, protected: bool) -> Result<(), Reply> {
        let impossible = match protected {
            true => Policy::Refused,
            false => Policy::Required,
        };
        if self.listings == impossible && self.data == impossible {
            let text = match protected {
                true => "TLS is refused for data connections of your network",
                false => "TLS is required for data connections: PROT P",
            };
            return Err(Reply::new(534, text));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(login: Policy, listings: Policy, data: Policy) -> Rules {
        Rules {
            login,
            listings,
            data,
            resumption: Resumption::Offered,
        }
    }

    fn code(judged: Result<(), Reply>) -> Option<u16> {
        judged.err().map(|reply| reply.code())
    }

    #[test]
    fn a_login_is_judged_by_its_control_connection() {
        use Policy::{Allowed, Refused, Required};
        for (login, secure, want) in [
            (Required, false, Some(530)),
            (Required, true, None),
            (Allowed, false, None),
            (Allowed, true, None),
            (Refused, false, None),
            (Refused, true, Some(530)),
        ] {
            let judged = rules(login, Allowed, Allowed).may_log_in(secure);
            assert_eq!(code(judged), want, "{login:?} {secure}");
        }
        assert_eq!(
            code(rules(Refused, Allowed, Allowed).may_secure()),
            Some(534)
        );
    }

    #[test]
    fn of_several_the_stricter_holds_in_each_place() {
        use Policy::{Allowed, Refused, Required};
        let both = [
            rules(Allowed, Required, Refused),
            Rules {
                resumption: Resumption::Required,
                ..rules(Required, Allowed, Allowed)
            },
        ];
        let want = Rules {
            resumption: Resumption::Required,
            ..rules(Required, Required, Refused)
        };
        assert_eq!(Rules::strictest(&both), want);
        assert_eq!(Rules::strictest(&both[..1]), both[0]);
        assert_eq!(Rules::strictest(&[]), Rules::STRICTEST);
        let three = [both[0], both[1], want];
        let drawn: Vec<Rules> = (0..4).map(|lot| drawn(&three, lot)).collect();
        assert_eq!(drawn, [three[0], three[1], three[2], three[0]]);
        assert_eq!(super::drawn(&[], 7), Rules::STRICTEST);
        let secure = |possible: &[Rules]| code(any(possible, Rules::may_secure));
        let refused = rules(Refused, Allowed, Allowed);
        assert_eq!(secure(&[refused, both[0]]), None);
        assert_eq!(secure(&[refused, refused]), Some(534));
    }

    #[test]
    fn listings_and_files_are_judged_apart_and_prot_by_what_is_left() {
        use Policy::{Allowed, Refused, Required};
        let strict = rules(Allowed, Allowed, Required);
        assert_eq!(code(strict.may_carry(Carries::File, false)), Some(521));
        assert_eq!(code(strict.may_carry(Carries::Listing, false)), None);
        assert_eq!(code(strict.may_protect(false)), None);
        let all = rules(Allowed, Required, Required);
        assert_eq!(code(all.may_protect(false)), Some(534));
        assert_eq!(code(all.may_protect(true)), None);
        let none = rules(Allowed, Refused, Refused);
        assert_eq!(code(none.may_protect(true)), Some(534));
        assert_eq!(code(none.may_carry(Carries::File, true)), Some(521));
        assert_eq!(code(none.may_carry(Carries::File, false)), None);
    }
}
