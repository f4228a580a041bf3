//! Rules of TLS for users and groups: judged before the password is said, again when it was right, and anew when the
//! configuration was read again.

use drftpd_actors::testkit::sim;
use rustls::version::TLS13;

use crate::ftp::testkit::{FtpScript, PASSWORD, Site};
use crate::tls::testkit::TestTls;
use crate::tls::{Policy, Rule, TlsConfig};

async fn site(login: Policy, rules: Vec<Rule>) -> (Site, TestTls) {
    let tls = TestTls::new(TlsConfig {
        login,
        rules,
        ..TlsConfig::default()
    });
    (Site::with_tls(&tls).await, tls)
}

fn rule(users: &[&str], login: Policy) -> Rule {
    Rule {
        users: users.iter().map(|&user| user.to_owned()).collect(),
        login: Some(login),
        ..Rule::default()
    }
}

async fn secured(site: &Site, tls: &TestTls) -> FtpScript {
    let mut client = site.client().await;
    client.auth(&tls.client(&TLS13)).await;
    client
}

#[test]
fn who_needs_tls_hears_so_before_the_password_and_nobody_else_does() {
    sim(async {
        let (site, tls) = site(Policy::Allowed, vec![rule(&["-bob"], Policy::Required)]).await;
        let mut client = site.client().await;
        for name in ["bob", "!bob"] {
            let said = client.ask(&format!("USER {name}"), 530).await;
            assert!(said.contains("AUTH TLS"), "{said}");
            client.ask(&format!("PASS {PASSWORD}"), 503).await;
        }
        client.log_in("eve").await;
        secured(&site, &tls).await.log_in("bob").await;
    });
}

#[test]
fn a_group_may_be_let_in_without_tls_where_all_others_need_it() {
    sim(async {
        let rules = vec![
            rule(&["-eve"], Policy::Required),
            rule(&["=users"], Policy::Allowed),
        ];
        let (site, _tls) = site(Policy::Required, rules).await;
        let mut client = site.client().await;
        client.ask("USER eve", 530).await;
        client.log_in("bob").await;
    });
}

#[test]
fn a_name_that_nobody_has_is_answered_as_one_that_somebody_could_have() {
    sim(async {
        let (site, tls) = site(Policy::Allowed, vec![rule(&["-bob"], Policy::Required)]).await;
        // The lot of a name is its length here.
        for (name, code) in [("nobody", 530), ("no-body", 331)] {
            for _ in 0..2 {
                let mut client = site.client().await;
                client.ask(&format!("USER {name}"), code).await;
            }
            let mut client = secured(&site, &tls).await;
            client.ask(&format!("USER {name}"), 331).await;
        }
        // Where it cannot be known, nobody is asked for a password.
        let mut client = site.client().await;
        client.ask("USER busy", 421).await;
        client.closed().await;
    });
}

#[test]
fn the_accounts_are_not_asked_where_the_rule_is_the_same_for_all_that_it_may_be() {
    sim(async {
        for (login, code) in [(Policy::Allowed, 331), (Policy::Required, 530)] {
            let listings = Rule {
                users: vec!["-bob".to_owned()],
                listings: Some(Policy::Required),
                ..Rule::default()
            };
            let (site, _tls) = site(login, vec![listings]).await;
            let mut client = site.client().await;
            client.ask("USER busy", code).await;
        }
    });
}

#[test]
fn who_may_not_have_tls_hears_so_under_tls_and_is_let_in_without() {
    sim(async {
        let (site, tls) = site(Policy::Allowed, vec![rule(&["-bob"], Policy::Refused)]).await;
        let mut client = secured(&site, &tls).await;
        client.ask("USER bob", 530).await;
        client.log_in("eve").await;
        site.client().await.log_in("bob").await;
        // Where nobody may, it is not begun.
        tls.reload(TlsConfig {
            login: Policy::Refused,
            ..TlsConfig::default()
        });
        site.client().await.ask("AUTH TLS", 534).await;
    });
}

#[test]
fn a_login_is_judged_again_once_the_password_was_right() {
    sim(async {
        let (site, tls) = site(Policy::Allowed, Vec::new()).await;
        let mut client = site.client().await;
        client.ask("USER bob", 331).await;
        tls.reload(TlsConfig {
            rules: vec![rule(&["-bob"], Policy::Required)],
            ..TlsConfig::default()
        });
        client.ask(&format!("PASS {PASSWORD}"), 530).await;
        client.ask("PWD", 530).await;
    });
}

#[test]
fn rules_that_were_read_again_count_in_sessions_that_run() {
    sim(async {
        let (site, tls) = site(Policy::Allowed, Vec::new()).await;
        let mut client = secured(&site, &tls).await;
        client.log_in("bob").await;
        client.ask("PORT 127,0,0,1,19,136", 200).await;
        tls.reload(TlsConfig {
            rules: vec![Rule {
                users: vec!["=users".to_owned()],
                listings: Some(Policy::Required),
                data: Some(Policy::Required),
                ..Rule::default()
            }],
            ..TlsConfig::default()
        });
        client.ask("NLST", 521).await;
        client.ask("PROT C", 534).await;
        client.ask("PROT P", 200).await;
    });
}
