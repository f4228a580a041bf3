//! Users who are kept out for a while, and notes about them: `user ban`, `user unban`, `user add-note`, `user del-note`.

use super::super::{AdminError, Answer, Args, Command, Cx, Kind, Outcome, Param, Permission};
use super::people::{self, Done};
use crate::accounts::edit::users;

const USER: Param = Param::new("user", Kind::Text, "the user's name");

/// `user ban USER MINUTES [REASON]`.
pub(in crate::admin) const BAN: Command = Command {
    name: "user ban",
    site: &["BAN"],
    params: &[
        USER,
        Param::new(
            "minutes",
            Kind::Text,
            "for how long: minutes, or a time like 2h",
        ),
        Param::optional("reason", Kind::Rest, "why; the user hears it"),
    ],
    about: "keeps a user out for a while, and ends their sessions",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(ban(cx, args)),
};

async fn ban(cx: Cx, args: Args) -> Outcome {
    let name = args.need_text("user")?.to_owned();
    let long = span(args.need_text("minutes")?);
    let long =
        long.ok_or_else(|| AdminError::argument("minutes", "must be minutes, or a time like 2h"))?;
    let until = cx.of.clock.unix().saturating_add(long);
    let reason = args.text("reason").unwrap_or_default().to_owned();
    let why = match reason.as_str() {
        "" => "You are banned for a while".to_owned(),
        reason => format!("You are banned for a while: {reason}"),
    };
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
