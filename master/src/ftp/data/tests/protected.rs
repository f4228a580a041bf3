//! What slaves are told of TLS, and what becomes of what they tell: with slaves that the test holds in its hand.

use drftpd_actors::testkit::{Probe, settle, sim};
use drftpd_protocol::wire::{
    AbortTransfer, BeginTransfer, Begun, DataOpened, DataTls, EndedSeen, Fault, FaultCode,
    OpenData, Outcome, Resumption, TlsSeen, TransferEnded,
};
use rustls::version::TLS13;

use crate::events::TransferLogged;
use crate::ftp::testkit::{FtpScript, Site};
use crate::slaves::testkit::{Got, ScriptedSlave};
use crate::tls::testkit::TestTls;
use crate::tls::{Policy, Rule, TlsConfig};

pub(super) struct Bench {
    site: Site,
    tls: TestTls,
    pub(super) slave: ScriptedSlave,
    logged: Probe<TransferLogged>,
}

impl Bench {
    pub(super) async fn new(config: TlsConfig) -> Self {
        let tls = TestTls::new(config);
        let site = Site::with_tls(&tls).await;
        site.file("/x", b"bytes", None).await;
        let slave = site.slaves.slave("a", &[1]).await;
        let logged = Probe::start();
        site.services.bus.subscribe("test", logged.recipient());
        Self {
            site,
            tls,
            slave,
            logged,
        }
    }

    /// Somebody who is logged in, with TLS and under PROT P.
    pub(super) async fn user(&self, name: &str) -> FtpScript {
        let mut client = self.site.client().await;
        client.auth(&self.tls.client(&TLS13)).await;
        client.log_in(name).await;
        client.ask("PROT P", 200).await;
        client
    }

    /// RETR in active mode, as far as its order.
    async fn order(&mut self, client: &mut FtpScript) -> Got<BeginTransfer> {
        client.ask("PORT 127,0,0,1,19,136", 200).await;
        client.send("RETR x\r\n").await;
        let open = self.slave.call::<OpenData>().await;
        let opened = DataOpened {
            address: None,
            port: 0,
        };
        self.slave.answer(&open, &opened);
        self.slave.call::<BeginTransfer>().await
    }

    /// It goes on to this end.
    pub(super) async fn end(
        &mut self,
        begin: &Got<BeginTransfer>,
        outcome: Outcome,
        tls: Option<TlsSeen>,
    ) {
        self.slave.answer(begin, &Begun::of(5));
        settle().await;
        self.slave.tell(&TransferEnded {
            transfer: begin.call.transfer,
            upload: None,
            outcome,
            took_ms: 1,
            tls,
            space: None,
        });
        self.slave.notice::<EndedSeen>().await;
    }

    /// A whole download; gives what the slave was told.
    pub(super) async fn told(&mut self, client: &mut FtpScript) -> Option<DataTls> {
        let begin = self.order(client).await;
        self.end(&begin, Outcome::Sent { bytes: 5 }, None).await;
        client.expect(150).await;
        client.expect(226).await;
        begin.call.tls
    }
}

pub(super) fn key(told: Option<DataTls>) -> [u8; 32] {
    match told {
        Some(DataTls::Server { tickets, .. }) => tickets.0,
        told => panic!("no server: {told:?}"),
    }
}

#[test]
fn a_slave_gets_the_key_of_the_session_and_nothing_in_clear() {
    sim(async {
        let mut bench = Bench::new(TlsConfig::default()).await;
        let mut one = bench.user("bob").await;
        let mut other = bench.user("bob").await;
        let first = key(bench.told(&mut one).await);
        assert_eq!(first, key(bench.told(&mut one).await));
        assert_ne!(first, key(bench.told(&mut other).await));
        one.ask("PROT C", 200).await;
        assert_eq!(bench.told(&mut one).await, None);
        let mut plain = bench.site.user().await;
        assert_eq!(bench.told(&mut plain).await, None);
    });
}

#[test]
fn who_may_have_another_server_at_the_other_end_need_not_resume() {
    sim(async {
        let config = TlsConfig {
            data_resumption: Resumption::Required,
            ..TlsConfig::default()
        };
        let mut bench = Bench::new(config).await;
        for (user, want) in [("finn", Resumption::Required), ("bob", Resumption::Offered)] {
            let mut client = bench.user(user).await;
            let told = bench.told(&mut client).await;
            let Some(DataTls::Server { resumption, .. }) = told else {
                panic!("no server: {told:?}");
            };
            assert_eq!(resumption, want, "{user}");
        }
    });
}

#[test]
fn what_the_slave_saw_is_shown_and_logged() {
    sim(async {
        let mut bench = Bench::new(TlsConfig::default()).await;
        let mut client = bench.user("bob").await;
        let seen = TlsSeen {
            version: "TLS 1.3".to_owned(),
            cipher: "TLS_AES_256_GCM_SHA384".to_owned(),
            resumed: true,
        };
        let begin = bench.order(&mut client).await;
        let sent = Outcome::Sent { bytes: 5 };
        bench.end(&begin, sent, Some(seen.clone())).await;
        client.expect(150).await;
        client.expect(226).await;
        let row = bench.site.server.sessions.list().await.unwrap().remove(0);
        assert_eq!(row.data_tls.as_ref(), Some(&seen));
        assert_eq!(bench.logged.next().await.tls, Some(seen));
        client.ask("PROT C", 200).await;
        bench.told(&mut client).await;
        assert_eq!(bench.logged.next().await.tls, None);
    });
}

#[test]
fn what_goes_wrong_with_tls_is_said_as_the_rfc_has_it() {
    sim(async {
        let mut bench = Bench::new(TlsConfig::default()).await;
        let mut client = bench.user("bob").await;
        for (code, reply) in [
            (FaultCode::TLS_FAILED, 522),
            (FaultCode::TLS_NOT_RESUMED, 522),
            (FaultCode::CONNECTION_BROKEN, 426),
        ] {
            let begin = bench.order(&mut client).await;
            let outcome = Outcome::Broken {
                fault: Fault::new(code, "scripted"),
                bytes: 0,
                kept: None,
            };
            bench.end(&begin, outcome, None).await;
            client.expect(150).await;
            client.expect(reply).await;
        }
        let begin = bench.order(&mut client).await;
        bench.slave.fault(&begin, FaultCode::NO_CERTIFICATE);
        let abort = bench.slave.call::<AbortTransfer>().await;
        bench.slave.answer(&abort, &());
        client.expect(425).await;
    });
}

#[test]
fn files_need_what_the_rules_say_before_any_slave_hears_of_them() {
    sim(async {
        let config = TlsConfig {
            data: Policy::Required,
            ..TlsConfig::default()
        };
        let bench = Bench::new(config).await;
        let mut plain = bench.site.user().await;
        let mut client = bench.user("bob").await;
        client.ask("PROT C", 200).await;
        for user in [&mut plain, &mut client] {
            for line in ["RETR x", "STOR y", "APPE x"] {
                user.ask("PORT 127,0,0,1,19,136", 200).await;
                assert!(user.ask(line, 521).await.contains("PROT P"));
            }
        }
        assert!(bench.slave.is_quiet());
    });
}

#[test]
fn whether_the_session_is_resumed_is_as_the_users_rule_says() {
    sim(async {
        let rule = |user: &str, resumption| Rule {
            users: vec![format!("-{user}")],
            data_resumption: Some(resumption),
            ..Rule::default()
        };
        let config = TlsConfig {
            rules: vec![
                rule("finn", Resumption::Required),
                rule("dora", Resumption::Off),
            ],
            ..TlsConfig::default()
        };
        let mut bench = Bench::new(config).await;
        for (user, want) in [
            ("finn", Resumption::Required),
            ("dora", Resumption::Off),
            ("eve", Resumption::Offered),
        ] {
            let mut client = bench.user(user).await;
            let told = bench.told(&mut client).await;
            let Some(DataTls::Server { resumption, .. }) = told else {
                panic!("no server: {told:?}");
            };
            assert_eq!(resumption, want, "{user}");
        }
    });
}
