//! The plugin `tally`: counts what everybody has sent, says so behind each upload, and takes no file with some endings.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Context, Handler, MessageResult, ResponseFuture, Supervised};
use drftpd_actors::{Check, ConfigError, Verdict};
use drftpd_master::extend::{
    Act, After, Asked, CannotStart, Happened, Plugin, PluginCx, Shelf, section,
};
use drftpd_master::outbox::{Event, Wanted};
use drftpd_master::store::StoreError;
use serde::{Deserialize, Serialize};

/// Its name: of its section in the configuration, and for its commands.
pub const NAME: &str = "tally";
/// How long it may take to say something.
const LIMIT: Duration = Duration::from_secs(2);

/// Its line in the table.
pub static TALLY: Plugin = Plugin {
    name: NAME,
    about: "counts what everybody has sent",
    commands: &[],
    check: |table| section::<TallyConfig>(table).map(drop),
    start,
};

/// `[plugins.tally]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TallyConfig {
    /// Endings of names that are refused, like `.exe`.
    refuse: Vec<String>,
}

impl Check for TallyConfig {
    fn check(&self, errors: &mut Vec<ConfigError>) {
        for (at, ending) in self.refuse.iter().enumerate() {
            if ending.is_empty() {
                errors.push(ConfigError::new(
                    format!("refuse[{at}]"),
                    "must not be empty",
                ));
            }
        }
    }
}

/// What somebody has sent.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Sent {
    /// Files.
    pub files: u64,
    /// Bytes.
    pub bytes: u64,
    /// The last event that was counted: one that comes again is not counted twice.
    last: u64,
}

/// The actor. What it counts is in the store, so a restart loses nothing.
struct Tally {
    refuse: Vec<String>,
    shelf: Shelf,
}

fn start(cx: &mut PluginCx<'_>) -> Result<(), CannotStart> {
    let (config, shelf) = (cx.config::<TallyConfig>()?, cx.shelf());
    cx.shares(Arc::new(shelf.clone())); // for `tally show`
    let refuse = config.refuse;
    let tally = cx.supervise(move || Tally { refuse, shelf });
    let uploads = Wanted::of(&["file.uploaded".to_owned()], &[]);
    cx.hears(uploads, tally.clone().recipient());
    cx.judges(&[Act::Upload], LIMIT, &tally.clone().recipient());
    cx.after("STOR", 0, LIMIT, tally.recipient());
    Ok(())
}

impl Actor for Tally {
    type Context = Context<Self>;
}

impl Supervised for Tally {}

/// A file was stored: counted once, however often it is told.
impl Handler<Happened> for Tally {
    type Result = ResponseFuture<Result<(), String>>;

    fn handle(&mut self, Happened(numbered): Happened, _: &mut Self::Context) -> Self::Result {
        let shelf = self.shelf.clone();
        Box::pin(async move {
            let Event::FileUploaded { user, size, .. } = numbered.event else {
                return Ok(());
            };
            let counted = shelf.change(move |shelf, batch| {
                let mut sent: Sent = shelf.get_in(batch, &user)?.unwrap_or_default();
                if numbered.seq > sent.last {
                    sent.files += 1;
                    sent.bytes += size;
                    sent.last = numbered.seq;
                    shelf.put_in(batch, &user, &sent)?;
                }
                Ok::<(), StoreError>(())
            });
            counted.await.map_err(|why| why.to_string())
        })
    }
}

/// Somebody wants to send a file.
impl Handler<Asked> for Tally {
    type Result = MessageResult<Asked>;

    fn handle(&mut self, asked: Asked, _: &mut Self::Context) -> Self::Result {
        let name = asked.path.to_bytes();
        let mut refuse = self.refuse.iter();
        MessageResult(match refuse.find(|end| name.ends_with(end.as_bytes())) {
            Some(end) => Verdict::Refuse(format!("No files with {end} here")),
            None => Verdict::Allow,
        })
    }
}

/// Somebody has sent one, or not.
impl Handler<After> for Tally {
    type Result = MessageResult<After>;

    fn handle(&mut self, after: After, _: &mut Self::Context) -> Self::Result {
        let Some(who) = after.of.who.as_ref().filter(|_| after.done) else {
            return MessageResult(Ok(Vec::new()));
        };
        let sent = self.shelf.get::<Sent>(&who.name);
        MessageResult(match sent {
            Ok(sent) => Ok(vec![format!(
                "{} files so far",
                sent.unwrap_or_default().files
            )]),
            Err(why) => Err(why.to_string()),
        })
    }
}
