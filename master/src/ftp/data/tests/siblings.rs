//! Transfers between servers that are both ours: what each side's slave is told of the other, whoever begins the
//! handshake and in whichever order the client speaks.

use drftpd_actors::testkit::sim;
use drftpd_protocol::wire::{BeginTransfer, DataOpened, DataTls, OpenData, Outcome, TlsPeer};

use super::protected::{Bench, key};
use crate::ftp::testkit::FtpScript;
use crate::slaves::testkit::Got;
use crate::tls::TlsConfig;

/// The slave listens for a download that was announced.
async fn listens(bench: &mut Bench, client: &mut FtpScript, verb: &str) {
    client.ask("PRET RETR x", 200).await;
    client.send(&format!("{verb}\r\n")).await;
    let open = bench.slave.call::<OpenData>().await;
    let opened = DataOpened {
        address: Some([127, 0, 0, 1].into()),
        port: 5001,
    };
    bench.slave.answer(&open, &opened);
    client.expect(227).await;
}

/// The order of the side that listens. A scripted slave takes no uploads, so both sides send; who begins the handshake
/// is no matter of the direction.
async fn of_passive(bench: &mut Bench, client: &mut FtpScript) -> Got<BeginTransfer> {
    client.send("RETR x\r\n").await;
    bench.slave.call::<BeginTransfer>().await
}

/// The order of the side that dials.
async fn of_active(bench: &mut Bench, client: &mut FtpScript) -> Got<BeginTransfer> {
    client.send("RETR x\r\n").await;
    let open = bench.slave.call::<OpenData>().await;
    let opened = DataOpened {
        address: None,
        port: 0,
    };
    bench.slave.answer(&open, &opened);
    bench.slave.call::<BeginTransfer>().await
}

async fn end(bench: &mut Bench, begin: &Got<BeginTransfer>, client: &mut FtpScript) {
    bench.end(begin, Outcome::Sent { bytes: 5 }, None).await;
    client.expect(150).await;
    client.expect(226).await;
}

const BEGINS: DataTls = DataTls::Client {
    peer: TlsPeer::Cluster,
};

#[test]
fn with_sscn_or_cpsv_the_slave_begins_the_handshake_with_anybody_who_is_not_ours() {
    sim(async {
        let mut bench = Bench::new(TlsConfig::default()).await;
        let mut client = bench.user("bob").await;
        let anybody = Some(DataTls::Client { peer: TlsPeer::Any });
        client.ask("SSCN ON", 200).await;
        assert_eq!(bench.told(&mut client).await, anybody);
        client.ask("SSCN OFF", 200).await;
        listens(&mut bench, &mut client, "CPSV").await;
        let begin = of_passive(&mut bench, &mut client).await;
        assert_eq!(begin.call.tls, anybody);
        end(&mut bench, &begin, &mut client).await;
        // It was for that one data connection.
        key(bench.told(&mut client).await);
    });
}

#[test]
fn both_sides_of_ours_are_told_to_prove_it_whichever_begins_and_is_ordered_first() {
    for (verb, sscn, passive, active) in [
        ("CPSV", false, BEGINS, DataTls::ServerOfCluster),
        ("PASV", true, DataTls::ServerOfCluster, BEGINS),
    ] {
        for passive_first in [true, false] {
            sim(async {
                let mut bench = Bench::new(TlsConfig::default()).await;
                let (mut source, mut target) = (bench.user("bob").await, bench.user("eve").await);
                if sscn {
                    target.ask("SSCN ON", 200).await;
                }
                listens(&mut bench, &mut source, verb).await;
                target.ask("PORT 127,0,0,1,19,137", 200).await;
                let (one, other) = if passive_first {
                    let one = of_passive(&mut bench, &mut source).await;
                    (one, of_active(&mut bench, &mut target).await)
                } else {
                    let other = of_active(&mut bench, &mut target).await;
                    (of_passive(&mut bench, &mut source).await, other)
                };
                assert_eq!(one.call.tls.as_ref(), Some(&passive), "{verb}");
                assert_eq!(other.call.tls.as_ref(), Some(&active), "{verb}");
                end(&mut bench, &one, &mut source).await;
                end(&mut bench, &other, &mut target).await;
            });
        }
    }
}

#[test]
fn a_transfer_that_begins_before_anybody_was_sent_there_takes_whoever_comes_and_the_dialling_side_does_not()
 {
    for (verb, sscn, active) in [
        ("CPSV", false, DataTls::ServerOfCluster),
        ("PASV", true, BEGINS),
    ] {
        sim(async {
            let mut bench = Bench::new(TlsConfig::default()).await;
            let (mut source, mut target) = (bench.user("bob").await, bench.user("eve").await);
            if sscn {
                target.ask("SSCN ON", 200).await;
            }
            listens(&mut bench, &mut source, verb).await;
            let one = of_passive(&mut bench, &mut source).await;
            match &one.call.tls {
                Some(DataTls::Client { peer }) => assert_eq!(*peer, TlsPeer::Any),
                told => drop(key(told.clone())),
            }
            target.ask("PORT 127,0,0,1,19,137", 200).await;
            let other = of_active(&mut bench, &mut target).await;
            assert_eq!(other.call.tls.as_ref(), Some(&active), "{verb}");
            end(&mut bench, &one, &mut source).await;
            end(&mut bench, &other, &mut target).await;
        });
    }
}

#[test]
fn who_says_port_for_every_port_that_there_is_makes_nobody_wait_for_one_of_ours() {
    sim(async {
        let mut bench = Bench::new(TlsConfig::default()).await;
        let (mut source, mut hostile) = (bench.user("bob").await, bench.user("eve").await);
        listens(&mut bench, &mut source, "PASV").await;
        for port in 135..140 {
            hostile.ask(&format!("PORT 127,0,0,1,19,{port}"), 200).await;
        }
        let begin = of_passive(&mut bench, &mut source).await;
        key(begin.call.tls.clone());
        end(&mut bench, &begin, &mut source).await;
        // And nobody who is gone does.
        listens(&mut bench, &mut source, "PASV").await;
        hostile.ask("PORT 127,0,0,1,19,137", 200).await;
        hostile.ask("QUIT", 221).await;
        drop(hostile);
        drftpd_actors::testkit::settle().await;
        let begin = of_passive(&mut bench, &mut source).await;
        key(begin.call.tls.clone());
        end(&mut bench, &begin, &mut source).await;
    });
}
