//! SITE commands that are about the session itself or about files as verbs are: XDUPE UTIME. All others are in the
//! operator's table.

use drftpd_protocol::ftp::args::{self, NewTimes, Words};
use drftpd_protocol::ftp::{ArgError, FtpTime, Reply, XDupe};

use super::{Arg, Change, Done, Run, VerbResult, files};
use crate::ftp::error::FtpError;
use crate::ftp::services::VerbCx;

/// One such command.
pub(super) struct OwnCommand {
    /// Its name, upper-case.
    pub name: &'static str,
    /// Its arguments.
    pub syntax: &'static str,
    /// What it does.
    pub help: &'static str,
    /// Carries it out.
    pub run: Run,
}

/// All of them, by name.
pub(super) static OWN: &[&OwnCommand] = &[&UTIME, &XDUPE];

/// The command of that name (upper-case).
pub(super) fn find(name: &str) -> Option<&'static OwnCommand> {
    OWN.iter().find(|own| own.name == name).copied()
}

/// `SITE XDUPE`: whether a refused upload tells which other names are there.
const XDUPE: OwnCommand = OwnCommand {
    name: "XDUPE",
    syntax: "[0-4]",
    help: "Names that are told with a dupe: none, packed, cut, whole, one line",
    run: |cx, arg| Box::pin(std::future::ready(xdupe(&cx, &arg))),
};

fn xdupe(cx: &VerbCx, arg: &Arg) -> VerbResult {
    if arg.is_blank() {
        let mode = cx.state.xdupe.number();
        return Ok(Reply::new(200, format!("Extended dupe mode is {mode}")).into());
    }
    let number = args::offset(arg.trim_ascii(), "the mode")?;
    let mode = XDupe::of(number).ok_or(FtpError::Arg(ArgError::Malformed {
        what: "the mode",
        want: "0 to 4",
    }))?;
    let reply = match mode {
        XDupe::Off => Reply::new(200, "Extended dupe mode is off"),
        mode => Reply::new(
            200,
            format!("Activated extended dupe mode {}", mode.number()),
        ),
    };
    Ok(Done::with(reply, Change::XDupe(mode)))
}

/// `SITE UTIME`: sets the time of modification, in either of the two forms that clients know.
const UTIME: OwnCommand = OwnCommand {
    name: "UTIME",
    syntax: "time path, or: path access-time time creation-time UTC",
    help: "Sets a file's time of modification",
    run: |cx, arg| Box::pin(utime(cx, arg)),
};

async fn utime(cx: VerbCx, arg: Arg) -> VerbResult {
    let (time, path) = utime_args(&arg)?;
    files::set_times(&cx, NewTimes::modify(time), &path).await?;
    Ok(Reply::new(200, format!("Modified {time}")).into())
}

/// `time path` (time as in MDTM, seconds optional), or `path atime mtime ctime UTC`.
fn utime_args(arg: &[u8]) -> Result<(FtpTime, Vec<u8>), ArgError> {
    const ERROR: ArgError = ArgError::Malformed {
        what: "the argument",
        want: "TIME PATH or PATH ATIME MTIME CTIME UTC",
    };
    let arg = arg.trim_ascii();
    if arg.is_empty() {
        return Err(ArgError::Missing("the time"));
    }
    if let Some(long) = long_form(arg) {
        return Ok(long);
    }
    let mut words = Words::new(arg);
    let time = words.need("the time")?;
    let time = minutes_or_seconds(&time).ok_or(ERROR)?;
    let rest = words.rest();
    let path = match rest.first() {
        Some(b'"') => words.need("the path")?.into_owned(),
        _ => rest.to_vec(),
    };
    match path.is_empty() {
        true => Err(ArgError::Missing("the path")),
        false => Ok((time, path)),
    }
}

fn long_form(arg: &[u8]) -> Option<(FtpTime, Vec<u8>)> {
    let rest = arg.strip_suffix(b" UTC").or(arg.strip_suffix(b" utc"))?;
    let mut parts = rest.rsplitn(4, |byte| *byte == b' ');
    let (_created, modified, _accessed, path) = (
        minutes_or_seconds(parts.next()?)?,
        minutes_or_seconds(parts.next()?)?,
        minutes_or_seconds(parts.next()?)?,
        parts.next()?.trim_ascii(),
    );
    let path = match path {
        [b'"', inner @ .., b'"'] => inner,
        path => path,
    };
    (!path.is_empty()).then(|| (modified, path.to_vec()))
}

/// `YYYYMMDDhhmm[ss]`.
fn minutes_or_seconds(text: &[u8]) -> Option<FtpTime> {
    let whole = match text.len() {
        12 => [text, b"00"].concat(),
        _ => text.to_vec(),
    };
    FtpTime::parse(&whole).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_utime_are_understood() {
        let read = |arg: &str| {
            let (time, path) = utime_args(arg.as_bytes()).unwrap();
            (time.to_string(), String::from_utf8(path).unwrap())
        };
        let want = ("20240131010203".to_owned(), "a b".to_owned());
        assert_eq!(read("20240131010203 a b"), want);
        assert_eq!(read("20240131010203 \"a b\""), want);
        let long = "a b 20200101000000 20240131010203 20200101000000 UTC";
        assert_eq!(read(long), want);
        assert_eq!(read("202401310102 x").0, "20240131010200");
        for bad in ["", "x", "20240131010203", "2024 x", "20241331010203 x"] {
            assert!(utime_args(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
