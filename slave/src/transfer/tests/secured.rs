//! Clients with TLS, and the control connection whose session they resume.

use drftpd_actors::Secured;
use drftpd_actors::tls::{CONTROL_PROTOCOLS, FtpServer, SessionTickets};
use drftpd_protocol::wire::{DataTls, Der, FtpCertificate, Resumption, TicketKey};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, version};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use super::*;

pub(super) const BOTH: [&SupportedProtocolVersion; 2] = [&version::TLS12, &version::TLS13];

/// Runs a test over a network in memory that has TLS; the clock jumps.
pub(super) fn in_memory<F: Future>(test: impl FnOnce(Rig) -> F) -> F::Output {
    sim(async {
        let net = Arc::new(MemNet::new().with_tls());
        test(Rig::start(net, Blocking::inline(), config())).await
    })
}

pub(super) fn certificate() -> FtpCertificate {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    FtpCertificate {
        chain: vec![Der(made.cert.der().to_vec())],
        key: Der(made.signing_key.serialize_der()),
    }
}

/// An FTP client with its control session.
pub(super) struct Client {
    pub(super) config: Arc<ClientConfig>,
    pub(super) key: TicketKey,
    certificate: FtpCertificate,
}

impl Client {
    /// Believes this certificate and keeps its sessions, as most do.
    pub(super) fn of(
        certificate: &FtpCertificate,
        version: &'static SupportedProtocolVersion,
    ) -> Self {
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from(certificate.chain[0].0.clone());
        roots.add(authority).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Client {
            config: Arc::new(config),
            key: TicketKey([7; 32]),
            certificate: certificate.clone(),
        }
    }

    /// A rig whose slave has the certificate, and a client of this version.
    pub(super) fn for_rig(rig: &Rig, version: &'static SupportedProtocolVersion) -> Self {
        let certificate = certificate();
        rig.transfers.set_certificate(certificate.clone()).unwrap();
        Client::of(&certificate, version)
    }

    pub(super) fn order(&self, resumption: Resumption) -> Option<DataTls> {
        Some(DataTls::Server {
            tickets: self.key,
            resumption,
        })
    }

    pub(super) async fn handshake(&self, net: &dyn Net, io: BoxIo) -> std::io::Result<Secured> {
        let name = ServerName::try_from("localhost").unwrap();
        net.dial_tls(io, Arc::clone(&self.config), name).await
    }

    /// Logs in somewhere: a handshake under a key, after which there are tickets.
    pub(super) async fn control(&self, net: &dyn Net, key: TicketKey) {
        let chain = vec![CertificateDer::from(self.certificate.chain[0].0.clone())];
        let secret = PrivateKeyDer::try_from(self.certificate.key.0.clone()).unwrap();
        let server = FtpServer::new(chain, secret, CONTROL_PROTOCOLS).unwrap();
        let config = server.config(Some(SessionTickets::under(&key.0)), 4);
        let listener = net.bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let near = net.connect(None, listener.local_addr().unwrap()).await;
        let far = listener.accept().await.unwrap().adopt().unwrap();
        let (near, far) = tokio::join!(
            self.handshake(net, near.unwrap()),
            net.serve_tls(far, config)
        );
        let (mut near, mut far) = (near.unwrap().io, far.unwrap().io);
        write(&mut far, b"220").await;
        assert_eq!(read_some(&mut near, 3).await, b"220");
    }

    /// Begins a transfer under TLS, its client there.
    pub(super) async fn begin(&self, rig: &mut Rig, job: Job) -> BoxIo {
        let (transfer, io) = self.begin_raw(rig, job, Resumption::Offered).await;
        assert_eq!(transfer.0, rig.last);
        self.handshake(rig.net.as_ref(), io).await.unwrap().io
    }

    /// Begins an upload of a new file.
    pub(super) async fn up(&self, rig: &mut Rig, node: u64) -> BoxIo {
        let job = rig.receive(node, Base::Empty);
        self.begin(rig, job).await
    }

    /// Begins a download.
    pub(super) async fn down(&self, rig: &mut Rig, node: u64) -> BoxIo {
        let job = rig.send(node);
        self.begin(rig, job).await
    }

    /// Begins a transfer with its own limits, the client there and secured.
    pub(super) async fn limited(
        &self,
        rig: &mut Rig,
        job: Job,
        limit: impl FnOnce(&mut BeginTransfer),
    ) -> (TransferId, BoxIo) {
        let (transfer, to) = rig.listen().await;
        let io = rig.connect(to).await;
        let mut order = rig.order(transfer, job);
        order.tls = self.order(Resumption::Offered);
        limit(&mut order);
        rig.transfers.begin(order).await.unwrap();
        let secured = self.handshake(rig.net.as_ref(), io).await.unwrap();
        (transfer, secured.io)
    }

    /// The same before the handshake.
    pub(super) async fn begin_raw(
        &self,
        rig: &mut Rig,
        job: Job,
        resumption: Resumption,
    ) -> (TransferId, BoxIo) {
        let me = PeerRule::Only("127.0.0.1".parse().unwrap());
        let (transfer, to) = rig.listen_for(me).await;
        let io = rig.connect(to).await;
        let mut order = rig.order(transfer, job);
        order.tls = self.order(resumption);
        rig.transfers.begin(order).await.unwrap();
        (transfer, io)
    }
}

/// Says `close_notify` and closes our side.
pub(super) async fn close(io: &mut BoxIo) {
    io.shutdown().await.unwrap();
}
