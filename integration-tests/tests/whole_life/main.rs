//! The whole life of a site, three times: an operator who does everything by SITE with lftp, one by `ctl`, and one by curl
//! against the API. What is left behind, audit log included, is the same.

mod doors;
mod life;
mod state;

use std::thread;

use anyhow::{Context, Result, bail, ensure};
use drftpd_integration_tests::client::folder;
use drftpd_integration_tests::{Cluster, ClusterSpec};

use doors::{Api, Ctl, Door, Place, Site};
use life::Life;

/// Lives once; answers what is left.
fn lived(door: &dyn Door) -> Result<Vec<String>> {
    let cluster = Cluster::with(ClusterSpec {
        slaves: 0,
        master: vec![
            "plugins.nuke={}".to_owned(),
            "sections.list=[{ name = \"MP3\", path = \"/mp3\" }]".to_owned(),
        ],
        ..ClusterSpec::default()
    })?;
    let (_gone, dir) = folder()?;
    let made = cluster.ctl(&["token", "create", "life", "*"])?;
    let token = made["token"].as_str().context("a token")?.to_owned();
    let place = Place {
        cluster,
        dir,
        token,
    };
    let mut life = Life { place, door };
    life.live().with_context(|| format!("by {}", door.name()))?;
    state::of(&life.place.cluster)
}

#[test]
fn a_site_lives_the_same_life_by_site_by_ctl_and_by_the_api() -> Result<()> {
    let doors: [&(dyn Door + Sync); 3] = [&Site, &Ctl, &Api];
    // Mostly they wait for programs to start.
    let lives: Vec<Result<Vec<String>>> = thread::scope(|scope| {
        let lives = doors.map(|door| scope.spawn(move || lived(door)));
        let ended = lives.into_iter().map(|life| life.join());
        ended
            .map(|left| left.unwrap_or_else(|_| bail!("panicked")))
            .collect()
    });
    let mut left = lives.into_iter();
    let by_site = left.next().context("three lives")??;
    ensure!(by_site.len() > 150, "too little is left: {by_site:#?}");
    for (left, other) in left.zip(&doors[1..]) {
        let left = left?;
        let missing: Vec<_> = by_site.iter().filter(|it| !left.contains(it)).collect();
        let more: Vec<_> = left.iter().filter(|it| !by_site.contains(it)).collect();
        ensure!(
            by_site == left,
            "by SITE alone: {missing:#?}\nby {} alone: {more:#?}",
            other.name()
        );
    }
    Ok(())
}
