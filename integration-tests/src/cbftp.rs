//! A client that behaves on the wire as cbftp does, without TLS: no FEAT, no TYPE, names behind CWD, `STAT -l` as its
//! listing, PRET before PASV, replies read in chunks of which the last line that looks like an end wins.
//!
//! What such a client cannot digest is an error here, so a test that passes shows that cbftp would have been content.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};

use anyhow::{Context, Result, bail, ensure};

use crate::process::PATIENCE;

/// Lines of a listing that are shorter, line end included, are dropped.
const SHORTEST: usize = 40;

/// One login.
pub struct Cbftp {
    stream: TcpStream,
    pending: Vec<u8>,
    /// Names that X-DUPE lines told since they were last looked at.
    pub dupes: Vec<String>,
}

/// A reply as it is understood: the code of its last line, and all its text.
#[derive(Debug)]
pub struct Reply {
    /// 0 where it was none.
    pub code: u16,
    /// All of it.
    pub text: String,
}

/// One entry of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Whether it is a directory.
    pub dir: bool,
    /// Its owner.
    pub owner: String,
    /// Bytes.
    pub size: u64,
    /// Its name.
    pub name: String,
}

/// What became of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// Both ends said 226.
    Done,
    /// It is there already.
    Dupe,
}

/// Which side of an FXP listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passive {
    /// The source, as cbftp has it by default.
    Source,
    /// The target ("broken PASV" of the source).
    Target,
}

impl Reply {
    fn is_start(&self) -> bool {
        matches!(self.code, 150 | 125)
    }

    /// Whether it says that the file is there already.
    fn is_dupe(&self) -> bool {
        let words = ["X-DUPE: ", "uploaded by", "ile exists"];
        matches!(self.code, 550 | 553) && words.iter().any(|word| self.text.contains(word))
    }
}

impl Cbftp {
    /// Logs in and switches X-DUPE on.
    pub fn login(server: SocketAddr, user: &str, password: &str) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&server, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let mut client = Self {
            stream,
            pending: Vec::new(),
            dupes: Vec::new(),
        };
        let welcome = client.reply()?;
        ensure!(welcome.code == 220, "{welcome:?}");
        client.want(&format!("USER {user}"), &[331, 230])?;
        client.want(&format!("PASS {password}"), &[230])?;
        client.ask("SITE XDUPE 3")?;
        Ok(client)
    }

    /// Sends a line.
    pub fn send(&mut self, line: &str) -> Result<()> {
        Ok(self.stream.write_all(format!("{line}\r\n").as_bytes())?)
    }

    /// Reads until what came ends a line and has a line of three digits and a blank; the last of those counts.
    pub fn reply(&mut self) -> Result<Reply> {
        loop {
            if let Some(code) = code_of(&self.pending) {
                let text = String::from_utf8_lossy(&self.pending).into_owned();
                self.pending.clear();
                let told = text.lines().filter_map(|line| line.split_once("X-DUPE: "));
                self.dupes.extend(told.map(|(_, name)| name.to_owned()));
                return Ok(Reply { code, text });
            }
            let mut chunk = [0; 16 * 1024];
            let n = self.stream.read(&mut chunk)?;
            ensure!(n > 0, "closed after {:?}", self.pending);
            self.pending.extend_from_slice(&chunk[..n]);
        }
    }

    /// Sends a line and reads a reply.
    pub fn ask(&mut self, line: &str) -> Result<Reply> {
        self.send(line)?;
        self.reply().with_context(|| format!("to {line:?}"))
    }

    /// Sends a line whose reply must have one of these codes.
    pub fn want(&mut self, line: &str, codes: &[u16]) -> Result<Reply> {
        let reply = self.ask(line)?;
        ensure!(codes.contains(&reply.code), "{line:?}: {reply:?}");
        Ok(reply)
    }

    /// Goes to a directory, and makes it where it is not there.
    pub fn enter(&mut self, path: &str) -> Result<()> {
        if matches!(self.ask(&format!("CWD {path}"))?.code, 250 | 200) {
            return Ok(());
        }
        let made = self.ask(&format!("MKD {path}"))?;
        let there = made.text.contains("File exist") || made.text.contains("already exists");
        ensure!(made.code == 257 || (made.code == 550 && there), "{made:?}");
        self.want(&format!("CWD {path}"), &[250, 200]).map(drop)
    }

    /// The current directory by `STAT -l`.
    pub fn stat(&mut self) -> Result<Vec<Listed>> {
        let reply = self.want("STAT -l", &[211, 212, 213])?;
        let prefix = format!("{}-", reply.code);
        let lines = reply.text.split_inclusive('\n');
        let bare = lines.map(|line| line.strip_prefix(&prefix).unwrap_or(line));
        Ok(bare.filter_map(listed).collect())
    }

    /// The current directory by `LIST` over a data connection.
    pub fn list(&mut self) -> Result<Vec<Listed>> {
        self.want("PRET LIST", &[200])?;
        let mut data = self.connect()?;
        ensure!(self.ask("LIST")?.is_start());
        let mut text = String::new();
        data.read_to_string(&mut text)?;
        ensure!(!text.is_empty(), "an empty LIST crashes cbftp");
        drop(data);
        let end = self.reply()?;
        ensure!(end.code == 226, "{end:?}");
        Ok(text.split_inclusive('\n').filter_map(listed).collect())
    }

    /// PASV: the address is taken as it is.
    pub fn pasv(&mut self) -> Result<SocketAddr> {
        let reply = self.want("PASV", &[227])?;
        let inside = reply.text.split(['(', ')']).nth(1);
        let inside = inside.context("no parentheses")?;
        let n: Vec<u8> = inside
            .split(',')
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        ensure!(n.len() == 6, "{reply:?}");
        let ip = IpAddr::V4(Ipv4Addr::new(n[0], n[1], n[2], n[3]));
        Ok((ip, u16::from_be_bytes([n[4], n[5]])).into())
    }

    fn connect(&mut self) -> Result<TcpStream> {
        let at = self.pasv()?;
        let data = TcpStream::connect_timeout(&at, PATIENCE)?;
        data.set_read_timeout(Some(PATIENCE))?;
        data.set_write_timeout(Some(PATIENCE))?;
        Ok(data)
    }

    fn port(&mut self, at: SocketAddr) -> Result<()> {
        let SocketAddr::V4(at) = at else {
            bail!("PORT is for IPv4")
        };
        let [a, b, c, d] = at.ip().octets();
        let [high, low] = at.port().to_be_bytes();
        let line = format!("PORT {a},{b},{c},{d},{high},{low}");
        self.want(&line, &[200]).map(drop)
    }

    /// PRET; tells whether the file is there already.
    fn pret(&mut self, line: &str) -> Result<Became> {
        let reply = self.ask(&format!("PRET {line}"))?;
        match reply.code {
            200 => Ok(Became::Done),
            553 if reply.is_dupe() => Ok(Became::Dupe),
            _ => bail!("PRET {line}: {reply:?}"),
        }
    }

    /// Uploads: connects before it says STOR, and ends by closing.
    pub fn upload(&mut self, name: &str, bytes: &[u8]) -> Result<Became> {
        let mut data = match self.begin_upload(name)? {
            Some(data) => data,
            None => return Ok(Became::Dupe),
        };
        data.write_all(bytes)?;
        drop(data);
        let end = self.reply()?;
        ensure!(end.code == 226, "{name}: {end:?}");
        Ok(Became::Done)
    }

    /// The data connection of an upload that has begun; nothing where it is a dupe.
    pub fn begin_upload(&mut self, name: &str) -> Result<Option<TcpStream>> {
        if self.pret(&format!("STOR {name}"))? == Became::Dupe {
            return Ok(None);
        }
        let data = self.connect()?;
        let start = self.ask(&format!("STOR {name}"))?;
        if start.is_dupe() {
            self.tidy()?;
            return Ok(None);
        }
        ensure!(start.is_start(), "{name}: {start:?}");
        Ok(Some(data))
    }

    /// Downloads: connects before it says RETR.
    pub fn download(&mut self, name: &str) -> Result<Vec<u8>> {
        self.pret(&format!("RETR {name}"))?;
        let mut data = self.connect()?;
        let start = self.ask(&format!("RETR {name}"))?;
        ensure!(start.is_start(), "{name}: {start:?}");
        let mut bytes = Vec::new();
        data.read_to_end(&mut bytes)?;
        drop(data);
        let end = self.reply()?;
        ensure!(end.code == 226, "{name}: {end:?}");
        Ok(bytes)
    }

    /// After a refused verb on a passive side: a bare PASV, whatever the answer.
    fn tidy(&mut self) -> Result<()> {
        self.ask("PASV").map(drop)
    }

    /// Aborts as cbftp does: the control connection is closed.
    pub fn hang_up(self) -> Result<()> {
        Ok(self.stream.shutdown(std::net::Shutdown::Both)?)
    }
}

/// Moves a file of both current directories from one site to the other.
pub fn fxp(from: &mut Cbftp, to: &mut Cbftp, name: &str, passive: Passive) -> Result<Became> {
    let (retr, stor) = (format!("RETR {name}"), format!("STOR {name}"));
    let mut ended_early = false;
    match passive {
        Passive::Source => {
            from.pret(&retr)?;
            let at = from.pasv()?;
            to.port(at)?;
            let start = to.ask(&stor)?;
            if start.is_dupe() {
                from.tidy()?;
                return Ok(Became::Dupe);
            }
            ensure!(start.is_start(), "{stor}: {start:?}");
            let start = from.ask(&retr)?;
            if start.code == 226 {
                // Read together with its end, which is good enough on the passive side.
                ended_early = true;
            } else {
                ensure!(start.is_start(), "{retr}: {start:?}");
            }
        }
        Passive::Target => {
            if to.pret(&stor)? == Became::Dupe {
                return Ok(Became::Dupe);
            }
            let at = to.pasv()?;
            from.port(at)?;
            // The active side first; only after its start the other one.
            let start = from.ask(&retr)?;
            ensure!(start.is_start(), "{retr}: {start:?}");
            let start = to.ask(&stor)?;
            if start.code == 226 {
                let end = from.reply()?;
                ensure!(end.code == 226, "{name}, source: {end:?}");
                return Ok(Became::Done);
            }
            ensure!(start.is_start(), "{stor}: {start:?}");
        }
    }
    if !ended_early {
        let end = from.reply()?;
        ensure!(end.code == 226, "{name}, source: {end:?}");
    }
    let end = to.reply()?;
    ensure!(end.code == 226, "{name}, target: {end:?}");
    Ok(Became::Done)
}

/// The code of a reply that is complete.
fn code_of(bytes: &[u8]) -> Option<u16> {
    let digits = |line: &[u8]| line.len() > 2 && line[..3].iter().all(u8::is_ascii_digit);
    if bytes.len() > 2 && !digits(bytes) {
        return Some(0);
    }
    if !bytes.ends_with(b"\n") {
        return None;
    }
    let mut ends = bytes.split(|byte| *byte == b'\n').filter(|line| {
        let blank = line.get(3) == Some(&b' ');
        digits(line) && blank
    });
    std::str::from_utf8(&ends.next_back()?[..3])
        .ok()?
        .parse()
        .ok()
}

/// A line of a listing, if cbftp takes it.
fn listed(line: &str) -> Option<Listed> {
    if line.len() < SHORTEST {
        return None;
    }
    let line = line.trim_end_matches(['\r', '\n']);
    let mut rest = line;
    let mut word = || {
        rest = rest.trim_start();
        let (word, behind) = rest.split_once(' ')?;
        rest = behind;
        Some(word)
    };
    let mode = word()?;
    let _links = word()?;
    let owner = word()?.to_owned();
    let _group = word()?;
    let size = word()?.parse().ok()?;
    let (_month, _day, _time) = (word()?, word()?, word()?);
    let name = rest.trim_start().to_owned();
    let kind = mode.bytes().next()?;
    (kind == b'd' || kind == b'-').then_some(Listed {
        dir: kind == b'd',
        owner,
        size,
        name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_that_looks_like_an_end_counts() {
        assert_eq!(code_of(b"150 go\r\n"), Some(150));
        assert_eq!(code_of(b"150 go\r\n226 done\r\n"), Some(226));
        assert_eq!(code_of(b"213-x\r\n drwx\r\n"), None);
        assert_eq!(code_of(b"213-x\r\n drwx\r\n213 end\r\n"), Some(213));
        assert_eq!(code_of(b"22"), None);
        assert_eq!(code_of(b"junk"), Some(0));
    }

    #[test]
    fn short_lines_are_dropped_and_blanks_in_names_kept() {
        let line = "-rw-r--r--   1 admin    drftpd          1234 Nov 24 18:00 a  b.rar\r\n";
        let got = listed(line).unwrap();
        assert_eq!(got.name, "a  b.rar");
        assert_eq!(
            (got.size, got.dir, got.owner.as_str()),
            (1234, false, "admin")
        );
        assert_eq!(listed("-rw-r--r-- 1 a b 1 Nov 24 18:00 x\r\n"), None);
        assert_eq!(listed("total 0\r\n"), None);
    }
}
