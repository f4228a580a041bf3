//! An FTP client of a simulated cluster or of a real one: every wait has a limit, every call and reply is traced, and
//! whoever asks learns whether it was answered, refused, or whether nobody can know.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use drftpd_actors::{BoxIo, Listener};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::time::timeout;

use super::site::Site;
use crate::cluster::{PASSWORD, USER};

/// For everything that is answered at once.
const SOON: Duration = Duration::from_secs(10);
/// For the end of a transfer, which may have to wait for a slave that is lost.
const LATE: Duration = Duration::from_secs(30);
/// Bytes sent at a time.
const PIECE: usize = 16 * 1024;

/// How the data connection comes to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// PRET, then PASV: straight to the slave.
    Pret,
    /// PASV alone: through the relay.
    Pasv,
    /// PORT: the slave connects.
    Port,
}

/// Why something was not done, as far as the client can know.
#[derive(Debug)]
pub enum Failure {
    /// The connection failed, or the answer took too long: it may have been done all the same.
    Lost(String),
    /// The server said so.
    Said(u16, String),
    /// The client could not send everything, and closed: without TLS that looks like the end of the file.
    Cut(String),
    /// The client reset its connections before it had sent everything.
    Reset,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(why) => write!(f, "lost: {why}"),
            Self::Said(_, line) => write!(f, "said: {line}"),
            Self::Cut(why) => write!(f, "cut: {why}"),
            Self::Reset => write!(f, "reset by the client"),
        }
    }
}

impl std::error::Error for Failure {}

fn lost(what: &str) -> impl FnOnce(std::io::Error) -> Failure + '_ {
    move |why| Failure::Lost(format!("{what}: {why}"))
}

async fn within<T>(
    limit: Duration,
    what: &str,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let late = || Failure::Lost(format!("{what}: nothing for {limit:?}"));
    timeout(limit, work).await.unwrap_or_else(|_| Err(late()))
}

/// One control connection that is logged in.
pub struct Ftp {
    io: BufReader<BoxIo>,
    local: IpAddr,
    /// Whether a PRET waits for its transfer: until then it would stand in the way of another one.
    announced: bool,
    who: String,
    site: Site,
}

enum Data {
    Open(BoxIo),
    Waiting(Box<dyn Listener>),
}

impl Data {
    async fn open(self) -> Result<BoxIo, Failure> {
        match self {
            Self::Open(io) => Ok(io),
            Self::Waiting(listener) => {
                let accept = async { listener.accept().await?.adopt() };
                within(SOON, "data connection", async {
                    accept.await.map_err(lost("data connection"))
                })
                .await
            }
        }
    }
}

impl Ftp {
    /// Connects to the master and logs in.
    pub async fn login(who: &str, site: &Site) -> Result<Self, Failure> {
        let io = dial(site, site.master()).await?;
        let local = io.local_addr().map_err(lost("control connection"))?.ip();
        let mut ftp = Self {
            io: BufReader::new(io),
            local,
            announced: false,
            who: who.to_owned(),
            site: site.clone(),
        };
        ftp.expect(220, SOON).await?;
        ftp.ask(&format!("USER {USER}"), 331).await?;
        ftp.ask(&format!("PASS {PASSWORD}"), 230).await?;
        Ok(ftp)
    }

    fn note(&self, what: impl AsRef<str>) {
        self.site.note(&self.who, what);
    }

    /// Sends a line and waits for a reply with this code; answers its lines.
    pub async fn ask(&mut self, line: &str, code: u16) -> Result<Vec<String>, Failure> {
        self.send(line).await?;
        self.expect(code, SOON).await
    }

    async fn send(&mut self, line: &str) -> Result<(), Failure> {
        self.note(format!("> {line}"));
        let bytes = format!("{line}\r\n");
        let io = self.io.get_mut();
        within(SOON, "control connection", async {
            io.write_all(bytes.as_bytes())
                .await
                .map_err(lost("control connection"))
        })
        .await
    }

    async fn expect(&mut self, code: u16, limit: Duration) -> Result<Vec<String>, Failure> {
        let reply = within(limit, "reply", self.reply()).await;
        let (got, lines) = reply.inspect_err(|why| self.note(format!("{why}")))?;
        let last = lines.last().cloned().unwrap_or_default();
        self.note(format!("< {last}"));
        if got == code {
            Ok(lines)
        } else {
            Err(Failure::Said(got, last))
        }
    }

    async fn reply(&mut self) -> Result<(u16, Vec<String>), Failure> {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            let read = self.io.read_line(&mut line).await;
            if read.map_err(lost("control connection"))? == 0 {
                return Err(Failure::Lost("control connection closed".into()));
            }
            let line = line.trim_end().to_owned();
            let code = line.get(..3).and_then(|code| code.parse().ok());
            let last = line.as_bytes().get(3) == Some(&b' ');
            lines.push(line);
            if let (Some(code), true) = (code, last) {
                return Ok((code, lines));
            }
        }
    }

    async fn data(&mut self, way: Way, verb: &str, arg: &str) -> Result<Data, Failure> {
        if way == Way::Pret || self.announced {
            self.ask(format!("PRET {verb} {arg}").trim_end(), 200)
                .await?;
            self.announced = true;
        }
        if way == Way::Port {
            let at = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
            let listener = self.site.net().bind(at).await.map_err(lost("data port"))?;
            let port = listener.local_addr().map_err(lost("data port"))?.port();
            let (ip, [high, low]) = (self.local.to_string().replace('.', ","), port.to_be_bytes());
            self.ask(&format!("PORT {ip},{high},{low}"), 200).await?;
            return Ok(Data::Waiting(listener));
        }
        let lines = self.ask("PASV", 227).await?;
        let at = lines.last().and_then(|line| address(line));
        let at = at.ok_or_else(|| Failure::Said(227, format!("no address in {lines:?}")))?;
        Ok(Data::Open(dial(&self.site, at).await?))
    }

    async fn begin(&mut self, verb: &str, arg: &str) -> Result<(), Failure> {
        self.announced = false;
        let begun = self.ask(format!("{verb} {arg}").trim_end(), 150).await;
        begun.map(drop)
    }

    /// Stores a file.
    pub async fn put(&mut self, way: Way, path: &str, bytes: &[u8]) -> Result<(), Failure> {
        let data = self.data(way, "STOR", path).await?;
        self.store(data, "STOR", path, bytes).await
    }

    /// Adds bytes to a file.
    pub async fn append(&mut self, way: Way, path: &str, bytes: &[u8]) -> Result<(), Failure> {
        let data = self.data(way, "APPE", path).await?;
        self.store(data, "APPE", path, bytes).await
    }

    /// Goes on with an upload at what the server has of it.
    pub async fn resume(&mut self, way: Way, path: &str, bytes: &[u8]) -> Result<(), Failure> {
        let said = self.ask(&format!("SIZE {path}"), 213).await?;
        let size = said.last().and_then(|line| line.get(4..)?.parse().ok());
        let rest = size.and_then(|size: usize| bytes.get(size..));
        let rest = rest.ok_or_else(|| Failure::Said(0, format!("{path} is too long: {said:?}")))?;
        let data = self.data(way, "STOR", path).await?;
        let offset = bytes.len() - rest.len();
        self.ask(&format!("REST {offset}"), 350).await?;
        self.store(data, "STOR", path, rest).await
    }

    /// Sends a part of a file and then nothing more: both connections are gone at once.
    pub async fn drop_upload(
        mut self,
        (way, verb): (Way, &str),
        path: &str,
        bytes: &[u8],
    ) -> Result<(), Failure> {
        let data = self.data(way, verb, path).await?;
        self.begin(verb, path).await?;
        let mut io = data.open().await?;
        let sent = within(LATE, "sending", send(&mut io, bytes)).await;
        self.note(format!("dropped after {} bytes: {sent:?}", bytes.len()));
        Err(self.gone(io, "dropped by the client"))
    }

    /// Takes a part of a file and then nothing more: both connections are gone at once.
    pub async fn drop_download(mut self, way: Way, path: &str) -> Result<(), Failure> {
        let data = self.data(way, "RETR", path).await?;
        self.begin("RETR", path).await?;
        let mut io = data.open().await?;
        let mut some = [0; 1000];
        let read = io.read(&mut some);
        let read = within(LATE, "receiving", async {
            read.await.map_err(lost("receiving"))
        })
        .await?;
        self.note(format!("dropped after {read} bytes"));
        Err(self.gone(io, "dropped by the client"))
    }

    /// A connection on which not everything was sent goes, so that the server cannot take it for the end of the file
    /// where the network can tell it that.
    fn gone(&self, io: BoxIo, why: &str) -> Failure {
        match self.site.reset(io) {
            true => Failure::Reset,
            false => Failure::Cut(why.to_owned()),
        }
    }

    async fn store(
        &mut self,
        data: Data,
        verb: &str,
        path: &str,
        bytes: &[u8],
    ) -> Result<(), Failure> {
        self.begin(verb, path).await?;
        let sent = match data.open().await {
            Ok(mut io) => match within(LATE, "sending", send(&mut io, bytes)).await {
                Ok(()) => self.end(io).await,
                Err(why) => Err(self.gone(io, &why.to_string())),
            },
            Err(_) if self.site.has_sockets() => Err(Failure::Reset),
            Err(why) => Err(Failure::Cut(why.to_string())),
        };
        match &sent {
            Ok(()) => self.note(format!("sent {} bytes", bytes.len())),
            Err(why) => self.note(format!("sending: {why}")),
        }
        let said = self.expect(226, LATE).await.map(drop);
        // What the server says of something else than the whole file says nothing of the file.
        sent?;
        said
    }

    /// Says that this was all.
    async fn end(&self, mut io: BoxIo) -> Result<(), Failure> {
        let ended = within(SOON, "ending", async {
            io.shutdown().await.map_err(lost("data connection"))
        });
        let ended = ended.await;
        match self.site.has_sockets() {
            true => ended, // everything is on its way, or nothing can be known
            false => ended.map_err(|why| Failure::Cut(why.to_string())),
        }
    }

    /// What `verb arg` sends, once the server has said that this was all.
    pub async fn fetch(&mut self, way: Way, verb: &str, arg: &str) -> Result<Vec<u8>, Failure> {
        let data = self.data(way, verb, arg).await?;
        self.begin(verb, arg).await?;
        let mut bytes = Vec::new();
        let read = match data.open().await {
            Ok(mut io) => {
                within(LATE, "receiving", async {
                    io.read_to_end(&mut bytes).await.map_err(lost("receiving"))
                })
                .await
            }
            Err(why) => Err(why),
        };
        self.expect(226, LATE).await?;
        let read = read.inspect_err(|why| self.note(format!("{why}")))?;
        self.note(format!("received {read} bytes"));
        Ok(bytes)
    }
}

async fn dial(site: &Site, to: SocketAddr) -> Result<BoxIo, Failure> {
    let dialled = async { site.net().connect(None, to).await };
    within(SOON, "connecting", async {
        dialled.await.map_err(lost("connecting"))
    })
    .await
}

async fn send(io: &mut BoxIo, bytes: &[u8]) -> Result<(), Failure> {
    for piece in bytes.chunks(PIECE) {
        io.write_all(piece).await.map_err(lost("data connection"))?;
        // So that a fault can come in the middle of it.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

fn address(line: &str) -> Option<SocketAddr> {
    let inside = line.split(['(', ')']).nth(1)?;
    let n: Vec<u8> = inside
        .split(',')
        .map(str::parse)
        .collect::<Result<_, _>>()
        .ok()?;
    let [a, b, c, d, high, low] = n[..] else {
        return None;
    };
    let ip = Ipv4Addr::new(a, b, c, d);
    Some((ip, u16::from_be_bytes([high, low])).into())
}
