//! Messages to users: `message send`, `message list`, `message clear`.

use std::fmt;

use serde::Serialize;

use super::super::{AdminError, Answer, Args, Code, Command, Cx, Kind, Outcome, Param, Permission};
use super::{people, table};
use crate::accounts::mailbox::{Clear, Kept, Read, Send, To};

/// `message send TO TEXT`.
pub(in crate::admin) const SEND: Command = Command {
    name: "message send",
    site: &["MSG", "PAGE"],
    params: &[
        Param::new(
            "to",
            Kind::Text,
            "a user; operators may say =group, and * for everybody",
        ),
        Param::new("text", Kind::Rest, "one line"),
    ],
    about: "leaves a message; those who get it hear that there is one at their next login or CWD",
    permission: Permission::Anyone,
    changes: true,
    run: |cx, args| Box::pin(send(cx, args)),
};

/// `message list`.
pub(in crate::admin) const LIST: Command = Command {
    name: "message list",
    site: &["MSGS"],
    params: &[],
    about: "shows one's own messages: they are read then",
    permission: Permission::Anyone,
    changes: true,
    run: |cx, _| Box::pin(list(cx)),
};

/// `message clear`.
pub(in crate::admin) const CLEAR: Command = Command {
    name: "message clear",
    site: &["MSGCLEAR"],
    params: &[],
    about: "throws away one's own messages that were read",
    permission: Permission::Anyone,
    changes: true,
    run: |cx, _| Box::pin(clear(cx)),
};

#[derive(Serialize)]
struct Sent {
    to: String,
    /// How many got it; nothing where that would tell whether there is such a user.
    #[serde(skip_serializing_if = "Option::is_none")]
    users: Option<u64>,
}

async fn send(cx: Cx, args: Args) -> Outcome {
    let operates = cx.account().is_none_or(|account| account.admin);
    if cx.account().is_some_and(|account| account.anonymous) {
        return Err(AdminError::new(
            Code::Denied,
            "this is for users with a name",
        ));
    }
    let said = args.need_text("to")?;
    let to = match (said, said.strip_prefix('=')) {
        ("*", _) => To::All,
        (_, Some(group)) => To::Group(group.to_owned()),
        _ => To::User(said.to_owned()),
    };
    if !operates && !matches!(to, To::User(_)) {
        let why = "must be a user: several at once are for operators";
        return Err(AdminError::argument("to", why));
    }
    let one = matches!(to, To::User(_));
    let sent = cx.of.store.change(Send {
        to,
        author: people::author(&cx),
        bounded: !operates,
        text: args.need_text("text")?.to_owned(),
        now: cx.of.clock.unix(),
    });
    let users = sent.await.map_err(AdminError::from)?;
    if operates && one && users == 0 {
        return Err(AdminError::argument("to", "is no user who gets messages"));
    }
    Answer::of(&Sent {
        to: said.to_owned(),
        users: operates.then_some(users),
    })
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.users {
            Some(users) if users != 1 => write!(f, "{users} users get it"),
            _ => write!(f, "{} gets it", self.to),
        }
    }
}

#[derive(Serialize)]
struct Messages {
    messages: Vec<Kept>,
}

async fn list(cx: Cx) -> Outcome {
    let name = people::oneself(&cx)?.name.clone();
    let messages = cx.of.store.change(Read { name }).await;
    let messages = messages.map_err(|why| AdminError::failed(&why))?;
    Answer::of(&Messages { messages })
}

impl fmt::Display for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |it: &Kept| {
            let new = if it.new { "new" } else { "" };
            let from = it.author.clone();
            [table::moment(it.at), from, new.to_owned(), it.text.clone()]
        };
        let rows: Vec<_> = self.messages.iter().map(row).collect();
        table::write(f, ["WHEN", "FROM", "", "TEXT"], &rows)?;
        write!(f, "{} messages; MSGCLEAR throws them away", rows.len())
    }
}

#[derive(Serialize)]
struct Cleared {
    messages: u64,
}

async fn clear(cx: Cx) -> Outcome {
    let name = people::oneself(&cx)?.name.clone();
    let messages = cx.of.store.change(Clear { name }).await;
    let messages = messages.map_err(|why| AdminError::failed(&why))?;
    Answer::of(&Cleared { messages })
}

impl fmt::Display for Cleared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} messages are gone", self.messages)
    }
}
