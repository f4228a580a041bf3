//! PASV, EPSV, PORT and EPRT as far as the master itself is concerned.

use std::net::IpAddr;

use drftpd_actors::Net;
use drftpd_actors::testkit::sim;

use super::testing::{address, port};
use crate::ftp::data::{DataConfig, DataSide, PassiveConfig, WithoutPret};
use crate::ftp::testkit::Site;

async fn site_with(passive: PassiveConfig) -> Site {
    let data = DataSide::new(passive, DataConfig::default());
    Site::with_data(data).await
}

fn refusing() -> PassiveConfig {
    PassiveConfig {
        without_pret: WithoutPret::Refuse,
        ..PassiveConfig::default()
    }
}

#[test]
fn the_last_passive_port_is_the_only_one_that_listens() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let mut bob = site.user().await;
        let first = address(&bob.ask("PASV", 227).await);
        assert_eq!(first.ip(), site.address().ip());
        let second = port(&bob.ask("EPSV", 229).await);
        let second = (site.address().ip(), second).into();
        assert!(site.net.connect(None, second).await.is_ok());
        assert!(first == second || site.net.connect(None, first).await.is_err());
        bob.ask("PORT 127,0,0,1,19,136", 200).await;
        assert!(site.net.connect(None, second).await.is_err());
    });
}

#[test]
fn an_abort_without_a_transfer_gives_the_port_up() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let mut bob = site.user().await;
        let at = address(&bob.ask("PASV", 227).await);
        bob.ask("ABOR", 226).await;
        assert!(site.net.connect(None, at).await.is_err());
    });
}

#[test]
fn ports_that_lead_elsewhere_are_refused_and_broken_ones_are_malformed() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let mut bob = site.user().await;
        for line in [
            "PORT 127,0,0,1,0,22",
            "EPRT |1|127.0.0.1|1023|",
            // An operator may FXP, but not with what is no host out there.
            "PORT 0,0,0,0,19,136",
            "PORT 224,0,0,1,19,136",
        ] {
            bob.ask(line, 504).await;
        }
        for line in ["PORT ,19,136", "PORT 1,2,3", "EPRT |1|x|5000|", "PORT"] {
            bob.ask(line, 501).await;
        }
        bob.ask("EPRT |3|x|5000|", 522).await;
        bob.ask("PORT 192,0,2,7,19,136", 200).await;
    });
}

#[test]
fn after_epsv_all_only_epsv_is_taken() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let mut bob = site.user().await;
        bob.ask("EPSV ALL", 200).await;
        for line in ["PASV", "PORT 127,0,0,1,19,136", "EPRT |1|127.0.0.1|5000|"] {
            bob.ask(line, 503).await;
        }
        bob.ask("EPSV", 229).await;
    });
}

#[test]
fn epsv_is_for_the_protocol_of_the_control_connection() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let mut bob = site.user().await;
        let other = bob.ask("EPSV 2", 522).await;
        assert!(other.contains("(1)"), "{other}");
        bob.ask("EPSV 3", 522).await;
        bob.ask("EPSV 1", 229).await;
        bob.ask("CEPR ON", 200).await;
        let named = bob.ask("EPSV", 229).await;
        assert!(named.contains("(|1|127.0.0.1|"), "{named}");
        bob.ask("CEPR maybe", 501).await;
    });
}

#[test]
fn the_address_of_227_can_be_set() {
    sim(async {
        let announced: IpAddr = "192.0.2.99".parse().unwrap();
        let site = site_with(PassiveConfig {
            announce_address: Some(announced),
            ..PassiveConfig::default()
        });
        let site = site.await;
        let mut bob = site.user().await;
        let at = address(&bob.ask("PASV", 227).await);
        assert_eq!(at.ip(), announced);
        let here = (site.address().ip(), at.port()).into();
        assert!(site.net.connect(None, here).await.is_ok());
    });
}

#[test]
fn where_pret_is_demanded_its_name_is_told_and_listings_still_work() {
    sim(async {
        let site = site_with(refusing()).await;
        let mut bob = site.user().await;
        for verb in ["PASV", "EPSV"] {
            let told = bob.ask(verb, 500).await;
            assert!(told.contains("PRET"), "{told}");
        }
        bob.ask("PRET MLSD ", 200).await;
        let at = address(&bob.ask("PASV", 227).await);
        let data = site.net.connect(None, at).await.unwrap();
        bob.ask("MLSD", 150).await;
        drop(data);
        bob.expect(226).await;
        // It was for that one transfer.
        bob.ask("PASV", 500).await;
    });
}

#[test]
fn what_cannot_be_done_is_refused_by_pret_already() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let mut bob = site.user().await;
        bob.ask("PRET RETR none", 550).await;
        bob.ask("PRET RETR /", 550).await;
        bob.ask("PRET STOR .drftpd", 553).await;
        bob.ask("PRET STOR none/x", 550).await;
        bob.ask("PRET STOR /", 550).await;
        bob.ask("PRET NOOP", 504).await;
        bob.ask("PRET", 501).await;
        bob.ask("PRET RETR", 501).await;
        bob.ask("REST 5", 350).await;
        bob.ask("PRET STOR new", 554).await;
        bob.ask("PRET STOR new", 554).await;
        bob.ask("PWD", 257).await;
        bob.ask("PRET STOR new", 200).await;
        for announced in ["LIST", "NLST -al", "MLSD ", "STOU", "APPE new"] {
            bob.ask(&format!("PRET {announced}"), 200).await;
        }
    });
}

#[test]
fn over_ipv6_there_is_epsv_and_no_pasv() {
    sim(async {
        let site = Site::start(|config| config.listen = vec!["[2001:db8::9]:21".parse().unwrap()]);
        let site = site.await;
        let client: IpAddr = "2001:db8::1".parse().unwrap();
        let mut bob = site.connect(Some(client)).await;
        bob.expect(220).await;
        bob.log_in("bob").await;
        bob.ask("PASV", 425).await;
        bob.ask("EPSV 1", 522).await;
        let named = bob.ask("EPSV 2", 229).await;
        assert!(named.contains("(|2|2001:db8::9|"), "{named}");
        let plain = bob.ask("EPSV", 229).await;
        assert!(plain.contains("(|||"), "{plain}");
        let at = (site.address().ip(), port(&plain)).into();
        let data = site.net.connect(Some(client), at).await.unwrap();
        bob.ask("NLST", 150).await;
        drop(data);
        bob.expect(226).await;
    });
}
