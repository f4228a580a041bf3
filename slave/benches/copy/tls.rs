//! Clients of the slave, and bare loops of rustls, under TLS 1.3.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::thread;

use drftpd_actors::tls::{DATA_PROTOCOLS, FtpServer, SessionTickets};
use drftpd_protocol::wire::{Der, FtpCertificate, Outcome};
use rustls::crypto::aws_lc_rs::cipher_suite::TLS13_AES_256_GCM_SHA384;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    SupportedCipherSuite, SupportedProtocolVersion, version,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use crate::plain::{Bench, pour, store};
use crate::slave::TICKETS;
use crate::{CHUNK, LARGE};

/// The client's settings, and those of the bare server.
pub struct Client {
    pub config: Arc<ClientConfig>,
    pub server: Arc<ServerConfig>,
}

/// A certificate, and a client that believes it.
pub fn certificate() -> (FtpCertificate, Client) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let given = FtpCertificate {
        chain: vec![Der(made.cert.der().to_vec())],
        key: Der(made.signing_key.serialize_der()),
    };
    let key = PrivateKeyDer::try_from(given.key.0.clone()).unwrap();
    let chain: Vec<CertificateDer<'static>> = vec![made.cert.der().clone()];
    let server = FtpServer::new(chain, key, DATA_PROTOCOLS).unwrap();
    let client = Client {
        config: client(&server, &version::TLS13, TLS13_AES_256_GCM_SHA384),
        server: server.config(Some(SessionTickets::under(&TICKETS)), 0),
    };
    (given, client)
}

/// A client as people have it: it keeps its sessions. Of the suites it has the one that is measured.
pub fn client(
    server: &FtpServer,
    version: &'static SupportedProtocolVersion,
    suite: SupportedCipherSuite,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(server.certificate().clone()).unwrap();
    let provider = CryptoProvider {
        cipher_suites: vec![suite],
        ..aws_lc_rs::default_provider()
    };
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

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

impl Client {
    fn connect(&self, socket: TcpStream) -> StreamOwned<ClientConnection, LargeReads> {
        socket.set_nodelay(true).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let session = ClientConnection::new(Arc::clone(&self.config), name).unwrap();
        StreamOwned::new(session, LargeReads::of(socket))
    }

    fn drain(&self, socket: TcpStream) -> u64 {
        let mut stream = self.connect(socket);
        let (mut buffer, mut all) = (vec![0; CHUNK], 0);
        loop {
            match stream.read(&mut buffer).unwrap() {
                0 => return all,
                read => all += read as u64,
            }
        }
    }

    fn pour(&self, socket: TcpStream, size: u64) {
        let mut stream = self.connect(socket);
        pour(&mut stream, size);
        stream.conn.send_close_notify();
        stream.flush().unwrap();
    }
}

impl Bench {
    pub fn tls_down(&self, size: u64) {
        let (at, over) = self.order(false, true, size);
        assert_eq!(self.client.drain(TcpStream::connect(at).unwrap()), size);
        assert_eq!(over.recv().unwrap(), Outcome::Sent { bytes: size });
    }

    pub fn tls_up(&self, size: u64) {
        let (at, over) = self.order(true, true, size);
        self.client.pour(TcpStream::connect(at).unwrap(), size);
        let outcome = over.recv().unwrap();
        assert!(matches!(outcome, Outcome::Prepared { size: all, .. } if all == size));
    }

    /// A file read in pieces and written to rustls' own stream.
    pub fn bare_tls_down(&self) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let path = self.dir.join("bare");
        let config = Arc::clone(&self.client.server);
        let server = thread::spawn(move || {
            let (socket, _) = listener.accept().unwrap();
            socket.set_nodelay(true).unwrap();
            let file = File::open(path).unwrap();
            let session = ServerConnection::new(config).unwrap();
            let mut stream = StreamOwned::new(session, socket);
            let mut buffer = vec![0; CHUNK];
            for at in (0..LARGE).step_by(CHUNK) {
                file.read_exact_at(&mut buffer, at).unwrap();
                stream.write_all(&buffer).unwrap();
            }
            stream.conn.send_close_notify();
            stream.flush().unwrap();
        });
        assert_eq!(self.client.drain(TcpStream::connect(at).unwrap()), LARGE);
        server.join().unwrap();
    }

    /// rustls' own stream read in pieces that are written to a file.
    pub fn bare_tls_up(&self, large_reads: bool) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let dir = self.dir.clone();
        let config = Arc::clone(&self.client.server);
        let server = thread::spawn(move || {
            let (socket, _) = listener.accept().unwrap();
            let session = ServerConnection::new(config).unwrap();
            match large_reads {
                true => store(&mut StreamOwned::new(session, LargeReads::of(socket)), &dir),
                false => store(&mut StreamOwned::new(session, socket), &dir),
            }
        });
        self.client.pour(TcpStream::connect(at).unwrap(), LARGE);
        server.join().unwrap();
    }
}
