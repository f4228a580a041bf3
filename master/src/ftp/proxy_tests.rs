//! Clients that somebody else brings: load balancers with the PROXY protocol, bouncers with IDNT. The client's own
//! address counts for limits, for data connections and for whoever looks.

use std::net::IpAddr;
use std::time::Duration;

use drftpd_actors::testkit::{settle, sim};
use tokio::time::sleep;

use super::testkit::{FtpScript, Site};

const BALANCER: &str = "10.0.0.1";
const CLIENT: &str = "198.51.100.7";
const HEADER: &str = "PROXY TCP4 198.51.100.7 203.0.113.1 5000 21\r\n";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

async fn site() -> Site {
    Site::start(|config| {
        config.proxies = vec!["10.0.0.0/24".parse().unwrap()];
        config.bouncers = vec!["10.0.1.0/24".parse().unwrap()];
        config.max_per_address = 2;
    })
    .await
}

async fn proxied(site: &Site) -> FtpScript {
    let mut client = site.connect(Some(ip(BALANCER))).await;
    client.send(HEADER).await;
    client
}

async fn peers(site: &Site) -> Vec<IpAddr> {
    settle().await;
    let sessions = site.server.sessions.list().await.unwrap();
    sessions.iter().map(|row| row.peer.ip()).collect()
}

#[test]
fn a_trusted_proxy_brings_its_client_and_limits_are_the_clients() {
    sim(async {
        let site = site().await;
        let mut brought = Vec::new();
        for _ in 0..2 {
            let mut client = proxied(&site).await;
            client.expect(220).await;
            brought.push(client);
        }
        assert_eq!(peers(&site).await, [ip(CLIENT), ip(CLIENT)]);
        let mut third = proxied(&site).await;
        assert!(third.expect(421).await.contains("your address"));
        // The proxy's own address is not used up by those that it brings.
        let mut other = site.connect(Some(ip(BALANCER))).await;
        other
            .send("PROXY TCP4 198.51.100.8 203.0.113.1 5000 21\r\n")
            .await;
        other.expect(220).await;
        other.log_in("bob").await;
        assert!(other.ask("STAT", 211).await.contains("198.51.100.8"));
    });
}

#[test]
fn a_trusted_proxy_must_say_whom_it_brings_and_nobody_else_is_believed() {
    sim(async {
        let site = site().await;
        let mut mute = site.connect(Some(ip(BALANCER))).await;
        mute.send("USER bob\r\nPASS secret\r\n").await;
        assert_eq!(mute.rest().await, "");
        let mut stranger = site.connect(Some(ip("203.0.113.9"))).await;
        stranger.expect(220).await;
        stranger.ask(HEADER.trim_end(), 502).await;
        assert_eq!(peers(&site).await, [ip("203.0.113.9")]);
    });
}

#[test]
fn behind_a_proxy_epsv_leads_nowhere_and_pasv_is_offered() {
    sim(async {
        let site = site().await;
        let mut client = proxied(&site).await;
        client.expect(220).await;
        client.log_in("bob").await;
        client.ask("EPSV", 502).await;
        client.ask("PASV", 227).await;
        // Data connections go to the client's own address.
        client.ask("PORT 198,51,100,7,19,136", 200).await;
    });
}

#[test]
fn a_bouncer_says_once_and_before_user_whom_it_brings() {
    sim(async {
        let site = site().await;
        let mut client = site.connect(Some(ip("10.0.1.1"))).await;
        client.expect(220).await;
        // No reply: the next one is that of USER.
        client.send("IDNT me@198.51.100.7:a.example\r\n").await;
        client.log_in("bob").await;
        assert_eq!(peers(&site).await, [ip(CLIENT)]);
        assert!(client.ask("STAT", 211).await.contains(CLIENT));
        client.ask("IDNT me@198.51.100.8:a.example", 502).await;
        client.ask("REIN", 220).await;
        assert_eq!(peers(&site).await, [ip(CLIENT)]);
        let mut late = site.connect(Some(ip("10.0.1.1"))).await;
        late.expect(220).await;
        late.ask("IDNT nonsense", 501).await;
        late.ask("USER bob", 331).await;
        late.ask("IDNT me@198.51.100.9:a.example", 503).await;
        let mut stranger = site.connect(Some(ip("203.0.113.9"))).await;
        stranger.expect(220).await;
        stranger.ask("IDNT me@198.51.100.9:a.example", 502).await;
    });
}

#[test]
fn too_many_clients_of_one_address_are_sent_away_whoever_brings_them() {
    sim(async {
        let site = site().await;
        let mut there = Vec::new();
        for number in 1..=3 {
            let mut client = site.connect(Some(ip("10.0.1.1"))).await;
            client.expect(220).await;
            client.send("IDNT me@198.51.100.7:a.example\r\n").await;
            match number {
                3 => drop(client.expect(421).await),
                _ => drop(client.ask("NOOP", 200).await),
            }
            there.push(client);
        }
    });
}

#[test]
fn user_with_an_exclamation_mark_ends_the_users_own_ghosts() {
    sim(async {
        let site = Site::start(|_| {}).await;
        let mut ghost = site.user().await;
        let mut other = site.client().await;
        other.log_in("eve").await;
        sleep(Duration::from_secs(40)).await;
        let mut lively = site.user().await;
        let mut wrong = site.client().await;
        wrong.ask("USER !bob", 331).await;
        wrong.ask("PASS wrong", 530).await;
        ghost.ask("PWD", 257).await;
        sleep(Duration::from_secs(31)).await;
        lively.ask("PWD", 257).await;
        let mut again = site.client().await;
        again.ask("USER !bob", 331).await;
        again.ask("PASS secret", 230).await;
        ghost.expect(421).await;
        ghost.closed().await;
        lively.ask("PWD", 257).await;
        other.ask("PWD", 257).await;
        assert!(again.ask("STAT", 211).await.contains("Logged in as bob"));
    });
}

#[test]
fn host_is_said_before_user_and_only_known_names_are_taken() {
    sim(async {
        let site = Site::start(|config| config.hosts = vec!["ftp.example.org".to_owned()]).await;
        let mut client = site.client().await;
        client.ask("HOST FTP.Example.org", 220).await;
        client.ask("HOST other.example.org", 504).await;
        client.ask("HOST", 501).await;
        assert!(client.ask("FEAT", 211).await.contains(" HOST\r\n"));
        client.ask("USER bob", 331).await;
        client.ask("HOST ftp.example.org", 503).await;
        let any = Site::start(|_| {}).await;
        any.client().await.ask("HOST whatever.example", 220).await;
    });
}
