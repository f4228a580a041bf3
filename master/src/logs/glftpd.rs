//! `[log] glftpd`: lines as glftpd writes them into its `glftpd.log`, for the bots that read it: NEWDIR and DELDIR with
//! path, user, group and tagline, LOGIN and LOGOUT with `ident@address`, address, user, group and tagline.

use actix::{Actor, Context, Handler, Supervised};
use drftpd_actors::Clock;
use tracing::warn;

use super::{LogFile, ctime};
use crate::accounts::table;
use crate::events::LoginChanged;
use crate::outbox::{Event, Numbered};
use crate::store::Store;

/// Hears of logins and writes them down.
pub(super) struct GlftpdLog {
    pub file: LogFile,
    pub store: Store,
    pub clock: Clock,
}

impl Actor for GlftpdLog {
    type Context = Context<Self>;
}

impl Supervised for GlftpdLog {}

impl Handler<LoginChanged> for GlftpdLog {
    type Result = ();

    fn handle(&mut self, event: LoginChanged, _: &mut Self::Context) {
        let (_, tagline) = of_user(&self.store, &event.user);
        let address = event.client.to_string();
        let mask = format!("{}@{address}", event.ident.as_deref().unwrap_or("*"));
        let what = if event.is_in { "LOGIN" } else { "LOGOUT" };
        let words = [&mask, &address, &event.user, &event.group, &tagline];
        self.file.add(line(self.clock.unix(), what, &words));
    }
}

/// A directory that came or went; of what else happens glftpd says nothing here.
pub(super) fn of_outbox(store: &Store, numbered: &Numbered) -> Option<String> {
    let (what, path, user) = match &numbered.event {
        Event::DirMade { path, user, .. } => ("NEWDIR", path, user.as_str()),
        Event::DirRemoved { path, by } => ("DELDIR", path, by.as_deref().unwrap_or("-")),
        _ => return None,
    };
    let (group, tagline) = of_user(store, user);
    let path = String::from_utf8_lossy(&path.0.to_bytes()).into_owned();
    let words = [&path, &user.to_owned(), &group, &tagline];
    Some(line(numbered.at, what, &words))
}

/// Group and tagline of somebody who may be gone by now.
fn of_user(store: &Store, user: &str) -> (String, String) {
    match store.read(|sql| table::find(sql, user)) {
        Ok(Some(found)) => (found.account.group, found.tagline),
        Ok(None) => Default::default(),
        Err(why) => {
            warn!(%why, "account not read for the log");
            Default::default()
        }
    }
}

fn line(at: i64, what: &str, words: &[&String]) -> String {
    let words: String = words
        .iter()
        .map(|word| format!(" \"{}\"", plain(word)))
        .collect();
    format!("{} {what}:{words}\n", ctime(at))
}

/// The format knows no escapes: what would end a word or a line, or means something to the bots' own language, is
/// replaced.
fn plain(word: &str) -> String {
    let good = |c: char| match c {
        '"' => '\'',
        '[' | '{' => '(',
        ']' | '}' => ')',
        '\\' | '$' | ';' | '\u{2028}' | '\u{2029}' => '_',
        c if c.is_control() => '_',
        c => c,
    };
    word.chars().map(good).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_in_quotes_and_nothing_ends_them() {
        let words = ["/a \"b\"\n[exec $x]", "ann", "", "fine; \\ {here}"].map(str::to_owned);
        assert_eq!(
            line(0, "NEWDIR", &words.iter().collect::<Vec<_>>()),
            "Thu Jan  1 00:00:00 1970 NEWDIR: \"/a 'b'_(exec _x)\" \"ann\" \"\" \"fine_ _ (here)\"\n"
        );
    }
}
