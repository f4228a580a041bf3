//! Who may change what of whom, against a real store.

use drftpd_actors::testkit::sim;

use super::groups::{self, GroupChange};
use super::users::{self, New};
use super::*;
use crate::accounts::limits::Limit;
use crate::accounts::ratio::Ratio;
use crate::accounts::tests::World;

const NOW: i64 = 1_800_000_000;

struct Site {
    world: World,
    changes: Changes,
}

fn user(name: &str) -> By {
    By::User(name.to_owned())
}

impl Site {
    /// The operator `root`; `crew` and `other` with an administrator each, who may have three users, one of them with
    /// ratio 0, and others with ratios from 1 to 5.
    async fn new() -> Self {
        let (world, changes) = (World::new(), Changes::default());
        world.admin("root", Some("secret")).await.unwrap();
        let site = Self { world, changes };
        for (group, admin) in [("crew", "boss"), ("other", "chief")] {
            site.edit(move |batch| groups::add(batch, &By::Owner, group, NOW))
                .await
                .unwrap();
            site.add(&By::Owner, admin, Some(group)).await.unwrap();
            for change in [
                GroupChange::Slots(3),
                GroupChange::LeechSlots(1),
                GroupChange::Ratios(Ratio(1000), Ratio(5000)),
            ] {
                site.edit(move |batch| groups::change(batch, &By::Owner, group, change))
                    .await
                    .unwrap();
            }
            let admins = [admin.to_owned()];
            site.edit(move |batch| groups::toggle_admins(batch, &By::Owner, group, &admins))
                .await
                .unwrap();
        }
        site
    }

    async fn edit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Batch<'_>) -> Result<T, EditError> + Send + 'static,
    ) -> Result<T, EditError> {
        let changes = self.changes.clone();
        self.world.store.change(Edit { changes, work }).await
    }

    async fn add(&self, by: &By, name: &str, group: Option<&str>) -> Result<Stored, EditError> {
        let (by, new) = (
            by.clone(),
            New {
                name: name.to_owned(),
                hash: "{PLAIN}word".to_owned(),
                group: group.map(str::to_owned),
                group_else: "users".to_owned(),
                masks: Vec::new(),
                ratio: Ratio(3000),
                now: NOW,
            },
        );
        self.edit(move |batch| users::add(batch, &by, new)).await
    }

    async fn change(
        &self,
        by: &By,
        whom: &str,
        field: &str,
        values: &[&str],
    ) -> Result<Vec<String>, EditError> {
        let change = Change::read(field, values)?;
        let (by, whom) = (by.clone(), Whom::read(whom));
        self.edit(move |batch| change::change(batch, &by, &whom, &change, 0))
            .await
    }

    async fn password(&self, by: &By, whom: &'static str) -> Result<(), EditError> {
        let by = by.clone();
        self.edit(move |batch| users::set_password(batch, &by, whom, "{PLAIN}new"))
            .await
    }

    fn find(&self, name: &str) -> Option<Stored> {
        self.world.store.read(|sql| table::find(sql, name)).unwrap()
    }
}

#[test]
fn an_administrator_of_a_group_has_its_slots_and_no_more() {
    sim(async {
        let (site, boss) = (Site::new().await, user("boss"));
        // The administrator is a member, too.
        for name in ["one", "two"] {
            let added = site.add(&boss, name, None).await.unwrap();
            assert_eq!(
                (added.account.group.as_str(), added.created_by.as_str()),
                ("crew", "boss")
            );
        }
        let full = site.add(&boss, "three", None).await;
        assert!(matches!(full, Err(EditError::Denied(_))), "{full:?}");
        let elsewhere = site.add(&boss, "three", Some("other")).await;
        assert!(matches!(elsewhere, Err(EditError::NoGroup(_))));
        // Who is deleted has no slot; who comes back needs one.
        let by = boss.clone();
        site.edit(move |batch| users::delete(batch, &by, "one", "", NOW))
            .await
            .unwrap();
        site.add(&boss, "three", None).await.unwrap();
        let by = boss.clone();
        let back = site
            .edit(move |batch| users::readd(batch, &by, "one"))
            .await;
        assert!(matches!(back, Err(EditError::Denied(_))));
        for (ratio, good) in [
            ("5", true),
            ("1", true),
            ("5.001", false),
            ("0.999", false),
            ("0", true),
        ] {
            let changed = site.change(&boss, "two", "ratio", &[ratio]).await;
            assert_eq!(changed.is_ok(), good, "{ratio}");
        }
        let second = site.change(&boss, "three", "ratio", &["0"]).await;
        assert!(
            matches!(second, Err(EditError::Denied(_))),
            "one slot with ratio 0"
        );
        assert!(
            site.change(&boss, "two", "ratio", &["0"]).await.is_ok(),
            "has it already"
        );
    });
}

#[test]
fn an_administrator_of_a_group_touches_nobody_who_could_be_more_than_a_member() {
    sim(async {
        let (site, boss) = (Site::new().await, user("boss"));
        site.add(&By::Owner, "plain", Some("crew")).await.unwrap();
        site.add(&By::Owner, "both", Some("crew")).await.unwrap();
        site.add(&By::Owner, "operator", Some("crew"))
            .await
            .unwrap();
        site.change(&By::Owner, "operator", "admin", &["yes"])
            .await
            .unwrap();
        let groups = ["other".to_owned()];
        site.edit(move |batch| users::toggle_groups(batch, &By::Owner, "both", &groups))
            .await
            .unwrap();
        for (whom, good) in [
            ("plain", true),
            ("both", false),
            ("operator", false),
            ("root", false),
            ("boss", false),
            ("chief", false),
            ("nobody", false),
        ] {
            let changed = site.password(&boss, whom).await;
            assert_eq!(changed.is_ok(), good, "{whom}");
            // Who is there and who is not cannot be told apart.
            assert!(
                good || matches!(changed, Err(EditError::NoUser(_))),
                "{whom}"
            );
            let ratio = site.change(&boss, whom, "ratio", &["2"]).await;
            assert_eq!(ratio.is_ok(), good, "{whom}");
        }
        for (field, value) in [
            ("admin", "yes"),
            ("group", "other"),
            ("credits", "1TB"),
            ("home", "/"),
            ("logins", "99"),
            ("certificate", "none"),
        ] {
            let refused = site.change(&boss, "plain", field, &[value]).await;
            assert!(matches!(refused, Err(EditError::Denied(_))), "{field}");
        }
        for many in ["=crew", "*"] {
            assert!(
                site.change(&boss, many, "ratio", &["2"]).await.is_err(),
                "{many}"
            );
        }
        let by = boss.clone();
        let slots = site
            .edit(move |batch| groups::change(batch, &by, "crew", GroupChange::Slots(99)))
            .await;
        assert!(matches!(slots, Err(EditError::Denied(_))));
        // Who is no administrator any more may nothing, whatever a session still believes.
        let admins = ["boss".to_owned()];
        site.edit(move |batch| groups::toggle_admins(batch, &By::Owner, "crew", &admins))
            .await
            .unwrap();
        assert!(site.password(&boss, "plain").await.is_err());
    });
}

#[test]
fn somebody_can_always_operate_the_site() {
    sim(async {
        let site = Site::new().await;
        for (field, value) in [
            ("admin", "no"),
            ("disabled", "yes"),
            ("expires", "2020-01-01"),
        ] {
            for whom in ["root", "*"] {
                let refused = site.change(&By::Owner, whom, field, &[value]).await;
                assert!(
                    matches!(refused, Err(EditError::Denied(_))),
                    "{whom} {field}"
                );
            }
        }
        let gone = site
            .edit(|batch| users::delete(batch, &By::Owner, "root", "", NOW))
            .await;
        assert!(matches!(gone, Err(EditError::Denied(_))));
        site.add(&By::Owner, "second", None).await.unwrap();
        site.change(&By::Owner, "second", "admin", &["yes"])
            .await
            .unwrap();
        site.change(&By::Owner, "root", "admin", &["no"])
            .await
            .unwrap();
        assert!(!site.find("root").unwrap().account.admin);
    });
}

#[test]
fn a_user_is_deleted_taken_back_renamed_and_forgotten_with_all_that_was_theirs() {
    sim(async {
        let site = Site::new().await;
        site.add(&By::Owner, "ann", None).await.unwrap();
        site.change(&By::Owner, "ann", "num_logins", &["3", "2"])
            .await
            .unwrap();
        let masks = ["*@10.0.0.0/8".parse().unwrap()];
        site.edit(move |batch| users::add_masks(batch, &By::Owner, "ann", &masks, 5, NOW))
            .await
            .unwrap();
        site.edit(|batch| users::rename(batch, &By::Owner, "ann", "eve"))
            .await
            .unwrap();
        assert!(site.find("ann").is_none());
        let eve = site.find("eve").unwrap();
        assert_eq!(eve.masks, ["*@10.0.0.0/8"]);
        assert_eq!(eve.account.limits.get(Limit::LoginsPerAddress), Some(2));
        let early = site
            .edit(|batch| users::purge(batch, &By::Owner, "eve"))
            .await;
        assert!(
            matches!(early, Err(EditError::Wrong { .. })),
            "only who is deleted"
        );
        site.edit(|batch| users::delete(batch, &By::Owner, "eve", "left", NOW))
            .await
            .unwrap();
        assert_eq!(
            site.find("eve").unwrap().deleted_why.as_deref(),
            Some("left")
        );
        assert!(site.add(&By::Owner, "eve", None).await.is_err());
        site.edit(|batch| users::readd(batch, &By::Owner, "eve"))
            .await
            .unwrap();
        assert!(site.find("eve").unwrap().can_log_in());
        site.edit(|batch| users::delete(batch, &By::Owner, "eve", "", NOW))
            .await
            .unwrap();
        site.edit(|batch| users::purge(batch, &By::Owner, "eve"))
            .await
            .unwrap();
        assert!(site.find("eve").is_none());
        for table in ["mask", "account_limit", "member"] {
            let sql = format!("SELECT count(*) FROM {table} WHERE account = 'eve'");
            let left = site
                .world
                .store
                .read(|sql_| sql_.get(&sql, [], |row| row.get::<_, i64>(0)));
            let left: Result<_, StoreError> = left;
            assert_eq!(left.unwrap(), Some(0), "{table}");
        }
    });
}

#[test]
fn many_are_changed_at_once_or_nobody_is() {
    sim(async {
        let site = Site::new().await;
        for name in ["a", "b"] {
            site.add(&By::Owner, name, Some("crew")).await.unwrap();
        }
        let before = site.changes.now();
        let changed = site
            .change(&By::Owner, "=crew", "max_sim", &["2", "0"])
            .await
            .unwrap();
        assert_eq!(changed, ["a", "b", "boss"]);
        assert_eq!(site.changes.now(), before + 1);
        let limits = site.find("a").unwrap().account.limits;
        assert_eq!(
            (limits.get(Limit::Downloads), limits.get(Limit::Uploads)),
            (Some(2), None)
        );
        // One of them is an administrator, who needs a password: so nobody is changed.
        let refused = site
            .change(&By::Owner, "=crew", "anonymous", &["yes"])
            .await;
        assert!(matches!(refused, Err(EditError::Denied(_))));
        assert!(!site.find("a").unwrap().account.anonymous);
        assert_eq!(site.changes.now(), before + 1);
    });
}

#[test]
fn fields_are_read_as_people_write_them_and_nothing_else() {
    for (field, values, good) in [
        ("ratio", &["3.5"][..], true),
        ("ratio", &["-1"], false),
        ("credits", &["10GB"], true),
        ("credits", &["-5"], true),
        ("credits", &["9223372036854775808"], false),
        ("home", &["/a/b"], true),
        ("home", &["a"], false),
        ("expires", &["2027-02-30"], false),
        ("expires", &["2027-02-28"], true),
        ("expires", &["never"], true),
        ("num_logins", &["3"], true),
        ("num_logins", &["3", "x"], false),
        ("tagline", &["a", "b"], true),
        ("certificate", &["00"], false),
        ("rate_up", &["1MiB/s"], true),
        ("rate_up", &["none"], true),
        ("password", &["x"], false),
        ("name", &["x"], false),
    ] {
        assert_eq!(
            Change::read(field, values).is_ok(),
            good,
            "{field} {values:?}"
        );
    }
}

#[test]
fn groups_go_when_nobody_needs_them() {
    sim(async {
        let site = Site::new().await;
        let full = site
            .edit(|batch| groups::remove(batch, &By::Owner, "crew"))
            .await;
        assert!(matches!(full, Err(EditError::Wrong { .. })));
        site.edit(|batch| groups::rename(batch, &By::Owner, "crew", "team"))
            .await
            .unwrap();
        let boss = site.find("boss").unwrap().account;
        assert_eq!(
            (boss.group.as_str(), boss.administers),
            ("team", vec!["team".to_owned()])
        );
        site.change(&By::Owner, "boss", "group", &["other"])
            .await
            .unwrap();
        site.edit(|batch| groups::remove(batch, &By::Owner, "team"))
            .await
            .unwrap();
        assert!(site.find("boss").unwrap().account.administers.is_empty());
    });
}
