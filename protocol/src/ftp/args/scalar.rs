//! Arguments of one or two words: numbers, switches, types, times.

use super::ArgError;
use crate::ftp::time::FtpTime;

/// `TYPE` (RFC 959): both are accepted, neither changes a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferType {
    /// `A`, `A N`.
    Ascii,
    /// `I`, `L 8`.
    Image,
}

/// `PROT` (RFC 4217): whether data connections are encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// `C`: in clear.
    Clear,
    /// `P`: under TLS.
    Private,
}

/// `AUTH`: how TLS is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// `TLS`, `TLS-C`: data connections stay in clear until `PROT P` (RFC 4217).
    Tls,
    /// `SSL`, `TLS-P`: as old clients understand it, data connections are private at once.
    TlsPrivate,
}

/// `ALLO n [R m]` (RFC 959).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allo {
    /// Bytes that the next upload will have.
    pub size: u64,
    /// The largest record, if said.
    pub record: Option<u64>,
}

/// `TYPE`: `A`, `A N`, `I`, `L 8`.
pub fn transfer_type(arg: &[u8]) -> Result<TransferType, ArgError> {
    let error = ArgError::NotOffered {
        what: "the type",
        offered: "A, I or L 8",
    };
    let mut words = nonempty(arg, "the type")?
        .split(|b| *b == b' ')
        .filter(|word| !word.is_empty());
    let (kind, form) = (words.next().unwrap_or_default(), words.next());
    let known = match (kind.to_ascii_uppercase().as_slice(), form) {
        (b"A", None | Some(b"N" | b"n")) => Some(TransferType::Ascii),
        (b"I", None) | (b"L", Some(b"8")) | (b"L8", None) => Some(TransferType::Image),
        _ => None,
    };
    known.filter(|_| words.next().is_none()).ok_or(error)
}

/// `MODE`: only stream.
pub fn transfer_mode(arg: &[u8]) -> Result<(), ArgError> {
    only(arg, b"S", "the mode", "S")
}

/// `STRU`: only files.
pub fn file_structure(arg: &[u8]) -> Result<(), ArgError> {
    only(arg, b"F", "the structure", "F")
}

/// `PROT`: `C` or `P`.
pub fn prot(arg: &[u8]) -> Result<Protection, ArgError> {
    match nonempty(arg, "the protection level")?
        .to_ascii_uppercase()
        .as_slice()
    {
        b"C" => Ok(Protection::Clear),
        b"P" => Ok(Protection::Private),
        b"S" | b"E" => Err(ArgError::ProtectionLevel),
        _ => Err(ArgError::NotOffered {
            what: "the protection level",
            offered: "C or P",
        }),
    }
}

/// `AUTH`: `TLS`, `TLS-C`, `SSL`, `TLS-P`.
pub fn auth(arg: &[u8]) -> Result<Auth, ArgError> {
    match nonempty(arg, "the mechanism")?
        .to_ascii_uppercase()
        .as_slice()
    {
        b"TLS" | b"TLS-C" => Ok(Auth::Tls),
        b"SSL" | b"TLS-P" => Ok(Auth::TlsPrivate),
        _ => Err(ArgError::NotOffered {
            what: "the mechanism",
            offered: "TLS",
        }),
    }
}

/// `ON` or `OFF`, in any case (`SSCN`, `CEPR`, `OPTS UTF8`).
pub fn switch(arg: &[u8]) -> Result<bool, ArgError> {
    match nonempty(arg, "ON or OFF")?.to_ascii_uppercase().as_slice() {
        b"ON" => Ok(true),
        b"OFF" => Ok(false),
        _ => Err(ArgError::Malformed {
            what: "the argument",
            want: "ON or OFF",
        }),
    }
}

/// A number of bytes or a place in a file, 0 to 2^63-1 (`REST`, `PBSZ`); `what` names it in errors.
pub fn offset(arg: &[u8], what: &'static str) -> Result<u64, ArgError> {
    decimal(nonempty(arg, what)?).ok_or(ArgError::Malformed {
        what,
        want: "a decimal number below 2^63",
    })
}

/// `ALLO`.
pub fn allo(arg: &[u8]) -> Result<Allo, ArgError> {
    let words: Vec<&[u8]> = nonempty(arg, "the size")?
        .split(|b| *b == b' ')
        .filter(|word| !word.is_empty())
        .collect();
    match words[..] {
        [size] => Ok(Allo {
            size: offset(size, "the size")?,
            record: None,
        }),
        [size, b"R" | b"r", record] => Ok(Allo {
            size: offset(size, "the size")?,
            record: Some(offset(record, "the record size")?),
        }),
        _ => Err(ArgError::Malformed {
            what: "the argument",
            want: "SIZE or SIZE R RECORD",
        }),
    }
}

/// A path that must be there: the bytes as they came, spaces and all. The name is checked elsewhere.
pub fn path(arg: &[u8]) -> Result<&[u8], ArgError> {
    if arg.is_empty() {
        Err(ArgError::Missing("the path"))
    } else {
        Ok(arg)
    }
}

/// `MFMT time path`.
pub fn mfmt(arg: &[u8]) -> Result<(FtpTime, &[u8]), ArgError> {
    let end = nonempty(arg, "the time")?;
    let start = arg.len() - arg.trim_ascii_start().len();
    let end = start + end.iter().position(|b| *b == b' ').unwrap_or(end.len());
    let time = FtpTime::parse(arg.get(start..end).unwrap_or_default())?;
    Ok((time, path(arg.get(end + 1..).unwrap_or_default())?))
}

/// The facts of `MFF` that can be changed, as they were named; `None` was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NewTimes {
    /// `Modify`.
    pub modify: Option<FtpTime>,
    /// `Create`.
    pub create: Option<FtpTime>,
}

impl NewTimes {
    /// The time of modification alone.
    pub fn modify(time: FtpTime) -> Self {
        Self {
            modify: Some(time),
            create: None,
        }
    }
}

/// `MFF fact=value;… path` (draft-somers-ftp-mfxx): times in any order, the last of several counts.
///
/// # Errors
/// Other facts are [`ArgError::NotOffered`], so that nothing is changed by half.
pub fn mff(arg: &[u8]) -> Result<(NewTimes, &[u8]), ArgError> {
    const FORM: ArgError = ArgError::Malformed {
        what: "the facts",
        want: "FACT=VALUE; and so on, and a blank before the path",
    };
    let arg = arg.trim_ascii_start();
    nonempty(arg, "the facts")?;
    let end = arg.windows(2).position(|pair| pair == b"; ").ok_or(FORM)?;
    let mut times = NewTimes::default();
    for fact in arg[..end].split(|b| *b == b';') {
        let equals = fact.iter().position(|b| *b == b'=').ok_or(FORM)?;
        let (name, value) = (&fact[..equals], &fact[equals + 1..]);
        let time = match name.to_ascii_lowercase().as_slice() {
            b"modify" => &mut times.modify,
            b"create" => &mut times.create,
            _ => {
                return Err(ArgError::NotOffered {
                    what: "facts that can be set",
                    offered: "Modify and Create",
                });
            }
        };
        *time = Some(FtpTime::parse(value)?);
    }
    Ok((times, path(&arg[end + 2..])?))
}

/// The time and path of `MDTM time path`, by which some clients *set* a time; `None` if it is not of that form.
///
/// A file may be named so: the form only counts where no file has the whole argument as its name.
pub fn timed_path(arg: &[u8]) -> Option<(FtpTime, &[u8])> {
    mfmt(arg).ok()
}

/// The argument without blanks around it, unless that is nothing.
pub(super) fn nonempty<'a>(arg: &'a [u8], what: &'static str) -> Result<&'a [u8], ArgError> {
    let arg = arg.trim_ascii();
    if arg.is_empty() {
        Err(ArgError::Missing(what))
    } else {
        Ok(arg)
    }
}

/// Digits only, below 2^63.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let value: i64 = std::str::from_utf8(text)
        .ok()
        .filter(|_| digits)?
        .parse()
        .ok()?;
    u64::try_from(value).ok()
}

fn only(
    arg: &[u8],
    value: &[u8],
    what: &'static str,
    offered: &'static str,
) -> Result<(), ArgError> {
    if nonempty(arg, what)?.eq_ignore_ascii_case(value) {
        return Ok(());
    }
    Err(ArgError::NotOffered { what, offered })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_that_change_nothing_are_taken() {
        for (arg, want) in [
            ("A", Some(TransferType::Ascii)),
            ("a n", Some(TransferType::Ascii)),
            ("I ", Some(TransferType::Image)),
            ("L 8", Some(TransferType::Image)),
            ("L 16", None),
            ("E", None),
            ("A T", None),
            ("A N x", None),
        ] {
            assert_eq!(transfer_type(arg.as_bytes()).ok(), want, "{arg}");
        }
        assert_eq!(transfer_type(b"").unwrap_err().reply().code(), 501);
        assert_eq!(transfer_type(b"E").unwrap_err().reply().code(), 504);
    }

    #[test]
    fn only_stream_and_file_exist() {
        assert!(transfer_mode(b"s").is_ok() && file_structure(b"F").is_ok());
        assert_eq!(transfer_mode(b"Z").unwrap_err().reply().code(), 504);
        assert_eq!(file_structure(b"P").unwrap_err().reply().code(), 504);
    }

    #[test]
    fn offsets_are_plain_decimals_that_a_file_can_have() {
        assert_eq!(offset(b"0", "x"), Ok(0));
        assert_eq!(
            offset(b" 9223372036854775807 ", "x"),
            Ok(i64::MAX.cast_unsigned())
        );
        for arg in [
            "9223372036854775808",
            "-1",
            "+1",
            "0x10",
            "1 2",
            "99999999999999999999999",
        ] {
            assert!(
                matches!(offset(arg.as_bytes(), "x"), Err(ArgError::Malformed { .. })),
                "{arg}"
            );
        }
        assert_eq!(
            offset(b" ", "the offset"),
            Err(ArgError::Missing("the offset"))
        );
    }

    #[test]
    fn allo_takes_a_record_size() {
        assert_eq!(
            allo(b"100"),
            Ok(Allo {
                size: 100,
                record: None
            })
        );
        assert_eq!(
            allo(b"100 R 80"),
            Ok(Allo {
                size: 100,
                record: Some(80)
            })
        );
        assert!(allo(b"100 80").is_err() && allo(b"100 R").is_err() && allo(b"").is_err());
    }

    #[test]
    fn mfmt_splits_after_the_time_and_keeps_the_path() {
        let (time, path) = mfmt(b"20200102030405  two  spaces ").unwrap();
        assert_eq!(
            (time.to_string().as_str(), path),
            ("20200102030405", &b" two  spaces "[..])
        );
        assert_eq!(mfmt(b"20200102030405"), Err(ArgError::Missing("the path")));
        assert!(mfmt(b"yesterday f").is_err() && mfmt(b"").is_err());
    }

    #[test]
    fn mff_reads_times_in_any_order_and_changes_nothing_by_half() {
        let (times, path) = mff(b"Create=20200102030405;MODIFY=20210102030405; a; b").unwrap();
        let text = |time: Option<FtpTime>| time.map(|time| time.to_string());
        assert_eq!(text(times.create).as_deref(), Some("20200102030405"));
        assert_eq!(text(times.modify).as_deref(), Some("20210102030405"));
        assert_eq!(path, b"a; b");
        let (times, _) = mff(b"modify=20210102030405; x").unwrap();
        assert!(times.create.is_none() && times.modify.is_some());
        let other = mff(b"Modify=20210102030405;UNIX.mode=0644; x").unwrap_err();
        assert_eq!(other.reply().code(), 504);
        for bad in [
            "",
            " ",
            "x",
            "Modify=2021; x",
            "Modify=20210102030405;",
            "Modify=20210102030405; ",
            "Modify; x",
            "; x",
        ] {
            assert_eq!(
                mff(bad.as_bytes()).unwrap_err().reply().code(),
                501,
                "{bad}"
            );
        }
    }

    #[test]
    fn a_name_that_is_no_time_is_no_timed_path() {
        assert!(timed_path(b"20200102030405 f").is_some());
        assert!(
            timed_path(b"holiday 2020.jpg").is_none() && timed_path(b"20200102030405").is_none()
        );
    }

    #[test]
    fn protection_levels_that_nobody_has_are_536() {
        assert_eq!(prot(b"p"), Ok(Protection::Private));
        assert_eq!(prot(b"E").unwrap_err().reply().code(), 536);
        assert_eq!(prot(b"X").unwrap_err().reply().code(), 504);
        assert_eq!(
            (auth(b"tls"), auth(b"SSL")),
            (Ok(Auth::Tls), Ok(Auth::TlsPrivate))
        );
        assert_eq!((switch(b"on"), switch(b"OFF ")), (Ok(true), Ok(false)));
    }
}
