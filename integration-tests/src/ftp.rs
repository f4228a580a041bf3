//! An FTP client that shows every line: the test says what is sent and which code must come.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use drftpd_actors::tls::{Believed, ftp_client};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustls::ClientConfig;

use crate::process::PATIENCE;
use crate::wire::Wire;

/// How the data connection comes to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// PRET, then PASV: straight to the slave.
    Pret,
    /// PASV alone: through the relay.
    Pasv,
    /// EPSV alone: through the relay.
    Epsv,
    /// PORT: the slave connects.
    Port,
    /// EPRT: the slave connects.
    Eprt,
}

impl Mode {
    /// All of them.
    pub const ALL: [Mode; 5] = [Mode::Pret, Mode::Pasv, Mode::Epsv, Mode::Port, Mode::Eprt];
}

/// Facts of an entry by lower-case name.
pub type Facts = BTreeMap<String, String>;

/// One control connection.
pub struct Ftp {
    reader: BufReader<Wire>,
    server: SocketAddr,
}

/// A data connection that is there, or will be.
pub enum Data {
    /// The client connected.
    Open(TcpStream),
    /// The server will connect here.
    Waiting(TcpListener),
}

impl Data {
    /// The connection; waits for the server's where it must.
    pub fn stream(self) -> Result<TcpStream> {
        let stream = match self {
            Data::Open(stream) => stream,
            Data::Waiting(listener) => {
                // Linux applies it to accept, too.
                set_socket_timeout(&listener, Timeout::Recv, Some(PATIENCE))?;
                let accepted = listener.accept();
                accepted.context("the server never connected")?.0
            }
        };
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(stream)
    }
}

impl Ftp {
    /// Connects and reads the greeting.
    pub fn connect(server: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&server, PATIENCE)?;
        Ftp::over(Wire::new(stream)?, server)
    }

    /// Reads the greeting over a connection that is there.
    pub fn over(wire: Wire, server: SocketAddr) -> Result<Self> {
        let mut ftp = Ftp {
            reader: BufReader::new(wire),
            server,
        };
        ftp.expect(220)?;
        Ok(ftp)
    }

    /// Connects and logs in.
    pub fn login(server: SocketAddr, user: &str, password: &str) -> Result<Self> {
        let mut ftp = Ftp::connect(server)?;
        ftp.ask(&format!("USER {user}"), 331)?;
        ftp.ask(&format!("PASS {password}"), 230)?;
        Ok(ftp)
    }

    /// Says AUTH TLS; from then on the control connection is protected.
    pub fn secure(self) -> Result<Self> {
        let anybody = ftp_client(Believed::Anybody)?;
        self.secure_by(Arc::new(anybody))
    }

    /// The same, by these settings.
    pub fn secure_by(mut self, tls: Arc<ClientConfig>) -> Result<Self> {
        self.ask("AUTH TLS", 234)?;
        ensure!(self.reader.buffer().is_empty(), "more than a reply came");
        let tcp = self.reader.into_inner().into_tcp();
        self.reader = BufReader::new(Wire::client_by(tcp, tls)?);
        Ok(self)
    }

    /// Sends a line.
    pub fn send(&mut self, line: &str) -> Result<()> {
        self.send_bytes(format!("{line}\r\n").as_bytes())
    }

    /// Sends bytes as they are.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        let wire = self.reader.get_mut();
        wire.write_all(bytes)?;
        Ok(wire.flush()?)
    }

    /// Reads one reply: its code and its lines.
    pub fn reply(&mut self) -> Result<(u16, Vec<String>)> {
        let mut lines = Vec::new();
        loop {
            let mut line = Vec::new();
            ensure!(
                self.reader.read_until(b'\n', &mut line)? > 0,
                "connection closed after {lines:?}"
            );
            ensure!(
                line.ends_with(b"\r\n"),
                "a reply line without CRLF: {line:?}"
            );
            let text = String::from_utf8_lossy(&line[..line.len() - 2]).into_owned();
            let code = text.get(..3).and_then(|c| c.parse::<u16>().ok());
            let last = text.as_bytes().get(3) == Some(&b' ');
            lines.push(text);
            if let (Some(code), true) = (code, last) {
                return Ok((code, lines));
            }
        }
    }

    /// Reads one reply that must have this code; answers its lines.
    pub fn expect(&mut self, code: u16) -> Result<Vec<String>> {
        let (got, lines) = self.reply()?;
        if got != code {
            bail!("expected {code}, got {lines:?}");
        }
        Ok(lines)
    }

    /// Sends a line and reads its reply, which must have this code; answers the last line.
    pub fn ask(&mut self, line: &str, code: u16) -> Result<String> {
        self.send(line)?;
        let mut lines = self.expect(code).with_context(|| format!("to {line:?}"))?;
        lines.pop().context("an empty reply")
    }

    /// Whether the server has closed the connection (reads what is left).
    pub fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        self.reader.read_to_end(&mut rest).is_ok()
    }

    /// Closes the control connection at once.
    pub fn hang_up(self) -> Result<()> {
        Ok(self.reader.get_ref().tcp().shutdown(Shutdown::Both)?)
    }

    /// Opens a data connection for `verb arg` in the given way.
    pub fn data(&mut self, mode: Mode, verb: &str, arg: &str) -> Result<Data> {
        match mode {
            Mode::Pret => {
                self.ask(format!("PRET {verb} {arg}").trim_end(), 200)?;
                self.pasv()
            }
            Mode::Pasv => self.pasv(),
            Mode::Epsv => {
                let line = self.ask("EPSV", 229)?;
                let port = line.split('|').nth(3).context("no port")?.parse()?;
                Ok(Data::Open(TcpStream::connect_timeout(
                    &(self.server.ip(), port).into(),
                    PATIENCE,
                )?))
            }
            Mode::Port => {
                let listener = TcpListener::bind((self.local()?.ip(), 0))?;
                let SocketAddr::V4(at) = listener.local_addr()? else {
                    bail!("PORT is for IPv4")
                };
                let [a, b, c, d] = at.ip().octets();
                let [high, low] = at.port().to_be_bytes();
                self.ask(&format!("PORT {a},{b},{c},{d},{high},{low}"), 200)?;
                Ok(Data::Waiting(listener))
            }
            Mode::Eprt => {
                let listener = TcpListener::bind((self.local()?.ip(), 0))?;
                let at = listener.local_addr()?;
                let family = if at.is_ipv4() { 1 } else { 2 };
                self.ask(&format!("EPRT |{family}|{}|{}|", at.ip(), at.port()), 200)?;
                Ok(Data::Waiting(listener))
            }
        }
    }

    fn local(&self) -> Result<SocketAddr> {
        Ok(self.reader.get_ref().tcp().local_addr()?)
    }

    fn pasv(&mut self) -> Result<Data> {
        let at = self.pasv_address()?;
        Ok(Data::Open(TcpStream::connect_timeout(&at, PATIENCE)?))
    }

    /// Sends PASV and reads the address.
    pub fn pasv_address(&mut self) -> Result<SocketAddr> {
        let line = self.ask("PASV", 227)?;
        let inside = line.split(['(', ')']).nth(1).context("no parentheses")?;
        let n: Vec<u8> = inside
            .split(',')
            .map(|n| n.parse())
            .collect::<Result<_, _>>()?;
        ensure!(n.len() == 6, "six numbers wanted: {line}");
        let ip = IpAddr::V4(Ipv4Addr::new(n[0], n[1], n[2], n[3]));
        Ok((ip, u16::from_be_bytes([n[4], n[5]])).into())
    }

    /// Sends `bytes` by `verb` (STOR, APPE, `STOU`) and reads 226; answers its line.
    pub fn upload(
        &mut self,
        mode: Mode,
        verb: &str,
        name: &str,
        mut bytes: impl Read,
    ) -> Result<String> {
        let data = self.data(mode, verb, name)?;
        self.ask(format!("{verb} {name}").trim_end(), 150)?;
        let mut stream = data.stream()?;
        std::io::copy(&mut bytes, &mut stream)?;
        stream.shutdown(Shutdown::Write)?;
        let mut lines = self.expect(226)?;
        lines.pop().context("an empty reply")
    }

    /// Sends `bytes` by `verb` over a data connection that was asked for before.
    pub fn send_file(&mut self, data: Data, verb: &str, name: &str, bytes: &[u8]) -> Result<()> {
        self.ask(&format!("{verb} {name}"), 150)?;
        let mut stream = data.stream()?;
        stream.write_all(bytes)?;
        stream.shutdown(Shutdown::Write)?;
        self.expect(226).map(drop)
    }

    /// Stores a file.
    pub fn put(&mut self, mode: Mode, name: &str, bytes: &[u8]) -> Result<()> {
        self.upload(mode, "STOR", name, bytes).map(drop)
    }

    /// Reads what `verb arg` sends over a data connection, up to 226.
    pub fn download(&mut self, mode: Mode, verb: &str, arg: &str) -> Result<Vec<u8>> {
        let data = self.data(mode, verb, arg)?;
        self.ask(format!("{verb} {arg}").trim_end(), 150)?;
        let mut bytes = Vec::new();
        data.stream()?.read_to_end(&mut bytes)?;
        self.expect(226)?;
        Ok(bytes)
    }

    /// Reads a file.
    pub fn get(&mut self, mode: Mode, name: &str) -> Result<Vec<u8>> {
        self.download(mode, "RETR", name)
    }

    /// What MLSD tells of a directory: each name with its facts.
    pub fn facts(&mut self, mode: Mode, dir: &str) -> Result<Vec<(String, Facts)>> {
        let text = self.download(mode, "MLSD", dir)?;
        let text = String::from_utf8(text)?;
        let entry = |line: &str| -> Result<(String, Facts)> {
            let (facts, name) = line.split_once("; ").context("no facts")?;
            let facts = facts.split(';').filter_map(|fact| fact.split_once('='));
            let facts = facts.map(|(key, value)| (key.to_ascii_lowercase(), value.to_string()));
            Ok((name.to_string(), facts.collect()))
        };
        let all: Result<Vec<_>> = text.lines().map(entry).collect();
        let is_inside = |facts: &Facts| !matches!(facts["type"].as_str(), "cdir" | "pdir");
        Ok(all?
            .into_iter()
            .filter(|(_, facts)| is_inside(facts))
            .collect())
    }

    /// The names of a directory: NLST puts before each the path that it was asked for.
    pub fn names(&mut self, mode: Mode, dir: &str) -> Result<Vec<String>> {
        let text = self.download(mode, "NLST", dir)?;
        let text = String::from_utf8_lossy(&text);
        let name = |line: &str| line.rsplit('/').next().unwrap_or_default().to_string();
        Ok(text.lines().map(name).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn waiting_for_a_connection_has_an_end() -> Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let limit = Some(Duration::from_millis(20));
        set_socket_timeout(&listener, Timeout::Recv, limit)?;
        let never = listener.accept().map(drop).map_err(|why| why.kind());
        ensure!(
            never == Err(std::io::ErrorKind::WouldBlock),
            "it said {never:?}"
        );
        Ok(())
    }
}
