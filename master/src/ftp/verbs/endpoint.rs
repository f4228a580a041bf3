//! How the next data connection comes about: PRET PASV CPSV EPSV CEPR PORT EPRT.

use std::net::{IpAddr, SocketAddr, SocketAddrV4};

use drftpd_protocol::ftp::args::Epsv;
use drftpd_protocol::ftp::{Line, Reply, args};
use drftpd_protocol::wire::Family;

use super::{Arg, Change, Done, Feat, Keeps, Verb, VerbResult};
use crate::ftp::data::announce::{Announced, is_reachable, slave_listens};
use crate::ftp::data::passive::announced_address;
use crate::ftp::data::reach::PassiveBy;
use crate::ftp::data::{Endpoint, EpsvAfterPret, Passive, WithoutPret, channel, plans};
use crate::ftp::error::FtpError;
use crate::ftp::services::VerbCx;
use crate::ftp::state::{Pret, Prot};

/// `PRET` (DrFTPD): announces the next transfer, so that PASV can name the slave that serves it. What would refuse
/// the transfer refuses it here already.
pub(super) const PRET: Verb = Verb {
    name: "PRET",
    syntax: "PRET <SP> verb [<SP> pathname]",
    feat: Feat::Line("PRET"),
    keeps: Keeps::Rest,
    run: |cx, arg| Box::pin(pret(cx, arg)),
    ..Verb::PLAIN
};

async fn pret(cx: VerbCx, arg: Arg) -> VerbResult {
    let line = args::pret(arg.bytes())?;
    match announce(&cx, &line).await {
        Ok(pret) => {
            cx.reach.goes_on();
            let reply = Reply::new(200, "Announced, use PASV, EPSV, PORT or EPRT");
            Ok(Done::with(reply, Change::Pret(Some(pret))))
        }
        // What was announced before does not hold any more either.
        Err(why) => Ok(Done::with(why.reply(), Change::Pret(None))),
    }
}

async fn announce(cx: &VerbCx, line: &Line) -> Result<Pret, FtpError> {
    let verb = line.verb;
    let named = matches!(verb.as_str(), "RETR" | "STOR" | "APPE");
    let path = match named {
        true => Some(cx.path(args::path(line.arg())?)?),
        false => None,
    };
    let pret = Pret { verb, path };
    let path = match Announced::of(&pret, cx.state.rest) {
        None => return Err(FtpError::Said(Reply::not_for_that())),
        Some(Announced::Listing | Announced::Unique) => None,
        Some(Announced::Download(path)) => {
            let from = plans::download(cx, &path).await?;
            from.present(cx)?;
            Some(from.path)
        }
        Some(Announced::Upload(path, mode)) => Some(plans::upload(cx, &path, mode).await?.path),
    };
    Ok(Pret { verb, path })
}

/// `PASV` (RFC 959): one port for one data connection, on a slave if PRET announced what for, else here.
pub(super) const PASV: Verb = Verb {
    name: "PASV",
    syntax: "PASV",
    feat: Feat::Line("PASV"),
    keeps: Keeps::Rest,
    run: |cx, _| Box::pin(pasv(cx)),
    ..Verb::PLAIN
};

async fn pasv(cx: VerbCx) -> VerbResult {
    not_after_epsv_all(&cx)?;
    let use_epsv = || FtpError::Said(Reply::new(425, "Use EPSV over IPv6"));
    if cx.client().is_ipv6() {
        // Which IPv4 address it would come from nobody knows.
        return Err(use_epsv());
    }
    if let Some(announced) = announced(&cx)
        && by_slave(&cx)
        && let Some((reserved, at)) = slave_listens(&cx, &announced, Family::V4).await?
        && let SocketAddr::V4(at) = at
        && is_reachable(at.ip().to_owned().into(), cx.client())
    {
        cx.reach.told();
        return Ok(opened(Reply::passive(at), Endpoint::Slave(reserved)));
    }
    let address = master_address(&cx);
    let IpAddr::V4(address) = address else {
        return Err(use_epsv());
    };
    let passive = listen(&cx).await?;
    let at = SocketAddrV4::new(address, passive.port());
    let passive = passive.told_as(cx.services.data.ours.told(at.into()));
    Ok(opened(Reply::passive(at), Endpoint::Here(passive)))
}

/// `CPSV` (of drftpd, for transfers between servers): as PASV, and our side, though it listens, begins the handshake of
/// that data connection.
pub(super) const CPSV: Verb = Verb {
    name: "CPSV",
    syntax: "CPSV",
    feat: Feat::Secure(&["CPSV"]),
    keeps: Keeps::Rest,
    run: |cx, _| Box::pin(cpsv(cx)),
    ..Verb::PLAIN
};

async fn cpsv(cx: VerbCx) -> VerbResult {
    if cx.state.prot != Prot::Private {
        return Err(FtpError::Sequence(
            "CPSV is for protected transfers, say PROT P first",
        ));
    }
    let mut done = pasv(cx).await?;
    if let Change::Endpoint(endpoint) = done.change {
        done.change = Change::ClientEndpoint(endpoint);
    }
    Ok(done)
}

/// `EPSV` (RFC 2428): like PASV, but only the port is told. So it must be a port at the address that the client knows.
pub(super) const EPSV: Verb = Verb {
    name: "EPSV",
    syntax: "EPSV [<SP> (1 | 2 | ALL)]",
    feat: Feat::Line("EPSV"),
    keeps: Keeps::Rest,
    run: |cx, arg| Box::pin(epsv(cx, arg)),
    ..Verb::PLAIN
};

async fn epsv(cx: VerbCx, arg: Arg) -> VerbResult {
    let local = cx.local.ip().to_canonical();
    let (family, number) = match local {
        IpAddr::V4(_) => (Family::V4, 1),
        IpAddr::V6(_) => (Family::V6, 2),
    };
    let asked = args::epsv(&arg)?;
    match asked {
        Epsv::All => {
            let reply = Reply::new(200, "Only EPSV from now on");
            return Ok(Done::with(reply, Change::EpsvAll));
        }
        Epsv::V4 if family == Family::V6 => return Err(other_protocol(number)),
        Epsv::V6 if family == Family::V4 => return Err(other_protocol(number)),
        Epsv::Same | Epsv::V4 | Epsv::V6 => {}
    }
    // Who says `EPSV 2` (cbftp) wants to be told where, as after CEPR ON.
    let names_address = cx.state.epsv_names_address || asked == Epsv::V6;
    let known = match &cx.via {
        // Where the client knows us, if anybody has told.
        Some(via) => via.reached,
        None => Some(local),
    };
    let announced = announced(&cx);
    if let Some(announced) = &announced
        && by_slave(&cx)
        && let Some((reserved, at)) = slave_listens(&cx, announced, family).await?
    {
        let named = names_address && is_reachable(at.ip(), cx.client());
        if Some(at.ip()) == known || named {
            cx.reach.told();
            let reply = extended_passive(at, names_address);
            return Ok(opened(reply, Endpoint::Slave(reserved)));
        }
        if cx.services.data.passive.epsv_after_pret == EpsvAfterPret::Refuse {
            return Err(use_pasv());
        }
    }
    if known != Some(local) && !names_address {
        // Its proxy brings the client's commands and nothing else.
        return Err(use_pasv());
    }
    let passive = listen(&cx).await?;
    let at = match names_address {
        true => master_address(&cx),
        false => local,
    };
    let at = SocketAddr::new(at, passive.port());
    let passive = passive.told_as(cx.services.data.ours.told(at));
    let reply = extended_passive(at, names_address);
    Ok(opened(reply, Endpoint::Here(passive)))
}

fn extended_passive(at: SocketAddr, names_address: bool) -> Reply {
    match names_address {
        true => Reply::extended_passive_at(at),
        false => Reply::extended_passive(at.port()),
    }
}

fn use_pasv() -> FtpError {
    FtpError::Said(Reply::new(502, "Not for this transfer, use PASV"))
}

fn other_protocol(number: u8) -> FtpError {
    let text = format!("Network protocol not supported, use ({number})");
    FtpError::Said(Reply::new(522, text))
}

/// `CEPR` (of glftpd): from now on 229 names protocol and address, so that EPSV can lead to a slave.
pub(super) const CEPR: Verb = Verb {
    name: "CEPR",
    syntax: "CEPR <SP> (ON | OFF)",
    // Not in FEAT: lftp says CEPR before its login where it is listed, and whatever the answer
    // was, it then takes no plain 229. Who wants it (cbftp) does not ask FEAT.
    keeps: Keeps::Rest,
    run: |_, arg| {
        let done = args::switch(&arg).map(|on| {
            let text = if on {
                "229 names the address"
            } else {
                "229 names the port"
            };
            Done::with(Reply::new(200, text), Change::EpsvNamesAddress(on))
        });
        Box::pin(std::future::ready(done.map_err(FtpError::from)))
    },
    ..Verb::PLAIN
};

/// What PRET announced, as far as it takes a slave. Where nothing was announced it may be that nothing is opened.
fn announced(cx: &VerbCx) -> Option<Announced> {
    let pret = cx.state.pret.as_ref()?;
    Announced::of(pret, cx.state.rest)
}

/// Whether a slave listens for this client, as far as is known.
fn by_slave(cx: &VerbCx) -> bool {
    let data = &cx.services.data;
    let slave = data.clients.of(cx.client()).passive == PassiveBy::Slave;
    // Where nothing is forwarded there is nobody else.
    data.passive.relay_max == 0 || (slave && cx.reach.gets_to_slaves())
}

/// The master's address as the client is told it.
fn master_address(cx: &VerbCx) -> IpAddr {
    let data = &cx.services.data;
    let of_network = data.clients.of(cx.client()).master();
    of_network.unwrap_or_else(|| announced_address(&data.passive, cx.local.ip()))
}

/// A port of the master's.
async fn listen(cx: &VerbCx) -> Result<Passive, FtpError> {
    let data = &cx.services.data;
    if data.passive.without_pret == WithoutPret::Refuse && cx.state.pret.is_none() {
        let text = "You need a client that supports PRET (PRE Transfer) to use passive mode here";
        return Err(FtpError::Said(Reply::new(500, text)));
    }
    let net = cx.services.net.as_ref();
    let listen = Passive::listen(net, &data.passive, cx.local.ip(), &cx.services.dice);
    let stands_in = announced(cx).is_some_and(|announced| announced != Announced::Listing);
    Ok(listen.await?.standing_in(stands_in))
}

fn opened(reply: Reply, endpoint: Endpoint) -> Done {
    Done::with(reply, Change::Endpoint(endpoint))
}

/// `PORT` (RFC 959): the client listens, over IPv4.
pub(super) const PORT: Verb = Verb {
    name: "PORT",
    syntax: "PORT <SP> h1,h2,h3,h4,p1,p2",
    keeps: Keeps::Rest,
    run: |cx, arg| Box::pin(port(cx, arg)),
    ..Verb::PLAIN
};

async fn port(cx: VerbCx, arg: Arg) -> VerbResult {
    not_after_epsv_all(&cx)?;
    let to = args::port(&arg)?;
    dial(cx, to.into()).await
}

/// `EPRT` (RFC 2428): the client listens, over either protocol.
pub(super) const EPRT: Verb = Verb {
    name: "EPRT",
    syntax: "EPRT <SP> |protocol|address|port|",
    feat: Feat::Line("EPRT"),
    keeps: Keeps::Rest,
    run: |cx, arg| Box::pin(eprt(cx, arg)),
    ..Verb::PLAIN
};

async fn eprt(cx: VerbCx, arg: Arg) -> VerbResult {
    not_after_epsv_all(&cx)?;
    let to = args::eprt(&arg)?;
    dial(cx, to).await
}

/// Judged for where the user stands, or for what PRET announced; and once more for the transfer itself.
async fn dial(cx: VerbCx, to: SocketAddr) -> VerbResult {
    let here = cx.look(&cx.state.cwd, true).await?.path;
    let about = cx.state.pret.as_ref().and_then(|pret| pret.path.as_ref());
    let to = match channel::may_dial(&cx, to, about.unwrap_or(&here), None) {
        Err(_) => channel::may_dial(&cx, to, &here, None)?,
        Ok(to) => to,
    };
    // Whoever listens there, if it is one of ours, is told before its transfer whom to expect.
    cx.reach.sends(cx.services.data.ours.dial(to));
    let reply = Reply::new(200, "Data connections will be made to there");
    Ok(opened(reply, Endpoint::Dial(to)))
}

fn not_after_epsv_all(cx: &VerbCx) -> Result<(), FtpError> {
    if cx.state.epsv_all {
        return Err(FtpError::Sequence("EPSV ALL was said: only EPSV is taken"));
    }
    Ok(())
}
