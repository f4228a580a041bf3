//! Users that come and go: `user add`, `group add-user`, `user del`, `user readd`, `user purge`, `user erase`,
//! `user rename`.

use super::super::{AdminError, Answer, Args, Command, Cx, Kind, Outcome, Param, Permission};
use super::people::{self, Done};
use crate::accounts::Account;
use crate::accounts::edit::users::{self, New};

const USER: Param = Param::new("user", Kind::Text, "the user's name");
const PASSWORD: Param = Param::new("password", Kind::Secret, "the password");
const MASKS: Param = Param::optional(
    "masks",
    Kind::Rest,
    "from where the user comes: ident@address, blanks between",
);

/// `user add USER PASSWORD [MASKS]`.
pub(in crate::admin) const ADD: Command = Command {
    name: "user add",
    site: &["ADDUSER"],
    params: &[USER, PASSWORD, MASKS],
    about: "makes a user, in the default group or in the group that the caller administers",
    permission: Permission::GroupAdmin,
    changes: true,
    run: |cx, args| Box::pin(add(cx, args, None)),
};

/// `group add-user GROUP USER PASSWORD [MASKS]`.
pub(in crate::admin) const ADD_TO: Command = Command {
    name: "group add-user",
    site: &["GADDUSER"],
    params: &[
        Param::new("group", Kind::Text, "the user's group"),
        USER,
        PASSWORD,
        MASKS,
    ],
    about: "makes a user in a group",
    permission: Permission::GroupAdmin,
    changes: true,
    run: |cx, args| {
        let group = args.text("group").map(str::to_owned);
        Box::pin(add(cx, args, group))
    },
};

async fn add(cx: Cx, args: Args, group: Option<String>) -> Outcome {
    let name = args.need_text("user")?.to_owned();
    let masks = people::masks(args.text("masks"))?;
    let config = cx.of.people.config();
    let who = Account::new(&name, group.as_deref().unwrap_or(&config.default_group));
    let allowed = config.may_have_masks(&who, &masks);
    let most = allowed.map_err(|why| AdminError::argument("masks", why))?;
    if masks.len() > most {
        let why = format!("more than {most} are not allowed");
        return Err(AdminError::argument("masks", why));
    }
    let hash = people::hash(&cx, &who, args.secret("password")?).await?;
    let new = New {
        name,
        hash,
        group,
        group_else: config.default_group.clone(),
        masks,
        ratio: config.ratio(),
        now: cx.of.clock.unix(),
    };
    let by = people::by(&cx);
    let added = people::edit(&cx, move |batch| users::add(batch, &by, new)).await?;
    let account = &added.account;
    let said = match added.masks.as_slice() {
        [] => "no masks".to_owned(),
        masks => masks.join(", "),
    };
    let said = format!(
        "user {} is there: group {}, ratio {}, {said}",
        account.name, account.group, account.ratio
    );
    Answer::of(&Done::to(&account.name, said))
}

/// `user del USER [REASON]`.
pub(in crate::admin) const DELETE: Command = Command {
    name: "user del",
    site: &["DELUSER"],
    params: &[
        USER,
        Param::optional("reason", Kind::Rest, "why, for whoever looks at it later"),
    ],
    about: "deletes a user, who can be taken back, and ends their sessions",
    permission: Permission::GroupAdmin,
    changes: true,
    run: |cx, args| Box::pin(delete(cx, args)),
};

async fn delete(cx: Cx, args: Args) -> Outcome {
    let name = args.need_text("user")?.to_owned();
    let reason = args.text("reason").unwrap_or_default().to_owned();
    let (by, now, whose) = (people::by(&cx), cx.of.clock.unix(), name.clone());
    people::edit(&cx, move |batch| {
        users::delete(batch, &by, &whose, &reason, now)
    })
    .await?;
    gone(&cx, &name, "deleted").await
}

async fn gone(cx: &Cx, name: &str, how: &str) -> Outcome {
    let ended = people::end_sessions(cx, &[name.to_owned()], "Your account was deleted").await;
    let done = Done::to(name, format!("user {name} is {how}"));
    Answer::of(&Done { ended, ..done })
}

/// `user readd USER`.
pub(in crate::admin) const READD: Command = Command {
    name: "user readd",
    site: &["READD"],
    params: &[USER],
    about: "takes a deleted user back",
    permission: Permission::GroupAdmin,
    changes: true,
    run: |cx, args| Box::pin(readd(cx, args)),
};

async fn readd(cx: Cx, args: Args) -> Outcome {
    let name = args.need_text("user")?.to_owned();
    let (by, whose) = (people::by(&cx), name.clone());
    people::edit(&cx, move |batch| users::readd(batch, &by, &whose)).await?;
    Answer::of(&Done::to(&name, format!("user {name} is there again")))
}

/// `user purge USER`.
pub(in crate::admin) const PURGE: Command = Command {
    name: "user purge",
    site: &["PURGE"],
    params: &[USER],
    about: "forgets a deleted user for ever; files keep the name",
    permission: Permission::GroupAdmin,
    changes: true,
    run: |cx, args| Box::pin(purge(cx, args)),
};

async fn purge(cx: Cx, args: Args) -> Outcome {
    let name = args.need_text("user")?.to_owned();
    let (by, whose) = (people::by(&cx), name.clone());
    people::edit(&cx, move |batch| users::purge(batch, &by, &whose)).await?;
    Answer::of(&Done::to(&name, format!("user {name} is forgotten")))
}

/// `user erase USER`.
pub(in crate::admin) const ERASE: Command = Command {
    name: "user erase",
    site: &["DELPURGE"],
    params: &[USER],
    about: "deletes a user and forgets them for ever",
    permission: Permission::GroupAdmin,
    changes: true,
    run: |cx, args| Box::pin(erase(cx, args)),
};

async fn erase(cx: Cx, args: Args) -> Outcome {
    let name = args.need_text("user")?.to_owned();
    let (by, now, whose) = (people::by(&cx), cx.of.clock.unix(), name.clone());
    people::edit(&cx, move |batch| {
        users::delete(batch, &by, &whose, "", now)?;
        users::purge(batch, &by, &whose)
    })
    .await?;
    gone(&cx, &name, "forgotten").await
}

/// `user rename USER NEW`.
pub(in crate::admin) const RENAME: Command = Command {
    name: "user rename",
    site: &["RENUSER"],
    params: &[USER, Param::new("new", Kind::Text, "the new name")],
    about: "gives a user another name, and ends their sessions; files keep the old one",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(rename(cx, args)),
};

async fn rename(cx: Cx, args: Args) -> Outcome {
    let (old, new) = (args.need_text("user")?, args.need_text("new")?);
    let (old, new) = (old.to_owned(), new.to_owned());
    let (by, from, to) = (people::by(&cx), old.clone(), new.clone());
    people::edit(&cx, move |batch| users::rename(batch, &by, &from, &to)).await?;
    let why = "Your account has another name now";
    let ended = people::end_sessions(&cx, std::slice::from_ref(&old), why).await;
    let done = Done::to(&new, format!("user {old} is {new} now"));
    Answer::of(&Done { ended, ..done })
}
