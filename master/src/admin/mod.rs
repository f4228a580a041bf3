//! Everything an operator does: one table of commands, and the doors that lead to it.
//!
//! A command is one block in a file of [`commands`] and one line in [`COMMANDS`]. From the table come `SITE` (see
//! [`site`]), the control socket and `drftpd-master ctl` (see [`socket`]), and all help. Arguments are read by their
//! [`Param`]s, the permission is checked, and the act is noted in [`crate::audit`], in [`run`] alone: nothing can be done by one
//! door and not by the others. The HTTP API is in [`crate::api`].

pub mod answer;
pub mod args;
mod around;
pub mod commands;
pub mod cx;
pub mod page;
mod param;
pub mod site;
pub mod socket;
pub mod table;
pub mod wire;

#[cfg(test)]
mod tests;

use futures_util::future::LocalBoxFuture;
use tracing::warn;

pub use answer::{AdminError, Answer, Code, Report};
pub use args::Args;
pub use cx::{Caller, Cx, Facilities, Online, Token};
pub use page::Listing;
pub use param::{Kind, Param};
pub use table::Commands;

use crate::accounts::Account;
use crate::audit::Record;
use crate::rights::Rules;

/// One command.
pub struct Command {
    /// Its name: `area verb`, or one word.
    pub name: &'static str,
    /// Names under which SITE has it too, upper-case; the first one is shown.
    pub site: &'static [&'static str],
    /// What it takes, in this order where names are not given.
    pub params: &'static [Param],
    /// What it does, in a few words.
    pub about: &'static str,
    /// Who may use it.
    pub permission: Permission,
    /// Whether it changes something, or gives away what all of the site is: then it is noted in the audit log.
    pub changes: bool,
    /// Carries it out.
    pub run: Run,
}

/// Carries out a command.
pub type Run = fn(Cx, Args) -> LocalBoxFuture<'static, Outcome>;

/// What a command has to say.
pub type Outcome = Result<Answer, AdminError>;

/// Who may use a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Whoever is logged in.
    Anyone,
    /// Operators, and administrators of groups; the command itself says of whom and how far.
    GroupAdmin,
    /// Operators of the site, and the owner of the control socket.
    Operator,
}

impl Command {
    /// Its arguments as help shows them.
    pub fn syntax(&self) -> String {
        let params = self.params.iter().map(Param::syntax);
        params.collect::<Vec<_>>().join(" ")
    }

    /// Whether somebody may use it: the owner of the control socket always, a token by its scopes, users by the
    /// permissions, and by the table where those say nothing of it.
    pub fn is_for(&self, who: &Caller, rules: &Rules) -> bool {
        match who {
            Caller::Owner => true,
            Caller::Token(_) if self.name == "help" => true,
            Caller::Token(token) => token.scopes.allow(self),
            Caller::User(user) => self.is_for_user(&user.account, rules),
        }
    }

    /// Whether somebody who is logged in may use it.
    pub fn is_for_user(&self, who: &Account, rules: &Rules) -> bool {
        if let Some(people) = rules.command(self.name) {
            return people.has(who);
        }
        match self.permission {
            Permission::Anyone => true,
            Permission::GroupAdmin => who.admin || !who.administers.is_empty(),
            Permission::Operator => who.admin,
        }
    }
}

/// All commands of the master itself, by name; [`Commands`] has those of plugins, too.
pub static COMMANDS: &[&Command] = &[
    &commands::audit::LIST,
    &commands::store::BACKUP,
    &commands::bans::ADD,
    &commands::bans::LIST,
    &commands::bans::REMOVE,
    &commands::presence::BANDWIDTH,
    &commands::store::CHECK,
    &commands::config::SHOW,
    &commands::copies::LIST,
    &commands::copies::LOOK,
    &commands::credits::GIVE,
    &commands::credits::SHOW,
    &commands::credits::SWAP,
    &commands::credits::TAKE,
    &commands::doctor::DOCTOR,
    &commands::dump::DUMP,
    &commands::events::LIST,
    &commands::groups::ADD,
    &commands::users::ADD_TO,
    &commands::groups::ADMINS,
    &commands::groups::CHANGE,
    &commands::groups::DELETE,
    &commands::groups::LIST,
    &commands::groups::RENAME,
    &commands::groups::SHOW,
    &commands::help::HELP,
    &commands::presence::IDLERS,
    &commands::import::IMPORT,
    &commands::vfs::search::REBUILD,
    &commands::vfs::search::STATUS,
    &commands::sessions::KICK,
    &commands::sessions::KICK_ALL,
    &commands::presence::LEECHERS,
    &commands::messages::CLEAR,
    &commands::messages::LIST,
    &commands::messages::SEND,
    &commands::sections::NEW,
    &commands::user_change::PASSWD,
    &commands::differences::RECOVERY_END,
    &commands::process::RELOAD,
    &commands::rescan::RESCAN,
    &commands::roots::CONFIRM,
    &commands::differences::LIST,
    &commands::roots::LIST,
    &commands::retire::ROOT,
    &commands::rules::RULES,
    &commands::scrub::PAUSE,
    &commands::scrub::REPORT,
    &commands::scrub::RESUME,
    &commands::scrub::START,
    &commands::scrub::STATUS,
    &commands::sections::SECTIONS,
    &commands::user_show::SEEN,
    &commands::process::SHUTDOWN,
    &commands::slaves::ADD,
    &commands::standing::DRAIN,
    &commands::standing::EVACUATE,
    &commands::slaves::LIST,
    &commands::standing::MAINTENANCE,
    &commands::slaves::REMOVE,
    &commands::retire::SLAVE,
    &commands::standing::UNDRAIN,
    &commands::presence::SPEED,
    &commands::stat::STAT,
    &commands::stats::RANKING,
    &commands::stats::SHOW,
    &commands::stats::TRAFFIC,
    &commands::user_change::TAGLINE,
    &commands::tokens::CREATE,
    &commands::tokens::LIST,
    &commands::tokens::REVOKE,
    &commands::transfers::DRY_RUN,
    &commands::presence::UPLOADERS,
    &commands::users::ADD,
    &commands::user_masks::ADD_MASK,
    &commands::user_bans::ADD_NOTE,
    &commands::user_bans::BAN,
    &commands::user_bans::BAN_ALL,
    &commands::user_list::BANS,
    &commands::user_change::CHANGE,
    &commands::user_change::CHGRP,
    &commands::users::DELETE,
    &commands::user_masks::DEL_MASK,
    &commands::user_bans::DEL_NOTE,
    &commands::users::ERASE,
    &commands::user_change::EXPIRE,
    &commands::user_change::KEEP,
    &commands::user_list::LIST,
    &commands::user_change::PASSWORD,
    &commands::users::PURGE,
    &commands::users::READD,
    &commands::users::RENAME,
    &commands::user_show::SHOW,
    &commands::user_bans::UNBAN,
    &commands::user_bans::UNBAN_ALL,
    &commands::vfs::own::CHOWN,
    &commands::vfs::show::DU,
    &commands::vfs::search::DUPE,
    &commands::vfs::find::FIND,
    &commands::vfs::fix::FIX,
    &commands::vfs::fix::FIX_LINKS,
    &commands::vfs::lost::FOREIGN,
    &commands::forget::FORGET_LOST,
    &commands::vfs::change::LN,
    &commands::vfs::lost::LOST,
    &commands::vfs::change::MKDIR,
    &commands::vfs::change::MV,
    &commands::vfs::change::RM,
    &commands::vfs::search::SEARCH,
    &commands::vfs::show::STAT,
    &commands::vfs::change::TOUCH,
    &commands::vfs::wipe::WIPE,
    &commands::sessions::WHO,
];

/// What somebody hears who may not use a command.
const NOT_FOR_YOU: &str = "this is for operators of the site";

/// Runs a command for somebody: permission, audit log, act. Arguments come as they were read: what is wrong with them is only for
/// those who may use the command.
///
/// # Errors
/// Whatever it says, or that it is not for this caller.
pub async fn run(command: &'static Command, mut cx: Cx, args: Result<Args, AdminError>) -> Outcome {
    if !command.is_for(&cx.caller, &cx.of.rights.rules()) {
        warn!(command = command.name, who = %cx.caller, "command refused");
        return Err(AdminError::new(Code::Denied, NOT_FOR_YOU));
    }
    let args = args?;
    if !command.changes {
        return around::run(command, cx, args).await;
    }
    cx.said = (command.name, args.to_string());
    let record = Record::begin(&cx, command, &args).await;
    let outcome = around::run(command, cx, args).await;
    record.end(&outcome).await;
    outcome
}
