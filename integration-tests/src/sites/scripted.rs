//! Scripted servers at the other end of FXP: one that answers as DrFTPD 4 does (500 to PASV without PRET, a comment line
//! before 227, nearly nothing before login), and one that never listens.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use anyhow::{Context, Result, bail};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;

use super::Site;
use crate::process::PATIENCE;
use crate::wire::Wire;

/// Which server it plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// DrFTPD 4.
    DrFtpd4,
    /// One that knows neither PASV nor CPSV nor PRET.
    ActiveOnly,
}

/// A server with its files in memory; it serves until the test ends.
pub struct Scripted {
    site: Site,
    files: Files,
}

type Files = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

impl Scripted {
    /// Serves on a free port of this address.
    pub fn start(kind: Kind, host: &str) -> Result<Self> {
        let listener = TcpListener::bind((host, 0))?;
        let drftpd = kind == Kind::DrFtpd4;
        let site = Site {
            name: if drftpd { "DrFTPD 4" } else { "active only" },
            at: listener.local_addr()?,
            pret: drftpd,
            passive: drftpd,
            cpsv: drftpd,
            sscn: true,
        };
        let files = Files::default();
        let (tls, all) = (certificate()?, files.clone());
        thread::spawn(move || {
            for tcp in listener.incoming().map_while(Result::ok) {
                let (files, tls) = (all.clone(), tls.clone());
                thread::spawn(move || {
                    let Ok(mut session) = Session::new(tcp, kind, files, tls) else {
                        return;
                    };
                    // A client that goes is no failure; what it missed, the test misses.
                    drop(session.serve());
                });
            }
        });
        Ok(Scripted { site, files })
    }

    /// What a client needs to know.
    pub fn site(&self) -> &Site {
        &self.site
    }

    /// What it has under a name.
    pub fn file(&self, name: &str) -> Result<Vec<u8>> {
        let files = self.files.lock();
        let files = files.map_err(|_poisoned| anyhow::anyhow!("a session panicked"))?;
        files.get(name).cloned().context("no such file")
    }
}

fn certificate() -> Result<Arc<ServerConfig>> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![made.cert.der().clone()], key)?;
    Ok(Arc::new(config))
}

enum Endpoint {
    Listens(TcpListener),
    Dials(SocketAddr),
}

struct Session {
    control: BufReader<Wire>,
    kind: Kind,
    files: Files,
    tls: Arc<ServerConfig>,
    user: bool,
    logged_in: bool,
    pret: bool,
    private: bool,
    sscn: bool,
    cpsv: bool,
    endpoint: Option<Endpoint>,
}

impl Session {
    fn new(tcp: TcpStream, kind: Kind, files: Files, tls: Arc<ServerConfig>) -> Result<Self> {
        Ok(Session {
            control: BufReader::new(Wire::new(tcp)?),
            kind,
            files,
            tls,
            user: false,
            logged_in: false,
            pret: false,
            private: false,
            sscn: false,
            cpsv: false,
            endpoint: None,
        })
    }

    fn say(&mut self, text: &str) -> Result<()> {
        let text = format!("{}\r\n", text.replace('\n', "\r\n"));
        let wire = self.control.get_mut();
        wire.write_all(text.as_bytes())?;
        Ok(wire.flush()?)
    }

    fn serve(&mut self) -> Result<()> {
        self.say("220 DrFTPD 4.0.12-git https://github.com/drftpd-ng/drftpd")?;
        loop {
            let mut line = String::new();
            if self.control.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let line = line.trim_end();
            let (verb, arg) = line.split_once(' ').unwrap_or((line, ""));
            match self.before_login(verb, arg)? {
                true => {}
                false if !self.logged_in => self.say("500 You are not allowed to do this")?,
                false => self.after_login(verb, arg)?,
            }
        }
    }

    /// Whether it was one of the few verbs that are known before login.
    fn before_login(&mut self, verb: &str, arg: &str) -> Result<bool> {
        match verb {
            "USER" => {
                self.user = true;
                self.say(&format!("331 Password required for {arg}"))?;
            }
            "PASS" if !self.user => self.say("503 Bad sequence of commands.")?,
            "PASS" => {
                self.logged_in = true;
                self.say(
                    "230- Welcome\n230- (eight lines of it)\n230 admin logged in successfully.",
                )?;
            }
            "AUTH" => {
                self.say("234 AUTH command ok; starting SSL connection.")?;
                let tcp = self.control.get_ref().tcp().try_clone()?;
                self.control = BufReader::new(Wire::server(tcp, self.tls.clone())?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn after_login(&mut self, verb: &str, arg: &str) -> Result<()> {
        let drftpd = self.kind == Kind::DrFtpd4;
        match verb {
            "TYPE" | "PBSZ" => self.say("200 Command okay"),
            "FEAT" => self
                .say("211-Extensions supported:\n PRET\n CPSV\n AUTH TLS\n PBSZ\n SSCN\n211 End"),
            "PROT" => {
                self.private = arg == "P";
                self.say("200 Command okay")
            }
            "SSCN" if !self.private => self.say("500 SSCN only works for encrypted transfers"),
            "SSCN" => {
                self.sscn = arg == "ON";
                let method = if self.sscn { "CLIENT" } else { "SERVER" };
                self.say(&format!("200 SSCN:{method} METHOD"))
            }
            "PRET" if drftpd => {
                self.pret = true;
                self.say("200 OK, planning for upcoming transfer")
            }
            "PASV" | "CPSV" if drftpd && !self.pret => self.say(&format!(
                "500 You need to use a client supporting PRET (PRE Transfer) to use {verb}"
            )),
            "PASV" | "CPSV" if drftpd => self.passive(verb == "CPSV"),
            "PORT" => self.active(arg),
            "STOR" => self.transfer(arg, Self::receive),
            "RETR" if self.stored(arg).is_none() => self.say("550 No such file"),
            "RETR" => self.transfer(arg, Self::send),
            _ => self.say("502 Command not implemented."),
        }
    }

    fn passive(&mut self, cpsv: bool) -> Result<()> {
        let here = self.control.get_ref().tcp().local_addr()?.ip();
        let listener = TcpListener::bind((here, 0))?;
        let (ip, port) = (
            here.to_string().replace('.', ","),
            listener.local_addr()?.port(),
        );
        let [high, low] = port.to_be_bytes();
        self.cpsv = cpsv;
        self.endpoint = Some(Endpoint::Listens(listener));
        self.say("227- Using slave1 for upcoming transfer")?;
        self.say(&format!("227 Entering Passive Mode ({ip},{high},{low})."))
    }

    fn active(&mut self, arg: &str) -> Result<()> {
        let numbers: Vec<u8> = arg.split(',').filter_map(|n| n.parse().ok()).collect();
        let &[a, b, c, d, high, low] = &numbers[..] else {
            return self.say("501 Syntax error in parameters or arguments");
        };
        let at = SocketAddr::new(IpAddr::from([a, b, c, d]), u16::from_be_bytes([high, low]));
        self.endpoint = Some(Endpoint::Dials(at));
        self.say(
            "200- Ok, but distributed transfers won't work with local addresses\n200 Command okay",
        )
    }

    fn stored(&self, name: &str) -> Option<Vec<u8>> {
        self.files.lock().ok()?.get(name).cloned()
    }

    fn transfer(&mut self, name: &str, run: fn(&Self, Wire, &str) -> Result<()>) -> Result<()> {
        let Some(endpoint) = self.endpoint.take() else {
            return self.say("503 Bad sequence of commands.");
        };
        self.say("150 File status okay; about to open data connection from slave1.")?;
        let done = self
            .connect(endpoint)
            .and_then(|data| run(self, data, name));
        (self.pret, self.cpsv) = (false, false);
        match done {
            Ok(()) => self.say("226- Checksum from transfer: 00000000\n226 Transfer complete"),
            Err(why) => self.say(&format!("426 Connection closed; transfer aborted: {why}")),
        }
    }

    /// Dials from the address that it serves on, not from the client's, which is as near.
    fn dial(&self, to: SocketAddr) -> Result<TcpStream> {
        let here = self.control.get_ref().tcp().local_addr()?.ip();
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
        bind(&socket, &SocketAddr::new(here, 0))?;
        connect(&socket, &to)?;
        Ok(TcpStream::from(socket))
    }

    fn connect(&self, endpoint: Endpoint) -> Result<Wire> {
        let tcp = match endpoint {
            Endpoint::Dials(at) => self.dial(at)?,
            Endpoint::Listens(listener) => {
                set_socket_timeout(&listener, Timeout::Recv, Some(PATIENCE))?;
                listener.accept()?.0
            }
        };
        let clear = Wire::new(tcp)?;
        Ok(match (self.private, self.sscn || self.cpsv) {
            (false, _) => clear,
            (true, true) => Wire::client(clear.into_tcp())?,
            (true, false) => Wire::server(clear.into_tcp(), self.tls.clone())?,
        })
    }

    /// Without the last word of TLS this fails.
    fn receive(&self, mut data: Wire, name: &str) -> Result<()> {
        let mut bytes = Vec::new();
        data.read_to_end(&mut bytes)?;
        data.finish()?;
        let Ok(mut files) = self.files.lock() else {
            bail!("another session panicked")
        };
        files.insert(name.to_owned(), bytes);
        Ok(())
    }

    fn send(&self, mut data: Wire, name: &str) -> Result<()> {
        data.write_all(&self.stored(name).context("no such file")?)?;
        Ok(data.finish()?)
    }
}
