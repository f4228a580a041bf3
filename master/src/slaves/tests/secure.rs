//! Real TLS on loopback: joining, and which certificates open the door.

use std::sync::Arc;
use std::time::Duration;

use drftpd_actors::testkit::MemNet;
use drftpd_actors::{BoxIo, Clock, Net, TokioNet};
use drftpd_protocol::wire::{Envelope, FrameCodec, Join, Joined, Ping, Pong, Refused, kinds};
use futures_util::{SinkExt, StreamExt};
use rcgen::{CertificateParams, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use tokio::io::AsyncReadExt;
use tokio_util::codec::Framed;

use crate::slaves::testkit::{Rig, ScriptedSlave, hello, slave};
use crate::slaves::{Authority, SlavesConfig};

/// A real network needs a real clock.
fn real<F: Future>(test: F) {
    drftpd_actors::block_on(test).unwrap();
}

async fn rig() -> Rig {
    let config = SlavesConfig {
        remerge_at_start: false,
        ..SlavesConfig::default()
    };
    let net = Arc::new(TokioNet::new());
    Rig::on(net, MemNet::new(), Clock::system(), config).await
}

struct Identity {
    key: KeyPair,
    chain: Vec<CertificateDer<'static>>,
}

async fn dial(rig: &Rig, trusts: &Authority, shows: Option<&Identity>) -> std::io::Result<BoxIo> {
    let mut roots = RootCertStore::empty();
    roots.add(trusts.certificate().clone()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots);
    let config = match shows {
        None => config.with_no_client_auth(),
        Some(identity) => {
            let key = PrivatePkcs8KeyDer::from(identity.key.serialize_der());
            config
                .with_client_auth_cert(identity.chain.clone(), key.into())
                .unwrap()
        }
    };
    let net = TokioNet::new();
    let io = net.connect(None, rig.client.address()).await?;
    let name = ServerName::try_from("master.drftpd.internal").unwrap();
    Ok(net.dial_tls(io, Arc::new(config), name).await?.io)
}

async fn joined(rig: &Rig, name: &str) -> Identity {
    let token = rig.client.add(&slave(name), true).await.unwrap();
    let key = KeyPair::generate().unwrap();
    let request = CertificateParams::default().serialize_request(&key);
    let join = Join {
        secret: token.secret.to_vec(),
        request: request.unwrap().der().to_vec(),
        build: "test".to_owned(),
    };
    let io = dial(rig, rig.client.enroll().authority(), None).await;
    let mut io = Framed::new(io.unwrap(), FrameCodec);
    io.send(Envelope::new(0, kinds::JOIN, &join).unwrap())
        .await
        .unwrap();
    let answer = io.next().await.unwrap().unwrap();
    let joined: Joined = answer.open().unwrap();
    let chain = vec![CertificateDer::from(joined.certificate)];
    Identity { key, chain }
}

async fn come_in(rig: &Rig, name: &str, identity: &Identity) -> Result<ScriptedSlave, Refused> {
    let io = dial(rig, rig.client.enroll().authority(), Some(identity)).await;
    ScriptedSlave::hello(io.unwrap(), hello(name, &[1])).await
}

#[test]
fn a_machine_that_joined_is_a_slave_until_it_is_removed() {
    real(async {
        let rig = rig().await;
        let identity = joined(&rig, "a").await;
        let mut link = come_in(&rig, "a", &identity)
            .await
            .unwrap_or_else(|r| panic!("{}", r.why));
        rig.until(|views| views.contains_key(&slave("a"))).await;
        let name = slave("a");
        let pong = rig.client.call(&name, Ping {}, Duration::from_secs(60));
        assert_eq!(pong.await.unwrap(), Pong {});
        rig.client.remove(&slave("a")).await.unwrap();
        link.is_cut().await;
        rig.until(|views| views.is_empty()).await;
        let revoked = come_in(&rig, "a", &identity).await.err().unwrap();
        assert!(revoked.why.contains("does not belong"), "{}", revoked.why);
    });
}

#[test]
fn a_certificate_opens_the_door_for_its_own_name_only_and_none_for_nobody() {
    real(async {
        let rig = rig().await;
        let identity = joined(&rig, "a").await;
        joined(&rig, "b").await;
        let other = come_in(&rig, "b", &identity).await.err().unwrap();
        assert!(other.why.contains("certificate"), "{}", other.why);
        let io = dial(&rig, rig.client.enroll().authority(), None).await;
        let none = ScriptedSlave::hello(io.unwrap(), hello("a", &[1])).await;
        assert!(none.err().unwrap().why.contains("certificate"));
    });
}

#[test]
fn a_certificate_of_another_authority_does_not_pass_the_handshake() {
    real(async {
        let rig = rig().await;
        joined(&rig, "a").await;
        let (clock, dice) = (rig.clock.clone(), drftpd_actors::Dice::seeded(2));
        let other = Authority::in_memory(clock, dice).unwrap();
        let key = KeyPair::generate().unwrap();
        let request = CertificateParams::default()
            .serialize_request(&key)
            .unwrap();
        let chain = vec![other.issue(&slave("a"), request.der()).unwrap()];
        let identity = Identity { key, chain };
        let ours = rig.client.enroll().authority();
        // In TLS 1.3 a client hears of its certificate's refusal with its first read.
        let refused = match dial(&rig, ours, Some(&identity)).await {
            Ok(mut io) => io.read(&mut [0]).await.is_err(),
            Err(_) => true,
        };
        assert!(refused);
        assert!(
            dial(&rig, &other, None).await.is_err(),
            "nor is the master believed"
        );
    });
}
