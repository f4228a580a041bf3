//! A whole cluster in one thread, its network and its hosts broken by a seed.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)] // tests may fail as they like

use drftpd_integration_tests::Bytes;
use drftpd_integration_tests::sim::{Ftp, Trace, Way, World};

#[test]
fn a_file_goes_up_and_comes_back_in_every_way() {
    let world = World::new(1, 1).unwrap();
    let mut sim = world.build();
    let trace = Trace::default();
    let notes = trace.clone();
    sim.client("user", async move {
        let mut ftp = Ftp::login("user", &notes).await?;
        for (number, way) in [Way::Pret, Way::Pasv, Way::Port].into_iter().enumerate() {
            let bytes = Bytes::vec(number as u64, 100_000);
            let path = format!("/file-{number}");
            ftp.put(way, &path, &bytes).await?;
            assert_eq!(ftp.fetch(way, "RETR", &path).await?, bytes);
        }
        Ok(())
    });
    loop {
        match world.step(&mut sim) {
            Ok(true) => break,
            Ok(false) => {}
            Err(why) => panic!("{why:#}\n{}", trace.tail(60)),
        }
    }
    drop(sim);
    assert_eq!(
        std::fs::read(world.root("slave-1").join("file-2"))
            .unwrap()
            .len(),
        100_000
    );
}
