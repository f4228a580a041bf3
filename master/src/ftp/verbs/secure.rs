//! Protection of the connections (RFC 2228, RFC 4217): AUTH CCC PBSZ PROT SSCN.

use drftpd_protocol::ftp::{Reply, args};
use futures_util::future::LocalBoxFuture;

use super::{Arg, Change, Done, Feat, Gate, Keeps, Kind, Verb, VerbResult};
use crate::ftp::error::FtpError;
use crate::ftp::services::VerbCx;
use crate::ftp::state::Prot;

/// `AUTH` (RFC 4217, section 4): the handshake follows the reply. Everything that was said in clear is forgotten,
/// logins too.
pub(super) const AUTH: Verb = Verb {
    name: "AUTH",
    syntax: "AUTH <SP> (TLS | TLS-C | SSL)",
    feat: Feat::Secure(&["AUTH TLS"]),
    gate: Gate::Anyone,
    kind: Kind::Alone,
    run: |cx, arg| ready(auth(&cx, &arg)),
    ..Verb::PLAIN
};

fn auth(cx: &VerbCx, arg: &Arg) -> VerbResult {
    if cx.state.secure.is_some() {
        return Err(FtpError::Sequence("TLS is there already"));
    }
    let mechanism = arg.trim_ascii().to_ascii_uppercase();
    if mechanism.is_empty() {
        let text = "Missing argument: the mechanism, TLS";
        return Err(FtpError::Said(Reply::new(501, text)));
    }
    // What has no TLS knows no mechanism at all.
    cx.may_secure().map_err(FtpError::Said)?;
    match &mechanism[..] {
        b"TLS" | b"TLS-C" | b"SSL" => {
            let reply = Reply::new(234, "Begin the TLS handshake");
            Ok(Done::with(reply, Change::Secure))
        }
        _ => Err(FtpError::Said(Reply::new(504, "Only AUTH TLS is known"))),
    }
}

/// `CCC` (RFC 4217, section 6): TLS stays. A control connection in clear again would be anybody's to write on.
pub(super) const CCC: Verb = Verb {
    name: "CCC",
    syntax: "CCC",
    gate: Gate::Anyone,
    run: |_, _| {
        let text = "The control connection stays protected";
        ready(Ok(Reply::new(533, text).into()))
    },
    ..Verb::PLAIN
};

/// `PBSZ` (RFC 4217, section 8): TLS has no buffers of its own.
pub(super) const PBSZ: Verb = Verb {
    name: "PBSZ",
    syntax: "PBSZ <SP> 0",
    feat: Feat::Secure(&["PBSZ"]),
    gate: Gate::Anyone,
    keeps: Keeps::Rest,
    run: |cx, arg| ready(pbsz(&cx, &arg)),
    ..Verb::PLAIN
};

fn pbsz(cx: &VerbCx, arg: &Arg) -> VerbResult {
    after_auth(cx)?;
    let size = std::str::from_utf8(arg.trim_ascii()).ok();
    match size.and_then(|size| size.parse::<u32>().ok()) {
        Some(_) => Ok(Reply::new(200, "PBSZ=0").into()),
        None => Err(FtpError::Said(Reply::new(501, "PBSZ takes a number, 0"))),
    }
}

/// `PROT` (RFC 4217, section 9): data connections in clear (C), or by TLS (P). PBSZ may be left out.
pub(super) const PROT: Verb = Verb {
    name: "PROT",
    syntax: "PROT <SP> (C | P)",
    feat: Feat::Secure(&["PROT"]),
    gate: Gate::Anyone,
    keeps: Keeps::Rest,
    run: |cx, arg| ready(prot(&cx, &arg)),
    ..Verb::PLAIN
};

fn prot(cx: &VerbCx, arg: &Arg) -> VerbResult {
    after_auth(cx)?;
    let said = |code, text: &str| FtpError::Said(Reply::new(code, text.to_owned()));
    let prot = match &arg.trim_ascii().to_ascii_uppercase()[..] {
        b"C" => Prot::Clear,
        b"P" => Prot::Private,
        b"S" | b"E" => return Err(said(536, "TLS has no such level, use PROT P")),
        b"" => return Err(said(501, "Missing argument: C or P")),
        _ => return Err(said(504, "No such level, use PROT P or PROT C")),
    };
    let protected = prot == Prot::Private;
    cx.may_protect(protected).map_err(FtpError::Said)?;
    let text = match prot {
        Prot::Clear => "Data connections are in clear",
        Prot::Private => "Data connections are protected",
    };
    Ok(Done::with(Reply::new(200, text), Change::Prot(prot)))
}

/// `SSCN` (secure server-to-server transfers): who begins the handshake of a protected data connection, in whichever
/// direction it is opened.
pub(super) const SSCN: Verb = Verb {
    name: "SSCN",
    syntax: "SSCN [<SP> (ON | OFF)]",
    feat: Feat::Secure(&["SSCN"]),
    keeps: Keeps::Rest,
    run: |cx, arg| ready(sscn(&cx, &arg)),
    ..Verb::PLAIN
};

fn sscn(cx: &VerbCx, arg: &Arg) -> VerbResult {
    let on = if arg.is_blank() {
        cx.state.sscn
    } else {
        args::switch(arg)?
    };
    if on {
        after_auth(cx)?;
    }
    let text = if on {
        "SSCN:CLIENT METHOD"
    } else {
        "SSCN:SERVER METHOD"
    };
    Ok(Done::with(Reply::new(200, text), Change::Sscn(on)))
}

fn after_auth(cx: &VerbCx) -> Result<(), FtpError> {
    match cx.state.secure {
        Some(_) => Ok(()),
        None => Err(FtpError::Sequence("Say AUTH TLS first")),
    }
}

fn ready(done: VerbResult) -> LocalBoxFuture<'static, VerbResult> {
    Box::pin(std::future::ready(done))
}
