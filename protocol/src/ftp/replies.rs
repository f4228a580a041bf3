//! The replies that many verbs share, with the texts that real clients look for.

use std::net::{IpAddr, SocketAddr, SocketAddrV4};

use super::args::HostPort;
use super::reply::{Reply, Text, quoted};

impl Reply {
    /// 150: the data connection is about to be opened (or is waited for). Goes out before any TLS handshake on it.
    pub fn opening_data() -> Self {
        Self::new(150, "Opening data connection")
    }

    /// 200: done.
    pub fn ok() -> Self {
        Self::new(200, "Command okay")
    }

    /// 202: understood, and nothing to do here (`ALLO`, `ACCT`).
    pub fn superfluous() -> Self {
        Self::new(202, "Not needed here")
    }

    /// 215: what kind of listing to expect (RFC 959, `SYST`).
    pub fn system() -> Self {
        Self::new(215, "UNIX Type: L8")
    }

    /// 220: the greeting.
    pub fn greeting(text: impl Into<Text>) -> Self {
        Self::new(220, text)
    }

    /// 221: the connection is being closed as wished.
    pub fn goodbye() -> Self {
        Self::new(221, "Goodbye")
    }

    /// 226: the transfer is complete, and what it promised holds.
    pub fn transfer_complete() -> Self {
        Self::new(226, "Transfer complete")
    }

    /// 226 to `ABOR`, after the 426 of a transfer if one was running.
    pub fn aborted() -> Self {
        Self::new(226, "Abort successful")
    }

    /// 227: where to connect to. Always one line: clients look for the six numbers in the first.
    pub fn passive(at: SocketAddrV4) -> Self {
        Self::new(227, format!("Entering Passive Mode ({})", HostPort(at)))
    }

    /// 229 (RFC 2428): the port to connect to, at the control connection's address.
    pub fn extended_passive(port: u16) -> Self {
        Self::new(229, format!("Entering Extended Passive Mode (|||{port}|)"))
    }

    /// 229 with protocol and address, for clients that asked for it with `CEPR ON`.
    pub fn extended_passive_at(at: SocketAddr) -> Self {
        let family = match at.ip() {
            IpAddr::V4(_) => 1,
            IpAddr::V6(_) => 2,
        };
        Self::new(
            229,
            format!(
                "Entering Extended Passive Mode (|{family}|{}|{}|)",
                at.ip(),
                at.port()
            ),
        )
    }

    /// 230: logged in.
    pub fn logged_in() -> Self {
        Self::new(230, "Logged in")
    }

    /// 234 (RFC 4217): TLS may begin.
    pub fn start_tls() -> Self {
        Self::new(234, "Ready for TLS")
    }

    /// 250: the file action is done.
    pub fn done(text: impl Into<Text>) -> Self {
        Self::new(250, text)
    }

    /// 257: a path, quoted, and what about it (`"/pub" is the current directory`).
    pub fn path(path: &[u8], what: &'static str) -> Self {
        Self::new(257, Text::concat(&[&quoted(path), b" ", what.as_bytes()]))
    }

    /// 331: the name was taken, known or not; the password is wanted.
    pub fn need_password() -> Self {
        Self::new(331, "Password required")
    }

    /// 350: more is wanted (`REST`, `RNFR`).
    pub fn pending(text: impl Into<Text>) -> Self {
        Self::new(350, text)
    }

    /// 421: this connection is over.
    pub fn closing(why: impl Into<Text>) -> Self {
        Self::new(421, why)
    }

    /// 425: no data connection came about.
    pub fn no_data_connection() -> Self {
        Self::new(425, "No data connection was opened")
    }

    /// 426: the transfer broke off.
    pub fn transfer_broken() -> Self {
        Self::new(426, "Connection closed, transfer aborted")
    }

    /// 500: this is no command.
    pub fn not_understood() -> Self {
        Self::new(500, "Command not understood")
    }

    /// 502: no such verb.
    pub fn not_implemented() -> Self {
        Self::new(502, "Command not implemented")
    }

    /// 503: something else must come first.
    pub fn bad_sequence(text: impl Into<Text>) -> Self {
        Self::new(503, text)
    }

    /// 504: the verb exists, but not with this argument.
    pub fn not_for_that() -> Self {
        Self::new(504, "Command not implemented for that parameter")
    }

    /// 530 before login.
    pub fn not_logged_in() -> Self {
        Self::new(530, "Please log in with USER and PASS")
    }

    /// 530 after a failed login, the same for every reason.
    pub fn login_incorrect() -> Self {
        Self::new(530, "Login incorrect")
    }

    /// 550: the same for what does not exist and what may not be seen.
    pub fn no_such_file() -> Self {
        Self::new(550, "No such file or directory")
    }

    /// 550: seen, and not allowed.
    pub fn permission_denied() -> Self {
        Self::new(550, "Permission denied")
    }

    /// 553: the name is taken. The words are those that clients of upload sites look for.
    pub fn file_exists() -> Self {
        Self::new(553, "File exists")
    }

    /// 553: no file may have this name.
    pub fn bad_name() -> Self {
        Self::new(553, "File name not allowed")
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[test]
    fn passive_replies_have_the_forms_that_clients_parse() {
        let v4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 9), 50_001);
        assert_eq!(
            &Reply::passive(v4).to_bytes()[..],
            b"227 Entering Passive Mode (10,0,0,9,195,81)\r\n"
        );
        assert!(
            Reply::extended_passive(50_001)
                .to_bytes()
                .ends_with(b"(|||50001|)\r\n")
        );
        let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, 50_001));
        assert!(
            Reply::extended_passive_at(v6)
                .to_bytes()
                .ends_with(b"(|2|::1|50001|)\r\n")
        );
    }

    #[test]
    fn a_path_is_quoted_with_doubled_quotes() {
        let reply = Reply::path(b"/a \"b\"", "is the current directory");
        assert_eq!(
            &reply.to_bytes()[..],
            b"257 \"/a \"\"b\"\"\" is the current directory\r\n"
        );
    }
}
