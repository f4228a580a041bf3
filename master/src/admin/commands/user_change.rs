//! What of users can be changed: `user change`, `user expire`, `user keep`, `user chgrp`, `user password`, `passwd`,
//! `tagline`.

use std::fmt;

use serde::Serialize;

use super::super::{Answer, Args, Command, Cx, Kind, Outcome, Param, Permission};
use super::people::{self, Done};
use crate::accounts::edit::{Change, Whom, change, users};
use crate::store::Batch;

const USER: Param = Param::new("user", Kind::Text, "the user's name");

/// `user change WHO FIELD VALUE`.
pub(in crate::admin) const CHANGE: Command = Command {
    name: "user change",
    site: &["CHANGE", "CHANGEUSER"],
    params: &[
        Param::new(
            "who",
            Kind::Text,
            "a user, =group for all of a group, * for everybody",
        ),
        Param::new(
            "field",
            Kind::Text,
            "ratio, group, home, num_logins, …: a wrong one lists all",
        ),
        Param::new("value", Kind::Rest, "its new value"),
    ],
    about: "changes a field of one user or of many; administrators of a group change ratios",
    permission: Permission::GroupAdmin,
    changes: true,
    run: |cx, args| Box::pin(change_field(cx, args)),
};

#[derive(Serialize)]
struct Changed {
    field: String,
    users: Vec<String>,
    #[serde(skip)]
    ended: usize,
}

async fn change_field(cx: Cx, args: Args) -> Outcome {
    let whom = Whom::read(args.need_text("who")?);
    let field = args.need_text("field")?.to_ascii_lowercase();
    let values: Vec<&str> = args
        .need_text("value")?
        .split(' ')
        .filter(|it| !it.is_empty())
        .collect();
    apply(&cx, whom, &field, &values).await
}

async fn apply(cx: &Cx, whom: Whom, field: &str, values: &[&str]) -> Outcome {
    let new = Change::read(field, values)?;
    let (by, now) = (people::by(cx), cx.of.clock.unix());
    let puts_out = match new {
        Change::Switch("disabled", off) => off.then_some("Your account was switched off"),
        Change::Expires(Some(until)) => (until <= now).then_some("Your account has expired"),
        _ => None,
    };
    let work = move |batch: &Batch<'_>| change::change(batch, &by, &whom, &new, now);
    let users = people::edit(cx, work).await?;
    let ended = match puts_out {
        Some(why) => people::end_sessions(cx, &users, why).await,
        None => 0,
    };
    let field = field.to_owned();
    Answer::of(&Changed {
        field,
        users,
        ended,
    })
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.users.as_slice() {
            [one] => write!(f, "{} of {one} is changed", self.field)?,
            many => write!(f, "{} of {} users is changed", self.field, many.len())?,
        }
        match self.ended {
            0 => Ok(()),
            ended => write!(f, "; sessions ended: {ended}"),
        }
    }
}

/// `user expire USER DATE`.
pub(in crate::admin) const EXPIRE: Command = Command {
    name: "user expire",
    site: &["SETEXPIRE"],
    params: &[
        USER,
        Param::new(
            "date",
            Kind::Text,
            "a day (2027-01-31, UTC) or a moment (2027-01-31T12:00:00Z)",
        ),
    ],
    about: "says until when an account can be used",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| {
        Box::pin(async move {
            let whom = Whom::User(args.need_text("user")?.to_owned());
            apply(&cx, whom, "expires", &[args.need_text("date")?]).await
        })
    },
};

/// `user keep USER`.
pub(in crate::admin) const KEEP: Command = Command {
    name: "user keep",
    site: &["REMOVEEXPIRE"],
    params: &[USER],
    about: "lets an account be used for ever",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| {
        Box::pin(async move {
            let whom = Whom::User(args.need_text("user")?.to_owned());
            apply(&cx, whom, "expires", &["never"]).await
        })
    },
};

/// `user chgrp USER GROUPS`.
pub(in crate::admin) const CHGRP: Command = Command {
    name: "user chgrp",
    site: &["CHGRP"],
    params: &[
        USER,
        Param::new("groups", Kind::Rest, "groups, blanks between"),
    ],
    about: "puts a user into groups beside the primary one, or takes them out where they are",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(chgrp(cx, args)),
};

async fn chgrp(cx: Cx, args: Args) -> Outcome {
    let name = args.need_text("user")?.to_owned();
    let groups = people::words(args.text("groups"));
    let (by, whose) = (people::by(&cx), name.clone());
    let now = people::edit(&cx, move |batch| {
        users::toggle_groups(batch, &by, &whose, &groups)
    });
    let now = now.await?;
    let said = match now.as_slice() {
        [] => format!("{name} is in no other group"),
        groups => format!("{name} is also in {}", groups.join(", ")),
    };
    Answer::of(&Done::to(&name, said))
}

/// `user password USER PASSWORD`.
pub(in crate::admin) const PASSWORD: Command = Command {
    name: "user password",
    site: &["CHPASS"],
    params: &[
        USER,
        Param::new("password", Kind::Secret, "the new password"),
    ],
    about: "sets a user's password",
    permission: Permission::GroupAdmin,
    changes: true,
    run: |cx, args| Box::pin(password(cx, args)),
};

async fn password(cx: Cx, args: Args) -> Outcome {
    let name = args.need_text("user")?.to_owned();
    let who = people::account(&cx, &name)?;
    let hash = people::hash(&cx, &who, args.secret("password")?).await?;
    let (by, whose) = (people::by(&cx), name.clone());
    people::edit(&cx, move |batch| {
        users::set_password(batch, &by, &whose, &hash)
    })
    .await?;
    Answer::of(&Done::to(&name, format!("{name} has another password")))
}

/// `passwd PASSWORD`.
pub(in crate::admin) const PASSWD: Command = Command {
    name: "passwd",
    site: &["PASSWD"],
    params: &[Param::new("password", Kind::Secret, "the new password")],
    about: "sets the password of whoever says it",
    permission: Permission::Anyone,
    changes: true,
    run: |cx, args| Box::pin(passwd(cx, args)),
};

async fn passwd(cx: Cx, args: Args) -> Outcome {
    let who = people::oneself(&cx)?.clone();
    let hash = people::hash(&cx, &who, args.secret("password")?).await?;
    let name = who.name.clone();
    people::edit(&cx, move |batch| users::own_password(batch, &name, &hash)).await?;
    Answer::of(&Done::to(&who.name, "you have another password"))
}

/// `tagline TEXT`.
pub(in crate::admin) const TAGLINE: Command = Command {
    name: "tagline",
    site: &["TAGLINE"],
    params: &[Param::new("text", Kind::Rest, "what others see")],
    about: "sets what others see of whoever says it",
    permission: Permission::Anyone,
    changes: true,
    run: |cx, args| Box::pin(tagline(cx, args)),
};

async fn tagline(cx: Cx, args: Args) -> Outcome {
    let name = people::oneself(&cx)?.name.clone();
    let (text, whose) = (args.need_text("text")?.to_owned(), name.clone());
    people::edit(&cx, move |batch| users::own_tagline(batch, &whose, &text)).await?;
    Answer::of(&Done::to(&name, "your tagline is changed"))
}
