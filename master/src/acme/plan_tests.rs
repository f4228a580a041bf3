//! When a certificate is ordered.

use super::*;

const DAY: i64 = 86_400;
const NOW: i64 = 1_800_000_000;

fn config() -> AcmeConfig {
    AcmeConfig {
        domains: vec!["a.example".to_owned()],
        ..AcmeConfig::default()
    }
}

fn held(from: i64, until: i64) -> Held {
    Held {
        from,
        until,
        names: config().names(),
        der: vec![1],
    }
}

fn record() -> Record {
    Record {
        directory: config().directory,
        ..Record::default()
    }
}

/// One that needs not be asked for suggestions now.
fn plan(held: Option<Held>, record: Record) -> Plan {
    let mut plan = Plan::new(&config(), (held, record), NOW, Dice::seeded(1));
    plan.suggested(None, Duration::from_secs(6 * 3600), NOW);
    plan
}

#[test]
fn what_is_missing_or_not_what_is_wanted_is_ordered_at_once() {
    let fresh = || held(NOW, NOW + 90 * DAY);
    assert_eq!(plan(None, record()).next(NOW), Next::Order(Need::First));
    let other = Held {
        names: ["b.example".to_owned()].into(),
        ..fresh()
    };
    let other = plan(Some(other), record());
    assert_eq!(other.next(NOW), Next::Order(Need::Names));
    let elsewhere = Record {
        directory: "https://staging.example/".to_owned(),
        ..Record::default()
    };
    let elsewhere = plan(Some(fresh()), elsewhere);
    assert_eq!(elsewhere.next(NOW), Next::Order(Need::Authority));
    assert!(matches!(
        plan(Some(fresh()), record()).next(NOW),
        Next::Wait(_)
    ));
}

#[test]
fn a_renewal_is_due_a_share_or_a_time_before_the_end_and_spread() {
    for (before, days) in [
        (RenewBefore::Share(33), 29..=33),
        (RenewBefore::Time(Duration::from_secs(20 * 86_400)), 20..=22),
        // Never before half of its life.
        (RenewBefore::Time(Duration::from_secs(80 * 86_400)), 45..=50),
    ] {
        let config = AcmeConfig {
            renew_before: before,
            ..config()
        };
        let dues: BTreeSet<i64> = (0..20)
            .map(|seed| {
                let held = Some(held(NOW, NOW + 90 * DAY));
                let dice = Dice::seeded(seed);
                let plan = Plan::new(&config, (held, record()), NOW, dice);
                let left = NOW + 90 * DAY - plan.due();
                assert!(
                    days.contains(&(left / DAY)),
                    "{before:?}: {} days",
                    left / DAY
                );
                assert_eq!(plan.next(plan.due()), Next::Order(Need::Renewal));
                plan.due()
            })
            .collect();
        assert!(dues.len() > 10, "{before:?} is not spread");
    }
}

#[test]
fn failures_are_further_and_further_apart_and_a_wish_is_granted() {
    let mut plan = plan(None, record());
    for whole in [5_i64, 10, 20, 40, 80, 160, 320, 360, 360] {
        plan.failed("no".to_owned(), None, NOW);
        let wait = plan.record().next_try - NOW;
        assert!(
            (whole * 30..=whole * 60).contains(&wait),
            "{wait} s for {whole} m"
        );
        assert_eq!(plan.next(NOW), Next::Wait(NOW + wait));
        assert_eq!(plan.next(NOW + wait), Next::Order(Need::First));
    }
    let wish = |hours: u64| Some(Duration::from_secs(hours * 3600));
    plan.failed("slower".to_owned(), wish(10), NOW);
    assert_eq!(plan.record().next_try, NOW + 10 * 3600);
    plan.failed("never".to_owned(), wish(100_000), NOW + 7);
    assert_eq!(plan.record().next_try, NOW + 7 + DAY);
    assert_eq!(
        (plan.record().failures, plan.record().failing_since),
        (11, NOW)
    );
    plan.now();
    assert_eq!(plan.next(NOW), Next::Order(Need::First));
}

#[test]
fn a_restart_waits_no_longer_than_a_first_failure_and_forgets_none() {
    let mut first = plan(None, record());
    (0..6).for_each(|_| first.failed("no".to_owned(), None, NOW));
    let mut again = plan(None, first.record().clone());
    assert!(matches!(again.next(NOW), Next::Wait(until) if until <= NOW + 300));
    again.failed("no".to_owned(), None, NOW);
    assert!(again.record().next_try >= NOW + 160 * 60);
}

#[test]
fn a_failure_is_forgotten_with_what_was_wanted() {
    let failing = Record {
        failures: 3,
        next_try: NOW + 60,
        ..record()
    };
    let plan = plan(Some(held(NOW, NOW + 90 * DAY)), failing);
    assert_eq!(plan.record(), &record());
}

#[test]
fn a_certificate_that_is_due_already_is_not_ordered_again_without_a_pause() {
    let mut plan = plan(None, record());
    for whole in [5_i64, 10, 20] {
        plan.issued(held(NOW - 90 * DAY, NOW), NOW);
        let least = NOW + whole * 30;
        assert!(matches!(plan.next(NOW), Next::Wait(until) if until >= least));
    }
    plan.issued(held(NOW, NOW + 90 * DAY), NOW);
    assert_eq!(plan.record(), &record());
    assert_eq!(plan.next(NOW), Next::Ask);
}

#[test]
fn the_authority_may_have_it_earlier_and_not_later() {
    let (six_hours, from) = (Duration::from_secs(6 * 3600), NOW + DAY);
    let window = |start, end| {
        Some(Window {
            start,
            end,
            again: six_hours,
        })
    };
    let mut plan = plan(Some(held(NOW, NOW + 90 * DAY)), record());
    let before = plan.due();
    plan.suggested(window(from + 80 * DAY, from + 82 * DAY), six_hours, NOW);
    assert_eq!(plan.due(), before);
    plan.suggested(window(from, from + DAY), six_hours, NOW);
    let chosen = plan.due();
    assert!((from..=from + DAY).contains(&chosen));
    plan.suggested(window(from, from + DAY), six_hours, NOW + 7);
    assert_eq!(plan.due(), chosen, "chosen once");
    assert_eq!(plan.next(NOW + 7), Next::Wait(NOW + 7 + 6 * 3600));
    assert_eq!(plan.replaces(), Some(vec![1]));
    plan.suggested(window(NOW - DAY, NOW - 1), six_hours, NOW);
    assert_eq!(plan.next(NOW), Next::Order(Need::Renewal), "revoked, say");
    plan.failed("no".to_owned(), None, NOW);
    assert_eq!(plan.replaces(), None, "it may have been that");
}

#[test]
fn an_authority_that_is_never_content_is_obeyed_further_and_further_apart() {
    let over = Some(Window {
        start: NOW - 7200,
        end: NOW - 3600,
        again: Duration::from_secs(6 * 3600),
    });
    let mut plan = plan(Some(held(NOW, NOW + 90 * DAY)), record());
    for (least, most) in [(0, 0), (150, 300), (300, 600), (600, 1200)] {
        plan.suggested(over, Duration::from_secs(6 * 3600), NOW);
        let wait = (plan.due() - NOW).max(0);
        assert!((least..=most).contains(&wait), "{wait} s");
        plan.issued(held(NOW, NOW + 90 * DAY), NOW);
    }
}
