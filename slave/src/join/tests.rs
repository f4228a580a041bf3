//! Joining over real TLS on the loopback, with an authority made for the test.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use drftpd_actors::{BoxIo, Listener, Place, TokioNet, block_on};
use drftpd_protocol::wire::{Hello, Welcome};
use drftpd_protocol::{Epoch, StoreId};
use rcgen::{
    BasicConstraints, CertificateSigningRequestParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose,
};
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;

use super::*;
use crate::link::tls::MASTER_NAME;
use crate::{Deps, SlaveConfig, check as check_config, run};

const SECRET: [u8; 32] = [7; 32];

type Authority = CertifiedIssuer<'static, KeyPair>;

fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key")
}

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
        .distinguished_name
        .push(DnType::CommonName, "authority");
    CertifiedIssuer::self_signed(params, key()).expect("an authority")
}

/// A master that takes one connection after the other.
struct Master {
    authority: Authority,
    listener: Box<dyn Listener>,
    tls: Arc<ServerConfig>,
}

impl Master {
    async fn new(authority: Authority, server_name: &str, clients_prove: bool) -> Self {
        let key = key();
        let mut params = CertificateParams::new([server_name.to_owned()]).expect("a name");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let leaf = params.signed_by(&key, &authority).expect("is signed");
        let chain = vec![leaf.der().clone(), authority.der().clone()];
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).expect("an authority");
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3");
        let builder = match clients_prove {
            false => builder.with_no_client_auth(),
            true => builder.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                    .build()
                    .expect("a verifier"),
            ),
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let net = TokioNet::new();
        let any = "127.0.0.1:0".parse().expect("an address");
        Master {
            authority,
            listener: net.bind(any).await.expect("listens"),
            tls: Arc::new(builder.with_single_cert(chain, key).expect("fits")),
        }
    }

    fn at(&self) -> MasterAddress {
        self.listener.local_addr().expect("listens").into()
    }

    fn token(&self) -> JoinToken {
        JoinToken {
            secret: SECRET,
            authority: pin::fingerprint(self.authority.der()),
        }
    }

    async fn accept(&self) -> std::io::Result<(Framed<BoxIo, FrameCodec>, Option<SlaveId>)> {
        let io = self.listener.accept().await?.adopt()?;
        let secured = TokioNet::new().serve_tls(io, Arc::clone(&self.tls)).await?;
        let name = secured.peer_certificates.first().and_then(subject_name);
        Ok((Framed::new(secured.io, FrameCodec), name))
    }

    /// Takes one machine that joins; signs its request for `name`.
    async fn admit(&self, name: &str) {
        let Ok((mut frames, _)) = self.accept().await else {
            return;
        };
        let Some(Ok(frame)) = frames.next().await else {
            return;
        };
        let join: Join = frame.open().expect("a join");
        let answer = if join.secret == SECRET {
            let joined = self.sign(&join.request, name);
            Envelope::new(0, kinds::JOINED, &joined)
        } else {
            let why = "the token is used up".to_owned();
            Envelope::new(0, kinds::REFUSED, &Refused { why, retry: false })
        };
        frames.send(answer.expect("encodes")).await.expect("sends");
    }

    fn sign(&self, request: &[u8], name: &str) -> Joined {
        let mut request = CertificateSigningRequestParams::from_der(&request.to_vec().into())
            .expect("is a request, signed by its key");
        request.params.distinguished_name = rcgen::DistinguishedName::new();
        request
            .params
            .distinguished_name
            .push(DnType::CommonName, name);
        request.params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = request.signed_by(&self.authority).expect("is signed");
        Joined {
            name: "disk-7".parse().expect("a name"),
            certificate: certificate.der().to_vec(),
            authority: self.authority.der().to_vec(),
        }
    }
}

fn order(master: &Master, folder: &TempDir) -> JoinOrder {
    let roots = vec![folder.path().join("disks/a"), folder.path().join("disks/b")];
    for root in &roots {
        fs::create_dir_all(root).expect("a folder");
    }
    JoinOrder {
        master: master.at(),
        token: master.token(),
        roots,
        config: folder.path().join("slave.toml"),
    }
}

/// Joins while a master admits one machine.
async fn joins(order: &JoinOrder, master: &Master, name: &str) -> Result<SlaveId, JoinError> {
    let dice = Dice::seeded(1);
    let (joined, ()) = tokio::join!(
        join(order, Arc::new(TokioNet::new()), &dice),
        master.admit(name)
    );
    joined
}

fn files(folder: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).expect("reads");
    let names = entries.map(|entry| entry.expect("reads").file_name());
    let mut names: Vec<String> = names
        .map(|name| name.into_string().expect("UTF-8"))
        .collect();
    names.sort();
    names
}

#[test]
fn a_machine_joins_and_its_configuration_serves_over_mutual_tls() {
    let served = block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let master = Master::new(authority(), MASTER_NAME, false).await;
        let order = order(&master, &folder);
        let name = joins(&order, &master, "disk-7").await.unwrap();
        assert_eq!(name.as_str(), "disk-7");
        let key = folder.path().join("slave-key.pem");
        assert_eq!(
            fs::metadata(&key).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let all = [
            "disks",
            "slave-authority.pem",
            "slave-cert.pem",
            "slave-key.pem",
            "slave.toml",
        ];
        assert_eq!(files(&folder), all);

        let mut config = SlaveConfig::read(&order.config).unwrap();
        assert_eq!(check_config(&config), Ok(()));
        assert_eq!(config.root.len(), 2);
        let mutual = Master::new(master.authority, MASTER_NAME, true).await;
        config.master.address = Some(mutual.at());
        let deps = Deps::real(Arc::new(TokioNet::new()), Place::here(), 2);
        let drain = deps.drain.clone();
        let slave = actix::spawn(run(config, deps));
        let (mut frames, proved) = mutual.accept().await.unwrap();
        let hello: Hello = frames.next().await.unwrap().unwrap().open().unwrap();
        assert_eq!((Some(&hello.name), hello.roots.len()), (proved.as_ref(), 2));
        let welcome = Welcome {
            revision: 1,
            epoch: Epoch(1),
            store: StoreId([1; 16]),
            heartbeat_ms: 10_000,
            build: "test".into(),
        };
        let welcome = Envelope::new(0, kinds::WELCOME, &welcome).unwrap();
        frames.send(welcome.of(Epoch(1))).await.unwrap();
        let alive = frames.next().await.unwrap().unwrap();
        assert_eq!(alive.kind, kinds::ALIVE);
        drain.begin(Duration::from_secs(10));
        slave.await.unwrap()
    });
    served.expect("a runtime").expect("drains in peace");
}

#[test]
fn a_master_with_another_authority_is_named_and_nothing_is_left_behind() {
    let failed = block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let master = Master::new(authority(), MASTER_NAME, false).await;
        let mut order = order(&master, &folder);
        order.token.authority = [0; 32];
        let failed = joins(&order, &master, "disk-7").await;
        assert_eq!(files(&folder), ["disks"]);
        failed
    });
    let failed = failed.expect("a runtime").expect_err("is refused");
    assert!(
        matches!(failed, JoinError::Pin(PinError::OtherAuthority)),
        "{failed}"
    );
}

#[test]
fn a_certificate_that_the_authority_did_not_sign_or_for_another_host_is_refused() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let real = authority();
        let elsewhere = Master::new(real, "elsewhere.example", false).await;
        let failed = joins(&order(&elsewhere, &folder), &elsewhere, "disk-7").await;
        assert!(
            matches!(failed, Err(JoinError::Pin(PinError::NotSigned(_)))),
            "{failed:?}"
        );

        let mut impostor = Master::new(authority(), MASTER_NAME, false).await;
        let token = JoinToken {
            secret: SECRET,
            authority: pin::fingerprint(elsewhere.authority.der()),
        };
        let key = key();
        let own = authority();
        let params = CertificateParams::new([MASTER_NAME.to_owned()]).unwrap();
        let leaf = params.signed_by(&key, &own).unwrap();
        let chain: Vec<CertificateDer<'static>> =
            vec![leaf.der().clone(), elsewhere.authority.der().clone()];
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap();
        impostor.tls = Arc::new(
            builder
                .with_no_client_auth()
                .with_single_cert(chain, key)
                .unwrap(),
        );
        let mut order = order(&impostor, &folder);
        order.token = token;
        let failed = joins(&order, &impostor, "disk-7").await;
        assert!(
            matches!(failed, Err(JoinError::Pin(PinError::NotSigned(_)))),
            "{failed:?}"
        );
    })
    .expect("a runtime");
}

#[test]
fn what_the_master_says_against_a_token_reaches_the_operator() {
    let failed = block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let master = Master::new(authority(), MASTER_NAME, false).await;
        let mut order = order(&master, &folder);
        order.token.secret = [8; 32];
        joins(&order, &master, "disk-7").await
    });
    let failed = failed.expect("a runtime").expect_err("is refused");
    assert_eq!(
        failed.to_string(),
        "the master refuses: the token is used up"
    );
}

#[test]
fn a_certificate_for_another_name_is_not_kept() {
    let failed = block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let master = Master::new(authority(), MASTER_NAME, false).await;
        let failed = joins(&order(&master, &folder), &master, "disk-8").await;
        assert_eq!(files(&folder), ["disks"]);
        failed
    });
    let failed = failed.expect("a runtime").expect_err("is refused");
    assert!(matches!(failed, JoinError::Answer(_)), "{failed}");
}

#[test]
fn a_configuration_that_exists_is_not_overwritten_and_an_unreachable_master_is_named() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let master = Master::new(authority(), MASTER_NAME, false).await;
        let order = order(&master, &folder);
        drop(master);
        let (net, dice) = (Arc::new(TokioNet::new()), Dice::seeded(1));
        let failed = join(&order, net.clone(), &dice).await.unwrap_err();
        assert!(failed.to_string().contains("was not reached"), "{failed}");
        fs::write(&order.config, "mine").unwrap();
        let failed = join(&order, net, &dice).await.unwrap_err();
        assert!(
            matches!(&failed, JoinError::Exists(path) if *path == order.config),
            "{failed}"
        );
        assert!(failed.is_usage());
        assert_eq!(fs::read_to_string(&order.config).unwrap(), "mine");
    })
    .expect("a runtime");
}

#[test]
fn a_root_that_is_not_there_is_named_and_nothing_is_made() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let master = Master::new(authority(), MASTER_NAME, false).await;
        let mut order = order(&master, &folder);
        let missing = folder.path().join("disks/typo");
        order.roots.push(missing.clone());
        order.config = folder.path().join("etc/drftpd/slave.toml");
        let net = Arc::new(TokioNet::new());
        let failed = join(&order, net, &Dice::seeded(1)).await.unwrap_err();
        assert!(
            matches!(&failed, JoinError::Root { path, .. } if *path == missing),
            "{failed}"
        );
        assert!(failed.is_usage() && failed.to_string().contains("no such folder"));
        assert_eq!(files(&folder), ["disks"]);
        assert!(!missing.exists() && !order.roots[0].join(".drftpd").exists());
    })
    .expect("a runtime");
}

#[test]
fn the_folder_of_the_configuration_is_made_for_its_owner() {
    block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let master = Master::new(authority(), MASTER_NAME, false).await;
        let mut order = order(&master, &folder);
        order.config = folder.path().join("etc/drftpd/slave.toml");
        joins(&order, &master, "disk-7").await.expect("joins");
        let made = folder.path().join("etc/drftpd");
        let mode = made.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        assert!(order.config.is_file());
    })
    .expect("a runtime");
}
