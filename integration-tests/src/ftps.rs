//! The client that shows every line, over TLS with PROT P: its data connections resume the session of its control
//! connection, or none does.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use anyhow::{Result, ensure};
use drftpd_actors::tls::{Believed, ftp_client};
use rustls::client::Resumption;
use rustls::{ClientConfig, HandshakeKind};

use crate::cluster::{PASSWORD, USER};
use crate::ftp::{Ftp, Mode};
use crate::process::PATIENCE;
use crate::wire::Wire;

/// Sessions that it keeps.
const SESSIONS: usize = 16;

/// How every data connection begins; another way is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handshake {
    /// From the beginning.
    Full,
    /// With a ticket that came over the control connection, or over a data connection that belongs to it.
    Resumed,
}

/// One login.
pub struct Ftps {
    ftp: Ftp,
    tls: Arc<ClientConfig>,
    handshake: Handshake,
}

impl Ftps {
    /// Says AUTH TLS, and logs in.
    ///
    /// # Errors
    /// What is not as it should be.
    pub fn explicit(server: SocketAddr, handshake: Handshake) -> Result<Self> {
        let tls = config(handshake)?;
        let ftp = Ftp::connect(server)?.secure_by(tls.clone())?;
        Ftps::login(ftp, tls, handshake)
    }

    /// Begins with TLS, and logs in.
    ///
    /// # Errors
    /// What is not as it should be.
    pub fn implicit(server: SocketAddr, handshake: Handshake) -> Result<Self> {
        let tls = config(handshake)?;
        let tcp = Wire::new(TcpStream::connect_timeout(&server, PATIENCE)?)?.into_tcp();
        let ftp = Ftp::over(Wire::client_by(tcp, tls.clone())?, server)?;
        Ftps::login(ftp, tls, handshake)
    }

    fn login(mut ftp: Ftp, tls: Arc<ClientConfig>, handshake: Handshake) -> Result<Self> {
        ftp.ask(&format!("USER {USER}"), 331)?;
        ftp.ask(&format!("PASS {PASSWORD}"), 230)?;
        ftp.ask("PBSZ 0", 200)?;
        ftp.ask("PROT P", 200)?;
        Ok(Ftps {
            ftp,
            tls,
            handshake,
        })
    }

    /// Sends a line and reads its reply, which must have this code; answers the last line.
    ///
    /// # Errors
    /// Another code.
    pub fn ask(&mut self, line: &str, code: u16) -> Result<String> {
        self.ftp.ask(line, code)
    }

    /// Stores a file, up to the last word of TLS and 226.
    ///
    /// # Errors
    /// Whatever goes another way.
    pub fn put(&mut self, mode: Mode, name: &str, bytes: &[u8]) -> Result<()> {
        let mut data = self.begin(mode, "STOR", name)?;
        data.write_all(bytes)?;
        data.flush()?;
        self.is_as_it_should(&data)?;
        data.finish()?;
        self.ftp.expect(226).map(drop)
    }

    /// Reads what `verb arg` sends, up to the last word of TLS and 226.
    ///
    /// # Errors
    /// Whatever goes another way.
    pub fn download(&mut self, mode: Mode, verb: &str, arg: &str) -> Result<Vec<u8>> {
        let mut data = self.begin(mode, verb, arg)?;
        let mut bytes = Vec::new();
        data.read_to_end(&mut bytes)?;
        self.is_as_it_should(&data)?;
        data.finish()?;
        self.ftp.expect(226)?;
        Ok(bytes)
    }

    fn begin(&mut self, mode: Mode, verb: &str, arg: &str) -> Result<Wire> {
        let data = self.ftp.data(mode, verb, arg)?;
        self.ftp.ask(format!("{verb} {arg}").trim_end(), 150)?;
        Ok(Wire::client_by(data.stream()?, self.tls.clone())?)
    }

    fn is_as_it_should(&self, data: &Wire) -> Result<()> {
        let was = data.handshake();
        let right = match self.handshake {
            Handshake::Full => was != Some(HandshakeKind::Resumed),
            Handshake::Resumed => was == Some(HandshakeKind::Resumed),
        };
        ensure!(right, "the handshake was {was:?}");
        Ok(())
    }
}

fn config(handshake: Handshake) -> Result<Arc<ClientConfig>> {
    let mut config = ftp_client(Believed::Anybody)?;
    if handshake == Handshake::Resumed {
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
    }
    Ok(Arc::new(config))
}
