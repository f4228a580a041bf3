//! `dupecheck`: what is somewhere on the site already is not made or sent once more elsewhere. Asked at MKD, STOR, APPE, RNTO and
//! what leads to them, where lines `dupecheck` of the permissions say so of who wants it and of the place.
//!
//! Names are looked up in an index of them that the store has where this is on. What somebody does not see is no dupe for
//! them: they would learn that it is there. Neither is what broke off.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use actix::{Actor, Context, Handler, MessageResult, Supervised};
use drftpd_actors::{Check, ConfigError, Verdict};
use drftpd_protocol::{Name, VfsPath};
use regex_lite::{Regex, RegexBuilder};
use serde::Deserialize;
use tokio::time::Instant;
use tracing::warn;

use crate::accounts::Action;
use crate::extend::{Act, Asked, CannotStart, Given, Plugin, PluginCx, section};
use crate::rights::{Directive, Rules, Target};
use crate::vfs::{Entry, FileState, Kind, VfsError};

#[cfg(test)]
mod tests;

const NAME: &str = "dupecheck";
/// How long a look may take.
const LIMIT: Duration = Duration::from_secs(5);
/// What was allowed counts so long as if it were there: of two who make the same in one moment only one does.
const ON_ITS_WAY: Duration = Duration::from_secs(10);
/// Of so many at most; more forget the oldest.
const ON_THEIR_WAY: usize = 10_000;
/// Entries of one name that are looked at, at most.
const LOOKED: u32 = 200;

/// The plugin.
pub static DUPECHECK: Plugin = Plugin {
    name: NAME,
    about: "refuses what is somewhere on the site already",
    commands: &[],
    check: |table| section::<DupeConfig>(table).map(drop),
    start,
};

/// `[plugins.dupecheck]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct DupeConfig {
    /// Whether directories are compared.
    dirs: bool,
    /// Whether files are.
    files: bool,
    /// Names that may be there more than once: regular expressions, in any case, for the whole name.
    exempt: Vec<String>,
}

impl Default for DupeConfig {
    fn default() -> Self {
        let exempt = [
            r"(cd|disc|disk|dvd)[0-9]+",
            "sample|subs?|proof|covers?",
            r".*\.(nfo|diz|sfv|m3u|jpg|txt)",
        ];
        Self {
            dirs: true,
            files: true,
            exempt: exempt.map(str::to_owned).to_vec(),
        }
    }
}

impl Check for DupeConfig {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        for (at, text) in self.exempt.iter().enumerate() {
            if let Err(why) = expression(text) {
                errors.push(ConfigError::new(format!("exempt[{at}]"), why.to_string()));
            }
        }
    }
}

fn expression(text: &str) -> Result<Regex, regex_lite::Error> {
    let whole = format!("^(?:{text})$");
    RegexBuilder::new(&whole).case_insensitive(true).build()
}

fn start(cx: &mut PluginCx<'_>) -> Result<(), CannotStart> {
    let config = cx.config::<DupeConfig>()?;
    let exempt = config.exempt.iter().map(|text| expression(text));
    let exempt: Result<Vec<Regex>, _> = exempt.collect();
    let dupes = Dupes {
        exempt: exempt.map_err(CannotStart::because)?,
        config,
        given: cx.given().clone(),
        lately: Lately::default(),
    };
    let judge = cx.supervise(move || dupes).recipient();
    cx.wants_names();
    cx.judges(&[Act::MakeDir, Act::Upload, Act::Rename], LIMIT, &judge);
    Ok(())
}

/// Compares. A restart forgets what was allowed in the last seconds.
struct Dupes {
    config: DupeConfig,
    exempt: Vec<Regex>,
    given: Given,
    lately: Lately,
}

/// What was allowed in the last seconds, by its name.
#[derive(Default)]
struct Lately {
    paths: BTreeMap<Vec<u8>, (VfsPath, Instant)>,
    order: VecDeque<(Instant, Vec<u8>)>,
}

impl Lately {
    fn forget(&mut self, now: Instant) {
        let most = ON_THEIR_WAY;
        while let Some((until, _)) = self.order.front()
            && (*until <= now || self.order.len() > most)
            && let Some((until, key)) = self.order.pop_front()
        {
            // One that was allowed again stays until later.
            if self
                .paths
                .get(&key)
                .is_some_and(|(_, later)| *later <= until)
            {
                self.paths.remove(&key);
            }
        }
    }

    fn note(&mut self, key: Vec<u8>, path: VfsPath, now: Instant) {
        let until = now + ON_ITS_WAY;
        self.order.push_back((until, key.clone()));
        self.paths.insert(key, (path, until));
    }
}

impl Actor for Dupes {
    type Context = Context<Self>;
}

impl Supervised for Dupes {
    fn restarting(&mut self, _: &mut Self::Context) {
        self.lately = Lately::default();
    }
}

impl Handler<Asked> for Dupes {
    type Result = MessageResult<Asked>;

    fn handle(&mut self, asked: Asked, _: &mut Self::Context) -> Self::Result {
        MessageResult(match self.dupe(&asked) {
            Ok(None) => Verdict::Allow,
            Ok(Some(path)) => Verdict::Refuse(format!("Dupe: it is {path}")),
            Err(why) => {
                warn!(%why, "dupes cannot be looked up");
                Verdict::Silent(NAME)
            }
        })
    }
}

impl Dupes {
    /// Where the same is already.
    fn dupe(&mut self, asked: &Asked) -> Result<Option<VfsPath>, VfsError> {
        let rules = self.given.rights.rules();
        let Some((name, kind)) = self.concerns(asked, &rules) else {
            return Ok(None);
        };
        let now = Instant::now();
        self.lately.forget(now);
        let key = self.given.store.case().fold(name.as_bytes());
        let other = |path: &VfsPath| *path != asked.path && Some(path) != asked.from.as_ref();
        let sees = |path: &VfsPath| {
            let judged = rules.judge(&asked.who, Action::View, Target::at(path));
            judged.is_ok() && other(path)
        };
        if let Some((path, _)) = self.lately.paths.get(&key)
            && sees(path)
        {
            return Ok(Some(path.clone()));
        }
        let fits = |path: &VfsPath, entry: &Entry| {
            entry.kind == kind && entry.state != FileState::Partial && sees(path)
        };
        if let Some(path) = self.given.vfs.named(name, LOOKED, fits)? {
            return Ok(Some(path));
        }
        self.lately.note(key, asked.path.clone(), now);
        Ok(None)
    }

    /// The name that is to be new on the site, and of what; `None` where that does not matter.
    fn concerns<'a>(&self, asked: &'a Asked, rules: &Rules) -> Option<(&'a Name, Kind)> {
        let name = asked.path.name()?;
        let kind = match asked.what {
            Act::MakeDir => Kind::Dir,
            // What goes on, or takes the place of something, has its name already.
            Act::Upload if asked.entry.is_some() => return None,
            Act::Upload => Kind::File,
            _ => self.renamed(asked, name)?,
        };
        let wanted = match kind {
            Kind::Dir => self.config.dirs,
            _ => self.config.files,
        };
        let text = String::from_utf8_lossy(name.as_bytes());
        let exempt = self.exempt.iter().any(|exempt| exempt.is_match(&text));
        let says = rules.name(Directive::DupeCheck, &asked.who, &asked.path);
        (wanted && !exempt && says).then_some((name, kind))
    }

    /// What a rename gives a new name to.
    fn renamed(&self, asked: &Asked, name: &Name) -> Option<Kind> {
        let entry: &Entry = asked.entry.as_ref()?;
        let before = asked.from.as_ref().and_then(|from| from.name());
        let same = before.is_some_and(|before| {
            let case = self.given.store.case();
            case.fold(before.as_bytes()) == case.fold(name.as_bytes())
        });
        (!same && entry.kind != Kind::Link).then_some(entry.kind)
    }
}
