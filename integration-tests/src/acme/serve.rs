//! The resources of RFC 8555, section 7.1, and what each answers.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::book::{Book, Placed, Proof};
use super::jws::{Key, Signed};
use super::{Seen, Site, locked};
use crate::http::{Ask, Reply, get};

/// An error as RFC 8555, section 6.7 has them, or one that nobody expects.
enum No {
    Problem(u16, &'static str, String),
    TooMany(u64),
}

impl From<anyhow::Error> for No {
    fn from(why: anyhow::Error) -> Self {
        No::Problem(400, "malformed", format!("{why:#}"))
    }
}

type Said = Result<(u16, Value, Option<String>), No>;

pub(super) fn answer(site: &Site, ask: Ask) -> Reply {
    let ill = locked(&site.book).script.ill;
    if let Some(status) = ill {
        return Reply {
            status,
            kind: "text/html",
            headers: Vec::new(),
            body: "<h1>back soon</h1>".to_owned(),
        };
    }
    let path = ask.path.trim_start_matches('/').to_owned();
    let parts: Vec<&str> = path.split('/').collect();
    let said = match (ask.method.as_str(), &parts[..]) {
        ("GET", ["dir"]) => Ok((200, directory(site), None)),
        ("HEAD", ["nonce"]) => Ok((200, Value::Null, None)),
        ("GET", ["ari", _]) => return window(site),
        ("POST", ["cert", number]) => match certificate(site, &ask, &path, number) {
            Ok(reply) => return reply,
            Err(no) => Err(no),
        },
        ("POST", parts) => post(site, &ask, &path, parts),
        _ => Err(No::Problem(404, "malformed", format!("no {path}"))),
    };
    reply(&mut locked(&site.book), said)
}

fn reply(book: &mut Book, said: Said) -> Reply {
    let mut headers = vec![("replay-nonce", book.nonce())];
    let (status, kind, body) = match said {
        Ok((status, body, location)) => {
            headers.extend(location.map(|at| ("location", at)));
            (status, "application/json", body)
        }
        Err(No::TooMany(seconds)) => {
            headers.push(("retry-after", seconds.to_string()));
            (
                429,
                "application/problem+json",
                problem("rateLimited", "too many of you"),
            )
        }
        Err(No::Problem(status, kind, why)) => {
            (status, "application/problem+json", problem(kind, &why))
        }
    };
    Reply {
        status,
        kind,
        headers,
        body: body.to_string(),
    }
}

fn problem(kind: &str, why: &str) -> Value {
    json!({"type": format!("urn:ietf:params:acme:error:{kind}"), "detail": why})
}

fn directory(site: &Site) -> Value {
    let mut all = json!({
        "newNonce": site.url("nonce"), "newAccount": site.url("account"), "newOrder": site.url("order"),
        "revokeCert": site.url("revoke"), "keyChange": site.url("key"),
        "meta": {"termsOfService": site.url("terms")},
    });
    if locked(&site.book).script.renew_now.is_some() {
        all["renewalInfo"] = site.url("ari").into();
    }
    all
}

/// When a certificate shall be renewed: at once, as often as the script says, then in two months.
fn window(site: &Site) -> Reply {
    let mut book = locked(&site.book);
    let now = match &mut book.script.renew_now {
        Some(left) if *left > 0 => {
            *left -= 1;
            true
        }
        _ => false,
    };
    let (hour, now_is) = (Duration::from_secs(3600), SystemTime::now());
    let start = match now {
        true => now_is - 3 * hour,
        false => now_is + 24 * 60 * hour,
    };
    let text = |time| humantime::format_rfc3339_seconds(time).to_string();
    let body = json!({"suggestedWindow": {"start": text(start), "end": text(start + hour)}});
    Reply {
        status: 200,
        kind: "application/json",
        headers: vec![("retry-after", "21600".to_owned())],
        body: body.to_string(),
    }
}

/// Proves who asks; answers the request and the account's number, if it is one that is known.
fn proved(site: &Site, ask: &Ask, path: &str) -> Result<(Signed, Option<usize>, Key), No> {
    let mut book = locked(&site.book);
    let signed = Signed::read(&ask.body)?;
    if !book.spend(signed.field("nonce")?) {
        book.seen.push(Seen::BadNonce);
        return Err(No::Problem(
            400,
            "badNonce",
            "another one, please".to_owned(),
        ));
    }
    let url = site.url(path);
    let for_us = signed.field("url").is_ok_and(|signed| signed == url);
    let with_one = signed.protected["jwk"].is_null() != signed.protected["kid"].is_null();
    if !for_us || !with_one {
        let why = format!("{} is not for {url}", signed.protected);
        return Err(No::Problem(401, "unauthorized", why));
    }
    let known = match signed.protected["kid"].as_str() {
        None => None,
        Some(kid) => {
            let number = kid.strip_prefix(&site.url("account/"));
            let number = number.and_then(|number| number.parse::<usize>().ok());
            let known = number.filter(|number| *number < book.accounts.len());
            let gone = || No::Problem(400, "accountDoesNotExist", format!("no {kid}"));
            Some(known.ok_or_else(gone)?)
        }
    };
    let key = match known {
        Some(number) => book.accounts[number].clone(),
        None => signed.key()?,
    };
    signed.prove(&key)?;
    Ok((signed, known, key))
}

fn post(site: &Site, ask: &Ask, path: &str, parts: &[&str]) -> Said {
    let (signed, account, key) = proved(site, ask, path)?;
    let place = |text: &str| text.parse::<usize>().context("no number");
    let whose = account.context("no account");
    match parts {
        ["account"] => account_for(site, &signed, key),
        ["order"] => order(site, &signed, whose?),
        ["order", number] => look(site, place(number)?, whose?),
        ["authz", number, at] => proof(site, place(number)?, place(at)?),
        ["chall", number, at] => {
            let (number, at) = (place(number)?, place(at)?);
            let mut book = locked(&site.book);
            let order = book.orders.get_mut(number).context("no order")?;
            let one = order.proofs.get_mut(at).context("no challenge")?;
            one.status = "processing";
            Ok((200, challenge(site, number, at, one), None))
        }
        ["finalize", number] => finalize(site, &signed, place(number)?),
        _ => Err(No::Problem(404, "malformed", format!("no {path}"))),
    }
}

fn account_for(site: &Site, signed: &Signed, key: Key) -> Said {
    let wanted = signed.json()?;
    if wanted["termsOfServiceAgreed"] != true {
        let why = "agree to the terms first".to_owned();
        return Err(No::Problem(403, "userActionRequired", why));
    }
    let mut book = locked(&site.book);
    book.accounts.push(key);
    book.seen.push(Seen::Account);
    let at = site.url(&format!("account/{}", book.accounts.len() - 1));
    Ok((
        201,
        json!({"status": "valid", "contact": wanted["contact"]}),
        Some(at),
    ))
}

fn order(site: &Site, signed: &Signed, account: usize) -> Said {
    let wanted = signed.json()?;
    let mut book = locked(&site.book);
    if book.script.forgets > 0 {
        book.script.forgets -= 1;
        return Err(No::Problem(
            400,
            "accountDoesNotExist",
            "who are you?".to_owned(),
        ));
    }
    if let Some(seconds) = book.script.too_many.pop_front() {
        book.seen.push(Seen::TooMany);
        return Err(No::TooMany(seconds));
    }
    let mut proofs = Vec::new();
    for name in wanted["identifiers"].as_array().context("no identifiers")? {
        proofs.push(Proof {
            name: name["value"].as_str().context("no value")?.to_owned(),
            is_address: name["type"] == "ip",
            token: book.word("token"),
            status: "pending",
        });
    }
    let replaces = wanted["replaces"].as_str().map(str::to_owned);
    book.seen.push(Seen::Order(replaces.is_some()));
    book.orders.push(Placed {
        account,
        proofs,
        replaces,
        certificate: None,
        looked_at: false,
    });
    let number = book.orders.len() - 1;
    let at = site.url(&format!("order/{number}"));
    Ok((201, shown(site, number, &book.orders[number]), Some(at)))
}

fn shown(site: &Site, number: usize, order: &Placed) -> Value {
    let url = |what: String| site.url(&what);
    let names = order.proofs.iter().map(identifier);
    let proofs = 0..order.proofs.len();
    let proofs = proofs.map(|at| url(format!("authz/{number}/{at}")));
    let mut shown = json!({
        "status": order.status(),
        "identifiers": names.collect::<Vec<_>>(),
        "authorizations": proofs.collect::<Vec<_>>(),
        "finalize": url(format!("finalize/{number}")),
    });
    if order.status() == "valid" {
        shown["certificate"] = url(format!("cert/{number}")).into();
    }
    if let Some(replaces) = &order.replaces {
        shown["replaces"] = replaces.as_str().into();
    }
    shown
}

fn identifier(proof: &Proof) -> Value {
    let kind = if proof.is_address { "ip" } else { "dns" };
    json!({"type": kind, "value": proof.name})
}

/// An order is looked at: what waits to be proved is, then.
fn look(site: &Site, number: usize, account: usize) -> Said {
    let key = {
        let mut book = locked(&site.book);
        let order = book.orders.get_mut(number).context("no order")?;
        if order.account != account {
            return Err(No::Problem(403, "unauthorized", "not yours".to_owned()));
        }
        order.looked_at |= order.certificate.is_some();
        book.accounts[account].clone()
    };
    prove(site, number, &key)?;
    let book = locked(&site.book);
    Ok((200, shown(site, number, &book.orders[number]), None))
}

fn prove(site: &Site, number: usize, key: &Key) -> Result<()> {
    let waiting: Vec<(usize, String, String)> = {
        let book = locked(&site.book);
        let proofs = book.orders[number].proofs.iter().enumerate();
        let waiting = proofs.filter(|(_, proof)| proof.status == "processing");
        waiting
            .map(|(at, proof)| (at, proof.name.clone(), proof.token.clone()))
            .collect()
    };
    for (at, name, token) in waiting {
        let asked = site.ask_at()?;
        let answer = get(
            asked,
            &name,
            &format!("/.well-known/acme-challenge/{token}"),
        );
        let want = format!("{token}.{}", key.thumbprint());
        // Nothing else is there while it answers.
        let other = get(asked, &name, "/.well-known/acme-challenge/").is_err();
        let mut book = locked(&site.book);
        let refused = book.script.refused > 0;
        book.script.refused = book.script.refused.saturating_sub(1);
        let good = !refused && other && answer.is_ok_and(|answer| answer == want);
        let (status, seen) = match good {
            true => ("valid", Seen::Proved(name)),
            false => ("invalid", Seen::Refused(name)),
        };
        book.seen.push(seen);
        book.orders[number].proofs[at].status = status;
    }
    Ok(())
}

fn proof(site: &Site, number: usize, at: usize) -> Said {
    let book = locked(&site.book);
    let order = book.orders.get(number).context("no order")?;
    let one = order.proofs.get(at).context("no authorization")?;
    let status = match one.status {
        "processing" => "pending",
        status => status,
    };
    let tls =
        json!({"type": "tls-alpn-01", "url": site.url("x"), "token": "x", "status": "pending"});
    let challenges = [tls, challenge(site, number, at, one)];
    let body = json!({"status": status, "identifier": identifier(one), "challenges": challenges});
    Ok((200, body, None))
}

fn challenge(site: &Site, number: usize, at: usize, one: &Proof) -> Value {
    let url = site.url(&format!("chall/{number}/{at}"));
    let mut shown =
        json!({"type": "http-01", "url": url, "token": one.token, "status": one.status});
    if one.status == "invalid" {
        shown["error"] = problem("connection", "no route to where you say you are");
    }
    shown
}

fn finalize(site: &Site, signed: &Signed, number: usize) -> Said {
    let mut book = locked(&site.book);
    let life = book.life();
    let order = book.orders.get_mut(number).context("no order")?;
    if order.status() != "ready" {
        let why = format!("the order is {}", order.status());
        return Err(No::Problem(403, "orderNotReady", why));
    }
    let wanted = signed.json()?;
    let csr = wanted["csr"].as_str().context("no request")?;
    let csr = URL_SAFE_NO_PAD.decode(csr).context("the request")?;
    let names: Vec<String> = order.proofs.iter().map(|one| one.name.clone()).collect();
    let (pem, fingerprint) = site.paper.sign(csr, &names, life)?;
    order.certificate = Some(pem);
    let shown = shown(site, number, order);
    book.given.push(fingerprint);
    Ok((200, shown, None))
}

fn certificate(site: &Site, ask: &Ask, path: &str, number: &str) -> Result<Reply, No> {
    let (signed, account, _) = proved(site, ask, path)?;
    let mut book = locked(&site.book);
    let number: usize = number.parse().context("no number")?;
    let order = book.orders.get(number).context("no order")?;
    let asked = || -> Result<()> {
        ensure!(signed.payload.is_empty(), "POST-as-GET has no payload");
        ensure!(account == Some(order.account), "not yours");
        Ok(())
    };
    asked()?;
    let pem = order.certificate.clone().context("no certificate")?;
    book.seen.push(Seen::Certificate);
    Ok(Reply {
        status: 200,
        kind: "application/pem-certificate-chain",
        headers: vec![("replay-nonce", book.nonce())],
        body: pem,
    })
}
