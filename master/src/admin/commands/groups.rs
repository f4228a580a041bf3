//! Groups: `group add`, `group del`, `group rename`, `group change`, `group admins`, `group show`, `group list`.

use std::fmt;

use serde::Serialize;

use super::super::page::{AFTER, LIMIT};
use super::super::{
    AdminError, Answer, Args, Caller, Command, Cx, Kind, Listing, Outcome, Param, Permission,
};
use super::people::{self, Done};
use super::stats::Moved;
use super::table;
use super::user_show::Owns;
use crate::accounts::disk::{self, Holder};
use crate::accounts::edit::EditError;
use crate::accounts::edit::groups::{self, GroupChange};
use crate::accounts::period::Period;
use crate::accounts::tally;
use crate::store::Sql;

const GROUP: Param = Param::new("group", Kind::Text, "the group's name");

/// `group add GROUP`.
pub(in crate::admin) const ADD: Command = Command {
    name: "group add",
    site: &["GRPADD", "ADDGROUP"],
    params: &[GROUP],
    about: "makes a group",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(add(cx, args)),
};

async fn add(cx: Cx, args: Args) -> Outcome {
    let name = args.need_text("group")?.to_owned();
    let (by, now, whose) = (people::by(&cx), cx.of.clock.unix(), name.clone());
    people::edit(&cx, move |batch| groups::add(batch, &by, &whose, now)).await?;
    Answer::of(&Done::to(&name, format!("group {name} is there")))
}

/// `group del GROUP`.
pub(in crate::admin) const DELETE: Command = Command {
    name: "group del",
    site: &["GRPDEL", "DELGROUP"],
    params: &[GROUP],
    about: "removes a group that is nobody's primary one",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(delete(cx, args)),
};

async fn delete(cx: Cx, args: Args) -> Outcome {
    let name = args.need_text("group")?.to_owned();
    let (by, whose) = (people::by(&cx), name.clone());
    people::edit(&cx, move |batch| groups::remove(batch, &by, &whose)).await?;
    Answer::of(&Done::to(&name, format!("group {name} is gone")))
}

/// `group rename GROUP NEW`.
pub(in crate::admin) const RENAME: Command = Command {
    name: "group rename",
    site: &["GRPREN"],
    params: &[GROUP, Param::new("new", Kind::Text, "the new name")],
    about: "gives a group another name; files keep the old one",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(rename(cx, args)),
};

async fn rename(cx: Cx, args: Args) -> Outcome {
    let (old, new) = (
        args.need_text("group")?.to_owned(),
        args.need_text("new")?.to_owned(),
    );
    let (by, from, to) = (people::by(&cx), old.clone(), new.clone());
    people::edit(&cx, move |batch| groups::rename(batch, &by, &from, &to)).await?;
    Answer::of(&Done::to(&new, format!("group {old} is {new} now")))
}

/// `group change GROUP FIELD VALUE`.
pub(in crate::admin) const CHANGE: Command = Command {
    name: "group change",
    site: &["GRPCHANGE", "CHANGEGROUP"],
    params: &[
        GROUP,
        Param::new("field", Kind::Text, "slots, leechslots, ratio, or a limit"),
        Param::new(
            "value",
            Kind::Rest,
            "its new value; of ratio the least and the greatest",
        ),
    ],
    about: "changes what a group's administrators may give, and its limits",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(change(cx, args)),
};

async fn change(cx: Cx, args: Args) -> Outcome {
    let name = args.need_text("group")?.to_owned();
    let field = args.need_text("field")?.to_ascii_lowercase();
    let values: Vec<&str> = args.need_text("value")?.split_ascii_whitespace().collect();
    let new = GroupChange::read(&field, &values)?;
    let (by, whose) = (people::by(&cx), name.clone());
    people::edit(&cx, move |batch| groups::change(batch, &by, &whose, new)).await?;
    Answer::of(&Done::to(
        &name,
        format!("{field} of group {name} is changed"),
    ))
}

/// `group admins GROUP USERS`.
pub(in crate::admin) const ADMINS: Command = Command {
    name: "group admins",
    site: &["CHGADMIN", "CHANGEGROUPADMIN"],
    params: &[
        GROUP,
        Param::new("users", Kind::Rest, "members, blanks between"),
    ],
    about: "makes members administrators of their group, or takes that from those who are",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(admins(cx, args)),
};

async fn admins(cx: Cx, args: Args) -> Outcome {
    let name = args.need_text("group")?.to_owned();
    let users = people::words(args.text("users"));
    let (by, whose) = (people::by(&cx), name.clone());
    let now = people::edit(&cx, move |batch| {
        groups::toggle_admins(batch, &by, &whose, &users)
    })
    .await?;
    let said = match now.as_slice() {
        [] => format!("nobody administers {name}"),
        admins => format!("{name} is administered by {}", admins.join(", ")),
    };
    Answer::of(&Done::to(&name, said))
}

/// `group show GROUP`.
pub(in crate::admin) const SHOW: Command = Command {
    name: "group show",
    site: &["GINFO"],
    params: &[GROUP],
    about: "shows a group: its members, administrators, slots and limits",
    permission: Permission::GroupAdmin,
    changes: false,
    run: |cx, args| Box::pin(std::future::ready(show(&cx, &args))),
};

#[derive(Serialize)]
struct Shown {
    group: String,
    created: i64,
    slots: u32,
    slots_taken: u32,
    leech_slots: u32,
    leech_slots_taken: u32,
    least_ratio: String,
    most_ratio: String,
    limits: String,
    owns: Owns,
    members: Vec<Member>,
}

#[derive(Serialize)]
struct Member {
    user: String,
    primary: bool,
    administers: bool,
    ratio: String,
    deleted: bool,
    seen: Option<i64>,
    up: Moved,
    down: Moved,
}

fn show(cx: &Cx, args: &Args) -> Outcome {
    let name = args.need_text("group")?;
    if let Caller::User(user) = &cx.caller {
        let theirs = user.account.administers.iter().any(|group| group == name);
        if !user.account.admin && !theirs {
            return Err(EditError::NoGroup(name.to_owned()).into());
        }
    }
    let now = cx.of.clock.unix();
    let shown = cx.of.store.read(|sql| {
        let group = groups::need(sql, name)?;
        let (taken, leech_taken) = group.taken(sql)?;
        let members = members(sql, name, now)?;
        Ok::<_, EditError>(Shown {
            group: group.name,
            created: group.created,
            slots: group.slots,
            slots_taken: taken,
            leech_slots: group.leech_slots,
            leech_slots_taken: leech_taken,
            least_ratio: group.least_ratio.to_string(),
            most_ratio: group.most_ratio.to_string(),
            limits: group.limits.to_string(),
            owns: disk::owned(sql, Holder::Group(name))?.into(),
            members,
        })
    });
    Answer::of(&shown.map_err(AdminError::from)?)
}

fn members(sql: &Sql<'_>, group: &str, now: i64) -> Result<Vec<Member>, EditError> {
    let text = "SELECT name, grp = ?1, EXISTS (SELECT 1 FROM grp_admin WHERE account = name AND grp = ?1), ratio,
        deleted IS NOT NULL, seen FROM account
        WHERE name IN (SELECT name FROM account WHERE grp = ?1 UNION SELECT account FROM member WHERE grp = ?1)
        ORDER BY name";
    let mut members = sql.all(text, [group], |row| {
        Ok(Member {
            user: row.get(0)?,
            primary: row.get(1)?,
            administers: row.get(2)?,
            ratio: crate::accounts::ratio::Ratio::from_column(row.get(3)?).to_string(),
            deleted: row.get(4)?,
            seen: row.get(5)?,
            up: Moved::default(),
            down: Moved::default(),
        })
    })?;
    for member in &mut members {
        let ever = tally::of(sql, &member.user, Period::Ever, now)?;
        (member.up, member.down) = (ever.up.into(), ever.down.into());
    }
    Ok(members)
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            group,
            slots,
            slots_taken,
            leech_slots,
            leech_slots_taken,
            ..
        } = self;
        writeln!(f, "group {group}, since {}", table::moment(self.created))?;
        writeln!(
            f,
            "slots {slots_taken} of {slots}, with ratio 0 {leech_slots_taken} of {leech_slots}, other ratios from {} to {}",
            self.least_ratio, self.most_ratio
        )?;
        writeln!(f, "limits {}", self.limits)?;
        writeln!(f, "owns {}", self.owns)?;
        let row = |member: &Member| {
            let mut what = Vec::new();
            what.extend(member.administers.then_some("administers it"));
            what.extend((!member.primary).then_some("beside another group"));
            what.extend(member.deleted.then_some("deleted"));
            [
                member.user.clone(),
                member.ratio.clone(),
                member
                    .seen
                    .map_or_else(|| "never".to_owned(), table::moment),
                table::size(member.up.bytes()),
                table::size(member.down.bytes()),
                what.join(", "),
            ]
        };
        let rows: Vec<_> = self.members.iter().map(row).collect();
        table::write(
            f,
            ["MEMBER", "RATIO", "LAST LOGIN", "UP", "DOWN", ""],
            &rows,
        )
    }
}

/// `group list`.
pub(in crate::admin) const LIST: Command = Command {
    name: "group list",
    site: &["GROUPS"],
    params: &[LIMIT, AFTER],
    about: "lists groups",
    permission: Permission::Operator,
    changes: false,
    run: |cx, args| Box::pin(std::future::ready(list(&cx, &args))),
};

#[derive(Serialize)]
struct Listed {
    groups: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    group: String,
    members: u32,
    slots: u32,
    leech_slots: u32,
    administrators: Vec<String>,
}

fn list(cx: &Cx, args: &Args) -> Outcome {
    let text = "SELECT name, slots, leech_slots,
        (SELECT count(*) FROM account WHERE grp = g.name) + (SELECT count(*) FROM member WHERE grp = g.name),
        (SELECT group_concat(account, ' ') FROM grp_admin WHERE grp = g.name) FROM grp AS g ORDER BY name";
    let groups = cx.of.store.read(|sql| {
        sql.all(text, [], |row| {
            let administrators: Option<String> = row.get(4)?;
            Ok(Row {
                group: row.get(0)?,
                slots: row.get(1)?,
                leech_slots: row.get(2)?,
                members: row.get(3)?,
                administrators: people::words(administrators.as_deref()),
            })
        })
    });
    let groups = groups.map_err(|why: crate::store::StoreError| AdminError::failed(&why))?;
    Answer::page(Listed { groups }, args)
}

impl Listing for Listed {
    type Entry = Row;
    type Key = String;

    fn entries(&mut self) -> &mut Vec<Row> {
        &mut self.groups
    }

    fn key(entry: &Row) -> String {
        entry.group.clone()
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |row: &Row| {
            [
                row.group.clone(),
                row.members.to_string(),
                row.slots.to_string(),
                row.leech_slots.to_string(),
                row.administrators.join(", "),
            ]
        };
        let rows: Vec<_> = self.groups.iter().map(row).collect();
        table::write(
            f,
            ["GROUP", "MEMBERS", "SLOTS", "RATIO 0", "ADMINISTRATORS"],
            &rows,
        )?;
        write!(f, "{} groups", rows.len())
    }
}
