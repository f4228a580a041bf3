//! Credits that people give to each other, or take from each other.

use crate::accounts::credits;
use crate::accounts::names::check_text;
use crate::accounts::table::{self, Stored};
use crate::store::Batch;

use super::{By, EditError};

/// What is given or taken, and why.
#[derive(Debug, Clone)]
pub struct Gift {
    /// Bytes.
    pub bytes: i64,
    /// As far as it is said.
    pub why: String,
    /// When, Unix seconds.
    pub now: i64,
}

impl Gift {
    fn check(&self) -> Result<(), EditError> {
        check_text(&self.why).map_err(|why| EditError::wrong("reason", why))?;
        match self.bytes > 0 {
            true => Ok(()),
            false => Err(EditError::wrong("bytes", "must be more than 0")),
        }
    }

    fn give(&self, batch: &Batch<'_>, to: &str, author: &str) -> Result<i64, EditError> {
        let then = credits::charge(batch, to, self.bytes, (author, &self.why), self.now)?;
        then.ok_or_else(|| EditError::NoUser(to.to_owned()))
    }

    /// Takes what is there: nobody owes anything by that.
    fn take(&self, batch: &Batch<'_>, from: &str, author: &str) -> Result<i64, EditError> {
        let there = credits::balance(batch, from, self.now)?.unwrap_or_default();
        if there.free() < self.bytes {
            return Err(EditError::wrong("bytes", "are more than there are"));
        }
        let then = credits::charge(batch, from, -self.bytes, (author, &self.why), self.now)?;
        then.ok_or_else(|| EditError::NoUser(from.to_owned()))
    }
}

/// Gives credits: operators make them, all others give of their own. Answers what the user has then.
///
/// # Errors
/// When there is no such user, or there are not so many.
pub fn give(batch: &Batch<'_>, by: &By, to: &str, gift: &Gift) -> Result<i64, EditError> {
    gift.check()?;
    let authority = by.authority(batch)?;
    if authority.all {
        authority.over(batch, to)?;
    } else {
        let there = table::find(batch, to)?.filter(Stored::can_log_in);
        if there.is_none() || to == authority.name {
            return Err(EditError::NoUser(to.to_owned()));
        }
        gift.take(batch, &authority.name, &authority.name)?;
    }
    gift.give(batch, to, &authority.name)
}

/// Takes credits away. Answers what the user has then.
///
/// # Errors
/// When there is no such user, there are not so many, or the caller is no operator.
pub fn take(batch: &Batch<'_>, by: &By, from: &str, gift: &Gift) -> Result<i64, EditError> {
    gift.check()?;
    let authority = by.operator(batch)?;
    authority.over(batch, from)?;
    gift.take(batch, from, &authority.name)
}

/// Moves credits from one to another. Answers what the second has then.
///
/// # Errors
/// When there is no such user, there are not so many, or the caller is no operator.
pub fn swap(
    batch: &Batch<'_>,
    by: &By,
    (from, to): (&str, &str),
    gift: &Gift,
) -> Result<i64, EditError> {
    gift.check()?;
    let authority = by.operator(batch)?;
    authority.over(batch, from)?;
    authority.over(batch, to)?;
    gift.take(batch, from, &authority.name)?;
    gift.give(batch, to, &authority.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::Account;
    use crate::accounts::edit::Edit;
    use crate::accounts::people::Changes;
    use crate::accounts::table::AddAccount;
    use crate::accounts::tests::World;
    use drftpd_actors::testkit::sim;

    const MONDAY: i64 = 1_799_625_600;

    fn gift(bytes: i64) -> Gift {
        let why = String::new();
        Gift {
            bytes,
            why,
            now: MONDAY,
        }
    }

    async fn edit<T: Send + 'static>(
        world: &World,
        work: impl FnOnce(&Batch<'_>) -> Result<T, EditError> + Send + 'static,
    ) -> Result<T, EditError> {
        let changes = Changes::default();
        world.store.change(Edit { changes, work }).await
    }

    async fn people() -> World {
        let world = World::new();
        for (name, admin) in [("root", true), ("ann", false), ("bob", false)] {
            let account = Account {
                admin,
                ..Account::of_test(name, "users")
            };
            let stored = Stored::new(account, Some("x".into()), 0);
            assert!(world.store.change(AddAccount(stored)).await.unwrap());
        }
        world
    }

    fn has(world: &World, name: &str, now: i64) -> i64 {
        let found = world.store.read(|sql| credits::balance(sql, name, now));
        found.unwrap().unwrap().credits
    }

    #[test]
    fn operators_make_credits_and_others_give_of_their_own() {
        sim(async {
            let world = people().await;
            let of = |name: &str| By::User(name.to_owned());
            let (root, ann) = (of("root"), of("ann"));
            let by = root.clone();
            let then = edit(&world, move |batch| give(batch, &by, "ann", &gift(100))).await;
            assert_eq!(then.unwrap(), 100);
            let by = ann.clone();
            let then = edit(&world, move |batch| give(batch, &by, "bob", &gift(30))).await;
            assert_eq!(then.unwrap(), 30);
            for (by, to, bytes) in [
                (&ann, "bob", 71),
                (&ann, "ann", 1),
                (&ann, "eve", 1),
                (&ann, "bob", 0),
                (&root, "bob", -1),
            ] {
                let (by, to) = (by.clone(), to.to_owned());
                let then = edit(&world, move |batch| give(batch, &by, &to, &gift(bytes))).await;
                assert!(then.is_err());
            }
            let by = ann.clone();
            let then = edit(&world, move |batch| take(batch, &by, "bob", &gift(1))).await;
            assert!(matches!(then, Err(EditError::Denied(_))));
            let by = root.clone();
            let then = edit(&world, move |batch| take(batch, &by, "ann", &gift(71))).await;
            assert!(then.is_err());
            let then = edit(&world, move |batch| {
                swap(batch, &root, ("ann", "bob"), &gift(70))
            });
            assert_eq!(then.await.unwrap(), 100);
            assert_eq!(
                (has(&world, "ann", MONDAY), has(&world, "bob", MONDAY)),
                (0, 100)
            );
            let kept = world
                .store
                .read(|sql| credits::changes(sql, "ann", 9))
                .unwrap();
            let kept: Vec<_> = kept
                .iter()
                .map(|it| (it.bytes, it.author.as_str()))
                .collect();
            assert_eq!(kept, [(-70, "root"), (-30, "ann"), (100, "root")]);
        });
    }

    #[test]
    fn an_allotment_is_there_from_monday_on_however_late_somebody_looks() {
        sim(async {
            let world = people().await;
            const WEEK: i64 = 7 * 86_400;
            let of = |field: &'static str, bytes: &'static str, now| {
                let change = super::super::Change::read(field, &[bytes]).unwrap();
                let whom = super::super::Whom::User("ann".into());
                edit(&world, move |batch| {
                    super::super::change::change(batch, &By::Owner, &whom, &change, now)
                })
            };
            of("wkly_allotment", "500", MONDAY).await.unwrap();
            assert_eq!(has(&world, "ann", MONDAY + WEEK - 1), 0, "not this week");
            assert_eq!(has(&world, "ann", MONDAY + WEEK), 500);
            // Nobody looked for two weeks; what is taken then is taken from one allotment.
            let late = MONDAY + 3 * WEEK + 5;
            let spend = edit(&world, move |batch| {
                Ok(credits::add(batch, "ann", -120, late)?)
            });
            assert_eq!(spend.await.unwrap(), Some(380));
            assert_eq!(has(&world, "ann", late), 380);
            of("credits", "77", late).await.unwrap();
            assert_eq!(has(&world, "ann", late + 1), 77);
            assert_eq!(has(&world, "ann", late + WEEK), 500);
            // A clock that went back sets nothing.
            assert_eq!(has(&world, "ann", MONDAY), 77);
        });
    }
}
