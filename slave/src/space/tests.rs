//! The meter with disks that a test lets hang.

use std::sync::Mutex;

use drftpd_actors::testkit::{Probe, sim};
use drftpd_actors::{Budget, ChildDown, ChildSpec, Place, supervise, tell};
use drftpd_protocol::wire::{Look, RootState};

use super::*;

const A: RootId = RootId([0xA; 16]);
const B: RootId = RootId([0xB; 16]);

fn status(root: RootId, free: u64) -> RootStatus {
    RootStatus {
        root,
        path: "/srv".into(),
        state: RootState::Present,
        total: 100,
        free,
        filesystem: 1,
        look: Look::default(),
    }
}

#[test]
fn statuses_are_kept_fresh_new_roots_are_found_and_trash_is_emptied_hourly() {
    sim(async {
        let free = Arc::new(Mutex::new(10));
        let emptied = Arc::new(Mutex::new(0));
        let (disk, times) = (Arc::clone(&free), Arc::clone(&emptied));
        let deps = MeterDeps {
            ask: Arc::new(move |root| Some(status(root, *disk.lock().unwrap()))),
            look: Arc::new(|| vec![status(B, 7)]),
            empty: Arc::new(move || {
                *times.lock().unwrap() += 1;
                3
            }),
            blocking: Blocking::inline(),
            statuses: Arc::new(watch::Sender::new(vec![status(A, 1)])),
        };
        let mut statuses = deps.statuses.subscribe();
        let parent: Probe<ChildDown> = Probe::start();
        let spec = ChildSpec::new("meter", 8, Budget::CORE, parent.recipient());
        let meter = supervise(&Place::here(), spec, || SpaceMeter::new(deps));
        let told = statuses
            .wait_for(|told| told.len() == 2 && told[0].free == 10)
            .await;
        assert_eq!(told.unwrap()[1].root, B);
        *free.lock().unwrap() = 5;
        let told = statuses
            .wait_for(|told| told.iter().all(|root| root.free == 5))
            .await;
        assert_eq!(told.unwrap().len(), 2);
        tokio::time::sleep(EMPTY_EVERY * 3 + ASK_EVERY).await;
        assert_eq!(*emptied.lock().unwrap(), 4);
        tell(&meter, StopMeter);
    });
}
