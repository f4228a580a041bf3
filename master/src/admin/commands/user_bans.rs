//! Users who are kept out for a while, and notes about them: `user ban`, `user unban`, all of them at once, `user add-note`, `user del-note`.

use super::super::{AdminError, Answer, Args, Command, Cx, Kind, Outcome, Param, Permission};
use super::people::{self, Done};
use crate::accounts::edit::users;
use crate::store::Batch;

const USER: Param = Param::new("user", Kind::Text, "the user's name");
const MINUTES: Param = Param::new(
    "minutes",
    Kind::Text,
    "for how long: minutes, or a time like 2h",
);
const REASON: Param = Param::optional("reason", Kind::Rest, "why; those who are banned hear it");

/// `user ban USER MINUTES [REASON]`.
pub(in crate::admin) const BAN: Command = Command {
    name: "user ban",
    site: &["BAN"],
    params: &[USER, MINUTES, REASON],
    about: "keeps a user out for a while, and ends their sessions",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(ban(cx, args)),
};

async fn ban(cx: Cx, args: Args) -> Outcome {
    let name = args.need_text("user")?.to_owned();
    let (until, reason) = asked(&cx, &args)?;
    let why = heard(&reason);
    let (by, whose) = (people::by(&cx), name.clone());
    people::edit(&cx, move |batch| {
        users::ban(batch, &by, &whose, Some((until, &reason)))
    })
    .await?;
    let ended = people::end_sessions(&cx, std::slice::from_ref(&name), &why).await;
    let said = format!("{name} is banned until {}", super::table::moment(until));
    Answer::of(&Done {
        ended,
        ..Done::to(&name, said)
    })
}

/// Until when, and why.
fn asked(cx: &Cx, args: &Args) -> Result<(i64, String), AdminError> {
    let long = span(args.need_text("minutes")?);
    let long =
        long.ok_or_else(|| AdminError::argument("minutes", "must be minutes, or a time like 2h"))?;
    let until = cx.of.clock.unix().saturating_add(long);
    Ok((until, args.text("reason").unwrap_or_default().to_owned()))
}

/// What those hear whose sessions end.
fn heard(reason: &str) -> String {
    match reason {
        "" => "You are banned for a while".to_owned(),
        reason => format!("You are banned for a while: {reason}"),
    }
}

/// Minutes, or a time with its unit, in seconds; a hundred years at most.
pub(super) fn span(text: &str) -> Option<i64> {
    let seconds = match text.parse::<u64>() {
        Ok(minutes) => minutes.checked_mul(60)?,
        Err(_) => humantime::parse_duration(text).ok()?.as_secs(),
    };
    let seconds = i64::try_from(seconds).ok()?;
    (1..=100 * 366 * 86_400)
        .contains(&seconds)
        .then_some(seconds)
}

/// `user unban USER`.
pub(in crate::admin) const UNBAN: Command = Command {
    name: "user unban",
    site: &["UNBAN"],
    params: &[USER],
    about: "lets a user in again before the ban is over",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(unban(cx, args)),
};

async fn unban(cx: Cx, args: Args) -> Outcome {
    let name = args.need_text("user")?.to_owned();
    let (by, whose) = (people::by(&cx), name.clone());
    people::edit(&cx, move |batch| users::ban(batch, &by, &whose, None)).await?;
    Answer::of(&Done::to(&name, format!("{name} may come again")))
}

/// `user ban-all MINUTES [REASON]`.
pub(in crate::admin) const BAN_ALL: Command = Command {
    name: "user ban-all",
    site: &["BANALL"],
    params: &[MINUTES, REASON],
    about: "keeps everybody out for a while but whoever says it (by ctl and API: but operators), and ends their sessions",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(ban_all(cx, args)),
};

async fn ban_all(cx: Cx, args: Args) -> Outcome {
    let (until, reason) = asked(&cx, &args)?;
    let why = heard(&reason);
    let by = people::by(&cx);
    let work = move |batch: &Batch<'_>| users::ban_all(batch, &by, Some((until, &reason)));
    let banned = people::edit(&cx, work).await?;
    let ended = people::end_sessions(&cx, &banned, &why).await;
    let until = super::table::moment(until);
    let said = format!("{} users are banned until {until}", banned.len());
    Answer::of(&Done {
        ended,
        ..Done::to("*", said)
    })
}

/// `user unban-all`.
pub(in crate::admin) const UNBAN_ALL: Command = Command {
    name: "user unban-all",
    site: &["UNBANALL"],
    params: &[],
    about: "lets all users in again who are banned",
    permission: Permission::Operator,
    changes: true,
    run: |cx, _| Box::pin(unban_all(cx)),
};

async fn unban_all(cx: Cx) -> Outcome {
    let by = people::by(&cx);
    let lifted = people::edit(&cx, move |batch| users::ban_all(batch, &by, None)).await?;
    let said = format!("{} users may come again", lifted.len());
    Answer::of(&Done::to("*", said))
}

/// `user add-note USER TEXT`.
pub(in crate::admin) const ADD_NOTE: Command = Command {
    name: "user add-note",
    site: &["ADDNOTE"],
    params: &[
        USER,
        Param::new(
            "text",
            Kind::Rest,
            "what to remember; only operators see it",
        ),
    ],
    about: "writes down something about a user",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(add_note(cx, args)),
};

async fn add_note(cx: Cx, args: Args) -> Outcome {
    let name = args.need_text("user")?.to_owned();
    let (by, whose, now) = (people::by(&cx), name.clone(), cx.of.clock.unix());
    let text = args.need_text("text")?.to_owned();
    let n = people::edit(&cx, move |batch| {
        users::add_note(batch, &by, &whose, &text, now)
    })
    .await?;
    Answer::of(&Done::to(&name, format!("note {n} about {name} is kept")))
}

/// `user del-note USER NUMBER`.
pub(in crate::admin) const DEL_NOTE: Command = Command {
    name: "user del-note",
    site: &["DELNOTE"],
    params: &[
        USER,
        Param::new(
            "number",
            Kind::Text,
            "the note's number, as user show has it",
        ),
    ],
    about: "forgets a note about a user",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(del_note(cx, args)),
};

async fn del_note(cx: Cx, args: Args) -> Outcome {
    let name = args.need_text("user")?.to_owned();
    let n = args.need_text("number")?.parse::<i64>();
    let n = n.map_err(|_| AdminError::argument("number", "must be a number"))?;
    let (by, whose) = (people::by(&cx), name.clone());
    let gone = people::edit(&cx, move |batch| users::remove_note(batch, &by, &whose, n)).await?;
    match gone {
        true => Answer::of(&Done::to(&name, format!("note {n} about {name} is gone"))),
        false => Err(AdminError::argument("number", "there is no such note")),
    }
}

#[cfg(test)]
mod tests {
    use super::span;

    #[test]
    fn a_ban_is_as_long_as_was_said() {
        for (text, seconds) in [
            ("5", Some(300)),
            ("2h", Some(7200)),
            ("0", None),
            ("-5", None),
            ("18446744073709551615", None),
            ("200years", None),
            ("soon", None),
        ] {
            assert_eq!(span(text), seconds, "{text}");
        }
    }
}
