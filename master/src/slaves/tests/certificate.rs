//! The certificate that FTP clients see comes to every slave.

use std::sync::Arc;
use std::time::Duration;

use drftpd_actors::testkit::sim;
use drftpd_protocol::wire::{FaultCode, FtpCertificate};

use crate::slaves::testkit::{Rig, slave};
use crate::tls::TlsConfig;
use crate::tls::testkit::TestTls;

#[test]
fn it_is_the_first_thing_on_a_link_and_comes_again_when_it_changes() {
    sim(async {
        let tls = TestTls::new(TlsConfig::default());
        let rig = Rig::with_certificates(tls.certificates.clone()).await;
        let shown = || Arc::clone(&tls.certificates.borrow().wire);
        let mut link = rig.slave("a", &[1]).await;
        let first = link.call::<FtpCertificate>().await;
        assert_eq!(first.call, *shown());
        link.answer(&first, &());
        tls.renew();
        let second = link.call::<FtpCertificate>().await;
        assert_eq!(second.call, *shown());
        assert_ne!(second.call, first.call);
        // What a slave says to it is its own matter.
        link.fault(&second, FaultCode::BAD_REQUEST);
        tls.renew();
        let third = link.call::<FtpCertificate>().await;
        assert_eq!(third.call, *shown());
        drop(link);
        rig.until(|views| !views.contains_key(&slave("a"))).await;
        let mut again = rig.slave("a", &[1]).await;
        let first = again.call::<FtpCertificate>().await;
        assert_eq!(first.call, *shown());
    });
}

#[test]
fn one_that_changes_while_a_slave_is_slow_comes_once_and_is_the_latest() {
    sim(async {
        let tls = TestTls::new(TlsConfig::default());
        let rig = Rig::with_certificates(tls.certificates.clone()).await;
        let mut link = rig.slave("a", &[1]).await;
        let first = link.call::<FtpCertificate>().await;
        tls.renew();
        tls.renew();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(link.is_quiet());
        link.answer(&first, &());
        let latest = link.call::<FtpCertificate>().await;
        assert_eq!(latest.call, *tls.certificates.borrow().wire);
        link.answer(&latest, &());
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(link.is_quiet());
    });
}
