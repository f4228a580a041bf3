//! Where a data connection goes: `PORT` (RFC 959), `EPRT` and `EPSV` (RFC 2428).
//!
//! Only the form is read. Whether an address is allowed is policy.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};

use super::ArgError;
use super::scalar::nonempty;

/// An address as `PORT` and 227 write it: `h1,h2,h3,h4,p1,p2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostPort(pub SocketAddrV4);

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.0.ip().octets();
        let [high, low] = self.0.port().to_be_bytes();
        write!(f, "{a},{b},{c},{d},{high},{low}")
    }
}

/// What an `EPSV` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Epsv {
    /// A port in the protocol of the control connection.
    Same,
    /// `1`: over IPv4.
    V4,
    /// `2`: over IPv6.
    V6,
    /// `ALL`: no port now, and from here on no other verb may set up a data connection.
    All,
}

/// `PORT h1,h2,h3,h4,p1,p2`.
pub fn port(arg: &[u8]) -> Result<SocketAddrV4, ArgError> {
    const ERROR: ArgError = ArgError::Malformed {
        what: "the address",
        want: "h1,h2,h3,h4,p1,p2 with numbers from 0 to 255",
    };
    let mut numbers = [0; 6];
    let mut fields = nonempty(arg, "the address")?.split(|b| *b == b',');
    for number in &mut numbers {
        *number = fields.next().and_then(octet).ok_or(ERROR)?;
    }
    if fields.next().is_some() {
        return Err(ERROR);
    }
    let [a, b, c, d, high, low] = numbers;
    Ok(SocketAddrV4::new(
        Ipv4Addr::new(a, b, c, d),
        nonzero(u16::from_be_bytes([high, low]))?,
    ))
}

/// `EPRT |family|address|port|`, with any printable delimiter.
pub fn eprt(arg: &[u8]) -> Result<SocketAddr, ArgError> {
    const ERROR: ArgError = ArgError::Malformed {
        what: "the address",
        want: "|1 or 2|address|port|",
    };
    let arg = nonempty(arg, "the address")?;
    let delimiter = arg
        .first()
        .copied()
        .filter(u8::is_ascii_graphic)
        .ok_or(ERROR)?;
    let fields: Vec<&[u8]> = arg.splitn(6, |b| *b == delimiter).collect();
    let [b"", family, address, port, b""] = fields[..] else {
        return Err(ERROR);
    };
    let address = std::str::from_utf8(address).map_err(|_| ERROR)?;
    let ip = match family {
        b"1" => IpAddr::V4(address.parse::<Ipv4Addr>().map_err(|_| ERROR)?),
        b"2" => IpAddr::V6(address.parse::<Ipv6Addr>().map_err(|_| ERROR)?),
        _ if is_number(family) => return Err(ArgError::NetworkProtocol),
        _ => return Err(ERROR),
    };
    let number = std::str::from_utf8(port)
        .ok()
        .filter(|_| is_number(port))
        .and_then(|port| port.parse().ok());
    Ok(SocketAddr::new(ip, nonzero(number.unwrap_or(0))?))
}

/// `EPSV`, `EPSV 1`, `EPSV 2`, `EPSV ALL`.
pub fn epsv(arg: &[u8]) -> Result<Epsv, ArgError> {
    match arg.trim_ascii() {
        b"" => Ok(Epsv::Same),
        b"1" => Ok(Epsv::V4),
        b"2" => Ok(Epsv::V6),
        all if all.eq_ignore_ascii_case(b"ALL") => Ok(Epsv::All),
        other if is_number(other) => Err(ArgError::NetworkProtocol),
        _ => Err(ArgError::Malformed {
            what: "the argument",
            want: "1, 2 or ALL",
        }),
    }
}

fn octet(text: &[u8]) -> Option<u8> {
    let short = text.len() <= 3 && is_number(text);
    std::str::from_utf8(text)
        .ok()
        .filter(|_| short)?
        .parse()
        .ok()
}

fn is_number(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

fn nonzero(port: u16) -> Result<u16, ArgError> {
    if port == 0 {
        return Err(ArgError::Malformed {
            what: "the port",
            want: "a number from 1 to 65535",
        });
    }
    Ok(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_reads_six_numbers() {
        assert_eq!(
            port(b"10,0,0,1,195,81").unwrap().to_string(),
            "10.0.0.1:50001"
        );
        assert_eq!(
            port(b"127,000,000,001,4,1 ").unwrap().to_string(),
            "127.0.0.1:1025"
        );
        for arg in [
            ",4,1",
            "1,2,3,4,5",
            "1,2,3,4,5,6,7",
            "256,0,0,1,1,1",
            "1,2,3,4,0,0",
            "1, 2,3,4,5,6",
            "+1,2,3,4,5,6",
            "",
            "0001,2,3,4,5,6",
        ] {
            assert_eq!(
                port(arg.as_bytes()).unwrap_err().reply().code(),
                501,
                "{arg}"
            );
        }
    }

    #[test]
    fn eprt_reads_both_families_with_any_delimiter() {
        assert_eq!(
            eprt(b"|1|132.235.1.2|6275|").unwrap().to_string(),
            "132.235.1.2:6275"
        );
        assert_eq!(eprt(b"!2!::1!6275!").unwrap().to_string(), "[::1]:6275");
        for arg in [
            "|1|::1|6275|",
            "|2|10.0.0.1|6275|",
            "|2|fe80::1%1|6275|",
            "|1|10.0.0.1|6275",
            "|1|10.0.0.1|0|",
            "|1|10.0.0.1|65536|",
            "|1|10.0.0.1|+1|",
            "|1|10.0.0.1|1|x",
            ".1.10.0.0.1.5.",
            "1",
            "",
        ] {
            assert_eq!(
                eprt(arg.as_bytes()).unwrap_err().reply().code(),
                501,
                "{arg}"
            );
        }
        assert_eq!(eprt(b"|3|x|1|").unwrap_err().reply().code(), 522);
    }

    #[test]
    fn epsv_reads_family_and_all() {
        assert_eq!(
            (epsv(b""), epsv(b"1"), epsv(b"2")),
            (Ok(Epsv::Same), Ok(Epsv::V4), Ok(Epsv::V6))
        );
        assert_eq!(epsv(b"all "), Ok(Epsv::All));
        assert_eq!(epsv(b"3").unwrap_err().reply().code(), 522);
        assert_eq!(epsv(b"x").unwrap_err().reply().code(), 501);
    }
}
