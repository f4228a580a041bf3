//! Groups: what they are, what their administrators may, and how they come and go.

use crate::accounts::limits::{Limit, Limits};
use crate::accounts::names::check;
use crate::accounts::ratio::Ratio;
use crate::accounts::table;
use crate::store::{Batch, Sql, StoreError, params};

use super::{By, EditError};

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Since when, Unix seconds.
    pub created: i64,
    /// Users that its administrators may have in it.
    pub slots: u32,
    /// Of those, how many with ratio 0.
    pub leech_slots: u32,
    /// The least other ratio that its administrators may give.
    pub least_ratio: Ratio,
    /// The greatest.
    pub most_ratio: Ratio,
    /// What holds for all its members together, and for each transfer of theirs.
    pub limits: Limits,
}

/// A group by its name.
///
/// # Errors
/// When the database fails.
pub fn find(sql: &Sql<'_>, name: &str) -> Result<Option<Group>, StoreError> {
    let text =
        "SELECT created, slots, leech_slots, least_ratio, most_ratio FROM grp WHERE name = ?1";
    let found = sql.get(text, [name], |row| {
        Ok(Group {
            name: name.to_owned(),
            created: row.get(0)?,
            slots: row.get(1)?,
            leech_slots: row.get(2)?,
            least_ratio: Ratio::from_column(row.get(3)?),
            most_ratio: Ratio::from_column(row.get(4)?),
            limits: Limits::default(),
        })
    })?;
    let Some(mut group) = found else {
        return Ok(None);
    };
    group.limits = table::group_limits(sql, name)?;
    Ok(Some(group))
}

/// A group that must be there.
///
/// # Errors
/// [`EditError::NoGroup`].
pub fn need(sql: &Sql<'_>, name: &str) -> Result<Group, EditError> {
    find(sql, name)?.ok_or_else(|| EditError::NoGroup(name.to_owned()))
}

impl Group {
    /// How many slots are taken: members whose primary group it is, and those of them with ratio 0.
    ///
    /// # Errors
    /// When the database fails.
    pub fn taken(&self, sql: &Sql<'_>) -> Result<(u32, u32), StoreError> {
        let text = "SELECT count(*), coalesce(sum(ratio = 0), 0) FROM account WHERE grp = ?1 AND deleted IS NULL";
        let taken = sql.get(text, [&self.name], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(taken.unwrap_or_default())
    }

    /// Whether there is a slot for one more.
    pub(super) fn has_slot(&self, batch: &Batch<'_>) -> Result<(), EditError> {
        match self.taken(batch)?.0 < self.slots {
            true => Ok(()),
            false => Err(EditError::Denied("the group has no slot left")),
        }
    }

    /// Whether an administrator of the group may give a member this ratio, who had another or none.
    pub(super) fn lets(
        &self,
        batch: &Batch<'_>,
        had: Option<Ratio>,
        ratio: Ratio,
    ) -> Result<(), EditError> {
        if had == Some(ratio) {
            return Ok(());
        }
        if ratio.is_leech() {
            return match self.taken(batch)?.1 < self.leech_slots {
                true => Ok(()),
                false => Err(EditError::Denied("the group has no slot for ratio 0 left")),
            };
        }
        match (self.least_ratio..=self.most_ratio).contains(&ratio) {
            true => Ok(()),
            false => Err(EditError::wrong(
                "value",
                format!("must be from {} to {}", self.least_ratio, self.most_ratio),
            )),
        }
    }
}

/// Makes a group.
///
/// # Errors
/// When it is there, or the caller is no operator.
pub fn add(batch: &Batch<'_>, by: &By, name: &str, now: i64) -> Result<(), EditError> {
    by.operator(batch)?;
    check(name).map_err(|why| EditError::wrong("group", why))?;
    if find(batch, name)?.is_some() {
        return Err(EditError::Taken(name.to_owned()));
    }
    batch.run(
        "INSERT INTO grp VALUES (?1, ?2, 0, 0, 0, 0)",
        params![name, now],
    )?;
    Ok(())
}

/// Removes a group that is nobody's primary one.
///
/// # Errors
/// When it is somebody's, is not there, or the caller is no operator.
pub fn remove(batch: &Batch<'_>, by: &By, name: &str) -> Result<(), EditError> {
    by.operator(batch)?;
    need(batch, name)?;
    let members = "SELECT count(*) FROM account WHERE grp = ?1";
    if batch.get(members, [name], |row| row.get::<_, i64>(0))? != Some(0) {
        return Err(EditError::wrong(
            "group",
            "is the primary group of users; give them another first",
        ));
    }
    batch.run("DELETE FROM grp WHERE name = ?1", [name])?;
    for of in OF_GROUP {
        batch.run(&format!("DELETE FROM {of} WHERE grp = ?1"), [name])?;
    }
    Ok(())
}

/// Tables that say more of a group.
const OF_GROUP: [&str; 3] = ["member", "grp_admin", "grp_limit"];

/// Gives a group another name. Files keep the old one.
///
/// # Errors
/// When it is not there, the new name is taken, or the caller is no operator.
pub fn rename(batch: &Batch<'_>, by: &By, old: &str, new: &str) -> Result<(), EditError> {
    by.operator(batch)?;
    check(new).map_err(|why| EditError::wrong("new", why))?;
    need(batch, old)?;
    if find(batch, new)?.is_some() {
        return Err(EditError::Taken(new.to_owned()));
    }
    batch.run("UPDATE grp SET name = ?2 WHERE name = ?1", [old, new])?;
    batch.run("UPDATE account SET grp = ?2 WHERE grp = ?1", [old, new])?;
    for of in OF_GROUP {
        batch.run(
            &format!("UPDATE {of} SET grp = ?2 WHERE grp = ?1"),
            [old, new],
        )?;
    }
    Ok(())
}

/// What of a group can be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupChange {
    /// Slots.
    Slots(u32),
    /// Slots with ratio 0.
    LeechSlots(u32),
    /// Ratios that its administrators may give.
    Ratios(Ratio, Ratio),
    /// A limit; `None`: none.
    Limit(Limit, Option<u64>),
}

impl GroupChange {
    /// Reads a field and its values as people write them.
    ///
    /// # Errors
    /// What is wrong with which.
    pub fn read(field: &str, values: &[&str]) -> Result<Self, EditError> {
        let wrong = |why: &dyn std::fmt::Display| EditError::wrong("value", why);
        let number = |text: &str| text.parse::<u32>().map_err(|_| wrong(&"must be a number"));
        let ratio = |text: &str| text.parse::<Ratio>().map_err(|why| wrong(&why));
        match (field, values) {
            ("slots", [one]) => Ok(Self::Slots(number(one)?)),
            ("leechslots" | "leech_slots", [one]) => Ok(Self::LeechSlots(number(one)?)),
            ("ratio" | "ratios", [least, most]) => {
                let (least, most) = (ratio(least)?, ratio(most)?);
                match least > most || least.is_leech() {
                    true => Err(wrong(
                        &"must be the least ratio, more than 0, and the greatest",
                    )),
                    false => Ok(Self::Ratios(least, most)),
                }
            }
            (limit, [one]) if Limit::of_name(limit).is_some() => {
                let (limit, value) = super::change::limit(limit, one)?;
                Ok(Self::Limit(limit, value))
            }
            _ => Err(EditError::wrong(
                "field",
                "must be slots N, leechslots N, ratio LEAST GREATEST, or a limit with its value or none",
            )),
        }
    }
}

/// Changes a group.
///
/// # Errors
/// When it is not there, or the caller is no operator.
pub fn change(
    batch: &Batch<'_>,
    by: &By,
    name: &str,
    change: GroupChange,
) -> Result<(), EditError> {
    by.operator(batch)?;
    need(batch, name)?;
    match change {
        GroupChange::Slots(slots) => batch.run(
            "UPDATE grp SET slots = ?2 WHERE name = ?1",
            params![name, slots],
        ),
        GroupChange::LeechSlots(slots) => batch.run(
            "UPDATE grp SET leech_slots = ?2 WHERE name = ?1",
            params![name, slots],
        ),
        GroupChange::Ratios(least, most) => {
            let sql = "UPDATE grp SET least_ratio = ?2, most_ratio = ?3 WHERE name = ?1";
            batch.run(sql, params![name, least.0, most.0])
        }
        GroupChange::Limit(limit, value) => {
            super::change::set_limit(batch, ("grp_limit", "grp"), name, limit, value)
        }
    }?;
    Ok(())
}

/// Makes members administrators of a group, and those that are none any more; answers the administrators.
///
/// # Errors
/// When somebody is not in the group, or the caller is no operator.
pub fn toggle_admins(
    batch: &Batch<'_>,
    by: &By,
    name: &str,
    users: &[String],
) -> Result<Vec<String>, EditError> {
    by.operator(batch)?;
    need(batch, name)?;
    let text = "SELECT account FROM grp_admin WHERE grp = ?1 ORDER BY account";
    let mut admins = super::users::names(batch, text, name)?;
    for user in users {
        if let Some(at) = admins.iter().position(|there| there == user) {
            admins.remove(at);
            continue;
        }
        let found = table::find(batch, user)?.ok_or_else(|| EditError::NoUser(user.clone()))?;
        if !found.account.is_in(name) {
            return Err(EditError::wrong(
                "users",
                format!("{user} is not in {name}"),
            ));
        }
        admins.push(user.clone());
    }
    batch.run("DELETE FROM grp_admin WHERE grp = ?1", [name])?;
    for admin in &admins {
        batch.run(
            "INSERT INTO grp_admin (account, grp) VALUES (?1, ?2)",
            [admin.as_str(), name],
        )?;
    }
    Ok(admins)
}
