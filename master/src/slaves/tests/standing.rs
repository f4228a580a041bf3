//! What an operator decides about slaves and roots, before they come and while they are there.

use drftpd_actors::testkit::{settle, sim};
use drftpd_protocol::wire::Alive;

use crate::slaves::testkit::{Rig, Told, hello, root, slave, status};
use crate::slaves::{Duty, EnrollError, Standing};

const DRAINED: Standing = Standing {
    drained: true,
    maintenance: false,
    evacuated: false,
};

async fn stands(rig: &Rig, standing: Standing) {
    rig.until(|views| {
        let view = views.get(&slave("a"));
        view.is_some_and(|view| view.standing == standing)
    })
    .await;
}

#[test]
fn what_is_decided_counts_at_once_and_on_every_link_until_it_is_taken_back() {
    sim(async {
        let rig = Rig::new().await;
        let first = rig.slave("a", &[1]).await;
        stands(&rig, Standing::default()).await;
        let client = &rig.client;
        client
            .stand(&slave("a"), Duty::Drained, true)
            .await
            .unwrap();
        stands(&rig, DRAINED).await;
        let both = client.stand(&slave("a"), Duty::Maintenance, true).await;
        assert!(both.unwrap().drained);
        let one = client.stand(&slave("a"), Duty::Maintenance, false).await;
        assert_eq!(one.unwrap(), DRAINED);
        drop(first);
        rig.until(|views| views.is_empty()).await;
        let _second = rig.dial(hello("a", &[1])).await;
        stands(&rig, DRAINED).await;
        client
            .stand(&slave("a"), Duty::Drained, false)
            .await
            .unwrap();
        stands(&rig, Standing::default()).await;
    });
}

#[test]
fn one_that_is_evacuated_is_drained_until_neither_counts() {
    sim(async {
        let rig = Rig::new().await;
        let _link = rig.slave("a", &[1]).await;
        let stand = async |duty, on| {
            let stands = rig.client.stand(&slave("a"), duty, on).await.unwrap();
            (stands.drained, stands.evacuated)
        };
        assert_eq!(stand(Duty::Evacuated, true).await, (true, true));
        assert_eq!(stand(Duty::Drained, true).await, (true, true));
        assert_eq!(stand(Duty::Drained, false).await, (false, false));
        assert_eq!(stand(Duty::Evacuated, true).await, (true, true));
        assert_eq!(stand(Duty::Evacuated, false).await, (true, false));
    });
}

#[test]
fn what_was_decided_before_a_slave_came_is_kept_with_the_moment_it_was() {
    sim(async {
        let rig = Rig::new().await;
        let enroll = rig.client.enroll();
        rig.client.add(&slave("a"), false).await.unwrap();
        // As a command does it on a store that no master uses.
        enroll
            .stand(&slave("a"), Duty::Drained, true)
            .await
            .unwrap();
        let since = enroll.list().unwrap()[0].drained;
        assert!(since.is_some());
        enroll
            .stand(&slave("a"), Duty::Drained, true)
            .await
            .unwrap();
        assert_eq!(enroll.list().unwrap()[0].drained, since);
        let _link = rig.dial(hello("a", &[1])).await;
        stands(&rig, DRAINED).await;
        let nobody = enroll.stand(&slave("b"), Duty::Drained, true).await;
        assert!(matches!(nobody, Err(EnrollError::Unknown(_))));
    });
}

#[test]
fn a_root_that_is_retired_is_not_shown_whether_it_is_there_or_comes() {
    sim(async {
        let rig = Rig::new().await;
        rig.files.retire(root(3));
        let link = rig.slave("a", &[1, 2, 3]).await;
        let shown = |rig: &Rig| {
            let views = rig.client.views().borrow().clone();
            let roots = views[&slave("a")].roots.iter().map(|status| status.root);
            roots.collect::<Vec<_>>()
        };
        settle().await;
        assert_eq!(shown(&rig), [root(1), root(2)]);
        rig.client.retired(root(1)).await;
        assert_eq!(shown(&rig), [root(2)]);
        link.tell(&Alive {
            roots: vec![status(1), status(2), status(3)],
            transfers: 0,
            receiving: 0,
            sending: 0,
        });
        settle().await;
        assert_eq!(shown(&rig), [root(2)]);
        let told = rig.files.told();
        assert!(!told.contains(&Told::Shown(root(3))));
    });
}
