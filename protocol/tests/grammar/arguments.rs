//! Arguments: hosts, times, patterns, and whatever else a client may say.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};

use bytes::Bytes;
use drftpd_protocol::ftp::args::{self, Glob, HashArgs, HostPort, ListArgs, Words};
use drftpd_protocol::ftp::{Facts, FtpTime};
use proptest::prelude::*;
use proptest::sample::select;

use super::{config, hostile_bytes};

/// The matcher that `Glob` must agree with: quadratic, but plain.
fn matches_slowly(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern, name) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=name.len()).any(|skip| matches_slowly(rest, &name[skip..])),
        ([b'?', rest @ ..], [_, name @ ..]) => matches_slowly(rest, name),
        ([byte, rest @ ..], [first, name @ ..]) => byte == first && matches_slowly(rest, name),
        _ => false,
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_argument_makes_a_reader_panic(arg in hostile_bytes(60), name in hostile_bytes(20)) {
        let refused = [
            args::port(&arg).err(), args::eprt(&arg).err(), args::epsv(&arg).err(),
            args::transfer_type(&arg).err(), args::transfer_mode(&arg).err(), args::file_structure(&arg).err(),
            args::prot(&arg).err(), args::auth(&arg).err(), args::switch(&arg).err(), args::offset(&arg, "it").err(),
            args::allo(&arg).err(), args::mfmt(&arg).err(), args::mff(&arg).err(), args::rang(&arg).err(), HashArgs::parse(&arg).err(),
            FtpTime::parse(&arg).err(), Words::new(&arg).find_map(Result::err),
        ];
        for error in refused.into_iter().flatten() {
            prop_assert!(matches!(error.reply().code(), 501 | 504 | 522 | 536));
        }
        let arg = Bytes::from(arg);
        for inner in [args::pret(&arg), args::site(&arg), args::opts(&arg)].into_iter().flatten() {
            prop_assert!(!inner.verb.is_empty());
        }
        let list = ListArgs::parse(&arg);
        prop_assert!(arg.ends_with(list.path));
        if let Some((directory, glob)) = list.pattern() {
            prop_assert!(list.path.starts_with(directory));
            prop_assert!(!glob.matches(&name) || glob.ignoring_case().matches(&name));
        }
        prop_assert!(Facts::DEFAULT.with(Facts::parse(&arg)).has(Facts::TYPE));
    }

    #[test]
    fn hosts_are_read_back(v4: u32, v6: u128, port in 1..=u16::MAX, mark in select(b"|!#$~".to_vec())) {
        let v4 = SocketAddrV4::new(Ipv4Addr::from(v4), port);
        prop_assert_eq!(args::port(HostPort(v4).to_string().as_bytes()), Ok(v4));
        for (family, at) in [(1, SocketAddr::V4(v4)), (2, SocketAddr::from((Ipv6Addr::from(v6), port)))] {
            let text = format!("|{family}|{}|{port}|", at.ip()).replace('|', &char::from(mark).to_string());
            prop_assert_eq!(args::eprt(text.as_bytes()), Ok(at));
        }
    }

    #[test]
    fn times_are_read_back_and_keep_their_order(
        a in -62_167_219_200i64..=253_402_300_799,
        b in -62_167_219_200i64..=253_402_300_799,
        millis in 0..1000u16,
    ) {
        let text = |seconds| FtpTime::from_unix(seconds).to_string();
        prop_assert_eq!(FtpTime::parse(text(a).as_bytes()), Ok(FtpTime::from_unix(a)));
        prop_assert_eq!(text(a).cmp(&text(b)), a.cmp(&b));
        let fine = FtpTime::parse(format!("{}.{millis:03}", text(a)).as_bytes()).unwrap();
        prop_assert_eq!(fine.millis(), millis);
        prop_assert_eq!(FtpTime::parse(fine.to_string().as_bytes()), Ok(fine));
    }

    #[test]
    fn patterns_agree_with_the_plain_definition(pattern in "[ab*?]{0,8}", name in "[ab]{0,10}") {
        let want = matches_slowly(pattern.as_bytes(), name.as_bytes());
        prop_assert_eq!(Glob::new(pattern.as_bytes()).matches(name.as_bytes()), want);
    }
}
