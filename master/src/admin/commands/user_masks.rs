//! From where users log in: `user add-mask`, `user del-mask`.

use super::super::{AdminError, Answer, Args, Command, Cx, Kind, Outcome, Param, Permission};
use super::people::{self, Done};
use crate::accounts::edit::users;

const USER: Param = Param::new("user", Kind::Text, "the user's name");

/// `user add-mask USER MASKS`.
pub(in crate::admin) const ADD_MASK: Command = Command {
    name: "user add-mask",
    site: &["ADDIP"],
    params: &[
        USER,
        Param::new("masks", Kind::Rest, "ident@address, blanks between"),
    ],
    about: "lets a user log in from more places",
    permission: Permission::GroupAdmin,
    changes: true,
    run: |cx, args| Box::pin(add_mask(cx, args)),
};

async fn add_mask(cx: Cx, args: Args) -> Outcome {
    let name = args.need_text("user")?.to_owned();
    let masks = people::masks(args.text("masks"))?;
    let who = people::account(&cx, &name)?;
    let most = cx.of.people.config().may_have_masks(&who, &masks);
    let most = most.map_err(|why| AdminError::argument("masks", why))?;
    let (by, whose, now) = (people::by(&cx), name.clone(), cx.of.clock.unix());
    let added = people::edit(&cx, move |batch| {
        users::add_masks(batch, &by, &whose, &masks, most, now)
    });
    let added = added.await?;
    let said = match added.as_slice() {
        [] => "nothing new".to_owned(),
        masks => format!("{name} may come from {}", masks.join(", ")),
    };
    Answer::of(&Done::to(&name, said))
}

/// `user del-mask USER MASKS`.
pub(in crate::admin) const DEL_MASK: Command = Command {
    name: "user del-mask",
    site: &["DELIP"],
    params: &[
        USER,
        Param::new(
            "masks",
            Kind::Rest,
            "masks as user show has them, blanks between",
        ),
    ],
    about: "takes places away from where a user may log in",
    permission: Permission::GroupAdmin,
    changes: true,
    run: |cx, args| Box::pin(del_mask(cx, args)),
};

async fn del_mask(cx: Cx, args: Args) -> Outcome {
    let name = args.need_text("user")?.to_owned();
    // One that cannot be read any more can go all the same.
    let masks = people::words(args.text("masks"));
    let (by, whose) = (people::by(&cx), name.clone());
    let gone = people::edit(&cx, move |batch| {
        users::remove_masks(batch, &by, &whose, &masks)
    })
    .await?;
    let said = match gone.as_slice() {
        [] => format!("{name} has no such mask"),
        masks => format!("{name} may not come from {} any more", masks.join(", ")),
    };
    Answer::of(&Done::to(&name, said))
}
