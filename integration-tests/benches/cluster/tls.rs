//! Files under TLS: large ones against bare loops of rustls, the relay against the direct way, small ones.
//!
//! The client resumes the session of its control connection wherever it has a ticket left: rustls uses each of TLS 1.3
//! once, and data connections that receive give none, so uploads live on those that downloads bring. OpenSSL and GnuTLS
//! use theirs again.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use anyhow::{Result, ensure};
use drftpd_actors::tls::{DATA_PROTOCOLS, FtpServer, SessionTickets};
use drftpd_integration_tests::cluster::{PASSWORD, USER};
use drftpd_integration_tests::{Bytes, Cluster, Ftp, Mode};
use rustls::crypto::aws_lc_rs::cipher_suite::{
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384,
};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, ServerConfig, ServerConnection,
    StreamOwned, SupportedProtocolVersion,
};

use crate::bare::{discard, joined, pour};
use crate::{CHUNK, GIB, SMALL_FILES, compare, cpu, for_small_files, timed, with_big_file};

/// A socket that is read in large pieces: rustls by itself reads 4 KiB at a time.
struct LargeReads(BufReader<TcpStream>);

impl LargeReads {
    fn of(socket: TcpStream) -> Self {
        LargeReads(BufReader::with_capacity(CHUNK, socket))
    }
}

impl Read for LargeReads {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for LargeReads {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.get_mut().write(bytes)
    }

    fn write_vectored(&mut self, pieces: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.0.get_mut().write_vectored(pieces)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

type Protected = StreamOwned<ClientConnection, LargeReads>;

/// A client as people have it: it keeps its sessions and leaves the choice of the suite to the server. It has AES-GCM
/// alone.
fn client(
    believed: CertificateDer<'static>,
    version: &'static SupportedProtocolVersion,
) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    roots.add(believed)?;
    let provider = CryptoProvider {
        cipher_suites: vec![
            TLS13_AES_256_GCM_SHA384,
            TLS13_AES_128_GCM_SHA256,
            TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        ],
        ..aws_lc_rs::default_provider()
    };
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[version])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn protect(config: &Arc<ClientConfig>, socket: TcpStream) -> Result<Protected> {
    socket.set_nodelay(true)?;
    let name = ServerName::from(socket.peer_addr()?.ip());
    let tls = ClientConnection::new(Arc::clone(config), name)?;
    Ok(StreamOwned::new(tls, LargeReads::of(socket)))
}

/// Says the last word.
fn finish(stream: &mut Protected) -> Result<()> {
    stream.conn.send_close_notify();
    Ok(stream.flush()?)
}

/// A login under PROT P.
struct Secured {
    ftp: Ftp,
    config: Arc<ClientConfig>,
    resumed: usize,
    full: usize,
}

impl Secured {
    fn login(cluster: &Cluster, version: &'static SupportedProtocolVersion) -> Result<Self> {
        let file = cluster.path().join("master/tls/certificate.pem");
        let config = client(CertificateDer::from_pem_file(file)?, version)?;
        let mut ftp = Ftp::connect(cluster.ftp)?.secure_by(Arc::clone(&config))?;
        ftp.ask(&format!("USER {USER}"), 331)?;
        ftp.ask(&format!("PASS {PASSWORD}"), 230)?;
        ftp.ask("PBSZ 0", 200)?;
        ftp.ask("PROT P", 200)?;
        Ok(Self {
            ftp,
            config,
            resumed: 0,
            full: 0,
        })
    }

    fn down(&mut self, mode: Mode, name: &str) -> Result<u64> {
        let data = self.ftp.data(mode, "RETR", name)?;
        self.ftp.ask(&format!("RETR {name}"), 150)?;
        let mut stream = protect(&self.config, data.stream()?)?;
        let got = discard(&mut stream)?;
        self.count(&stream);
        // The sender waits for this: closing tells that everything was taken.
        drop(stream);
        self.ftp.expect(226)?;
        Ok(got)
    }

    fn up(
        &mut self,
        mode: Mode,
        name: &str,
        send: impl FnOnce(&mut Protected) -> Result<()>,
    ) -> Result<()> {
        let data = self.ftp.data(mode, "STOR", name)?;
        self.ftp.ask(&format!("STOR {name}"), 150)?;
        let mut stream = protect(&self.config, data.stream()?)?;
        send(&mut stream)?;
        finish(&mut stream)?;
        self.count(&stream);
        drop(stream);
        self.ftp.expect(226)?;
        Ok(())
    }

    fn count(&mut self, stream: &Protected) {
        match stream.conn.handshake_kind() {
            Some(HandshakeKind::Resumed) => self.resumed += 1,
            _ => self.full += 1,
        }
    }

    /// The share of handshakes since it was last asked that resumed a session, in percent.
    fn resumed(&mut self) -> usize {
        let (resumed, full) = (
            std::mem::take(&mut self.resumed),
            std::mem::take(&mut self.full),
        );
        100 * resumed / (resumed + full).max(1)
    }
}

/// A bare server of rustls, one connection at a time, and its client.
struct Bare {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

impl Bare {
    fn new() -> Result<Self> {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der());
        let key = key.map_err(anyhow::Error::msg)?;
        let server = FtpServer::new(vec![made.cert.der().clone()], key, DATA_PROTOCOLS)?;
        Ok(Self {
            server: server.config(Some(SessionTickets::under(&[7; 32])), 0),
            client: client(made.cert.der().clone(), &TLS13)?,
        })
    }

    /// `serve` has the connection that `visit` makes.
    fn meet(
        &self,
        serve: impl FnOnce(ServerConnection, TcpStream) -> Result<()> + Send + 'static,
        visit: impl FnOnce(&mut Protected) -> Result<()>,
    ) -> Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let at = listener.local_addr()?;
        let session = ServerConnection::new(Arc::clone(&self.server))?;
        let server = thread::spawn(move || {
            let (socket, _) = listener.accept()?;
            socket.set_nodelay(true)?;
            serve(session, socket)
        });
        visit(&mut protect(&self.client, TcpStream::connect(at)?)?)?;
        joined(server)
    }

    /// A file read in pieces and written to rustls' own stream.
    fn down(&self, file: &Path) -> Result<()> {
        let file = File::open(file)?;
        let serve = move |session: ServerConnection, socket: TcpStream| {
            let mut stream = StreamOwned::new(session, socket);
            let mut buffer = vec![0; CHUNK];
            for at in (0..GIB).step_by(CHUNK) {
                file.read_exact_at(&mut buffer, at)?;
                stream.write_all(&buffer)?;
            }
            stream.conn.send_close_notify();
            Ok(stream.flush()?)
        };
        self.meet(serve, |stream| whole(discard(stream)?))
    }

    /// rustls' own stream, read in large pieces that are written to a file.
    fn up(&self, file: &Path) -> Result<()> {
        let file = File::create(file)?;
        let serve = move |session: ServerConnection, socket: TcpStream| {
            let mut stream = StreamOwned::new(session, LargeReads::of(socket));
            let (mut buffer, mut all) = (vec![0; CHUNK], 0);
            loop {
                match stream.read(&mut buffer)? {
                    0 => return whole(all),
                    n => {
                        file.write_all_at(&buffer[..n], all)?;
                        all += n as u64;
                    }
                }
            }
        };
        self.meet(serve, |stream| {
            pour(stream)?;
            finish(stream)
        })
    }
}

fn whole(got: u64) -> Result<()> {
    ensure!(got == GIB, "{got} bytes");
    Ok(())
}

pub fn bulk() -> Result<()> {
    let cluster = with_big_file()?;
    let client = RefCell::new(Secured::login(&cluster, &TLS13)?);
    let (bare, stored) = (Bare::new()?, cluster.path().join("bare.bin"));
    bare.up(&stored)?;

    let down = |mode| whole(client.borrow_mut().down(mode, "big.bin")?);
    let up = |mode| {
        let mut client = client.borrow_mut();
        client.up(mode, "up.bin", pour)?;
        client.ftp.ask("DELE up.bin", 250).map(drop)
    };
    compare(
        &cluster,
        ("TLS 1.3 download, PRET + PASV", &mut || down(Mode::Pret)),
        ("bare rustls sender", &mut || bare.down(&stored)),
        Some(0.85),
    )?;
    compare(
        &cluster,
        ("TLS 1.3 upload, PRET + PASV, fsync never", &mut || {
            up(Mode::Pret)
        }),
        ("bare rustls receiver", &mut || bare.up(&stored)),
        Some(0.85),
    )?;
    compare(
        &cluster,
        ("TLS 1.3 download through the relay", &mut || {
            down(Mode::Pasv)
        }),
        ("direct", &mut || down(Mode::Pret)),
        None,
    )?;
    compare(
        &cluster,
        ("TLS 1.3 upload through the relay, fsync never", &mut || {
            up(Mode::Pasv)
        }),
        ("direct", &mut || up(Mode::Pret)),
        None,
    )
}

/// Files of 10 KiB on one connection, each up and down again; wanted are 250 a second up and 500 down. In turns, because
/// a download gives the tickets that an upload does not.
pub fn small() -> Result<()> {
    let cluster = for_small_files("relaxed", "never")?;
    let bytes = Bytes::vec(3, 10 << 10);
    for (version, called) in [(&TLS13, "TLS 1.3"), (&TLS12, "TLS 1.2")] {
        let mut client = Secured::login(&cluster, version)?;
        for mode in [Mode::Pret, Mode::Pasv] {
            let dir = format!("{called} {mode:?}").replace(' ', "-");
            client.ftp.ask(&format!("MKD {dir}"), 257)?;
            let (mut up, mut down) = (0.0, 0.0);
            let before = cpu(&cluster)?;
            for n in 0..SMALL_FILES {
                let name = format!("{dir}/{n}");
                let send = |stream: &mut Protected| Ok(stream.write_all(&bytes)?);
                up += timed(|| client.up(mode, &name, send))?;
                down += timed(|| client.down(mode, &name).map(drop))?;
            }
            let after = cpu(&cluster)?;
            let per = |seconds: f64| seconds * 1e3 / SMALL_FILES as f64;
            println!(
                "{called}, {mode:?}, durability relaxed, fsync never: up {:.0}/s, down {:.0}/s \
                 (CPU ms of both: master {:.2}, slave {:.2}), {} % of the handshakes resumed",
                SMALL_FILES as f64 / up,
                SMALL_FILES as f64 / down,
                per(after.0 - before.0),
                per(after.1 - before.1),
                client.resumed(),
            );
        }
    }
    Ok(())
}
