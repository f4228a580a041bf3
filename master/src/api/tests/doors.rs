//! One table: SITE, `ctl` and its socket, and the API reach the same commands, under the same names, with the same help,
//! and let the same callers in.

use std::net::IpAddr;
use std::sync::Arc;

use drftpd_actors::testkit::sim;
use drftpd_protocol::{SessionId, VfsPath};

use super::Site;
use crate::accounts::Account;
use crate::admin::cx::User;
use crate::admin::{Caller, Token, site};
use crate::api::Scopes;
use crate::api::openapi::{document, path};
use crate::api::requests::named;
use crate::ftp::{SiteCall, SiteTable};

/// No command takes that: whoever may use one hears that the argument is wrong, and nothing is done.
const WRONG: &str = "\u{1}";

fn account(admin: bool) -> Arc<Account> {
    Arc::new(Account {
        admin,
        ..Account::of_test("ann", "users")
    })
}

#[test]
fn every_door_has_every_command_under_the_same_name_with_the_same_help() {
    sim(async {
        let site = Site::start().await;
        let by_site = site::Site::new(Arc::clone(&site.of)).commands(&account(true));
        let commands = site.of.commands();
        let document = document(commands);
        assert_eq!(by_site.len(), commands.iter().count() + site::SHORT.len());
        for command in commands.iter() {
            let shown = command.site.first().copied().unwrap_or(command.name);
            let entry = by_site
                .iter()
                .find(|it| it.name.eq_ignore_ascii_case(shown));
            let entry = entry.unwrap_or_else(|| panic!("SITE has no {shown}"));
            assert_eq!(
                (&entry.syntax, entry.help.as_str()),
                (&command.syntax(), command.about)
            );
            let words: Vec<&str> = command.name.split(' ').collect();
            let (by_ctl, rest) = commands.find(&words).unwrap();
            assert!(
                std::ptr::eq(by_ctl, command) && rest.is_empty(),
                "{}",
                command.name
            );
            let path = path(command);
            let words: Vec<String> = path.split('/').skip(3).map(str::to_owned).collect();
            assert!(
                std::ptr::eq(named(commands, &words).unwrap(), command),
                "{path}"
            );
            assert_eq!(document["paths"][&path]["post"]["summary"], command.about);
        }
    });
}

#[test]
fn every_door_gives_the_same_verdict() {
    sim(async {
        let site = Site::start().await;
        let peer: IpAddr = [10, 0, 0, 9].into();
        let by_site = site::Site::new(Arc::clone(&site.of));
        let denied = drftpd_protocol::ftp::Reply::permission_denied();
        let mut refused = 0;
        for admin in [true, false] {
            let user = User {
                account: account(admin),
                session: SessionId(1),
                peer,
            };
            for command in site.of.commands().iter() {
                let words: Vec<String> = command.name.split(' ').map(str::to_uppercase).collect();
                let arg = [&words[1..], &[WRONG.to_owned()]].concat().join(" ");
                let call = SiteCall {
                    arg: arg.into_bytes().into(),
                    account: Arc::clone(&user.account),
                    session: user.session,
                    peer,
                    cwd: VfsPath::root(),
                };
                let Some(reply) = by_site.run(&words[0], call) else {
                    assert_eq!(command.name, "help", "SITE HELP is the FTP side's own");
                    continue;
                };
                let is_for = command.is_for(&Caller::User(user.clone()), &site.of.rights.rules());
                let reply = reply.await;
                assert_eq!(reply != denied, is_for, "{}: {reply:?}", command.name);
                refused += u32::from(!is_for);
            }
        }
        for scopes in [&["read"][..], &["operate"], &["slave:*", "kick:*"], &["*"]] {
            let name = scopes.join("-").replace(['*', ':'], "_");
            let secret = site.token(&name, scopes, 3600).await;
            let token = Caller::Token(Token {
                name,
                scopes: Scopes::asked(scopes, site.of.commands()).unwrap(),
                expires: i64::MAX,
                peer,
            });
            for command in site.of.commands().iter() {
                let path = command.name.replace(' ', "/");
                let answer = site.post(&secret, &path, "{\"no such argument\": 1}").await;
                let expected = match command.is_for(&token, &site.of.rights.rules()) {
                    true => (400, "bad_argument"),
                    false => (403, "denied"),
                };
                let code = answer.json()["code"].as_str().unwrap().to_owned();
                assert_eq!(
                    (answer.status, code.as_str()),
                    expected,
                    "{scopes:?} {path}"
                );
                refused += u32::from(expected.0 == 403);
                // By the clock of the simulation nothing is too often.
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
        assert!(refused > 20, "{refused}");
    });
}
