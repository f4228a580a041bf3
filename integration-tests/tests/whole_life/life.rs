//! What happens in the life of a site, whoever's program says it.

use anyhow::{Context, Result, ensure};
use drftpd_integration_tests::{Bytes, Ftp};

use crate::doors::{Door, Place, Said};

/// Bytes of each file.
const SIZE: usize = 300_000;

/// One life.
pub struct Life<'a> {
    pub place: Place,
    pub door: &'a dyn Door,
}

impl Life<'_> {
    /// From the first slave to the end of the master.
    pub fn live(&mut self) -> Result<()> {
        self.invites(1)?;
        self.invites(2)?;
        self.people()?;
        self.files()?;
        self.manners()?;
        self.departures()?;
        self.machines()?;
        self.books()?;
        self.end()
    }

    fn says(&self, lines: &[&str]) -> Result<Vec<Said>> {
        self.door.act(&self.place, lines)
    }

    /// Commands of the operator, each of which is carried out.
    fn does(&self, lines: &[&str]) -> Result<()> {
        for (line, said) in lines.iter().zip(self.says(lines)?) {
            ensure!(said.done, "{line}: {}", said.text);
        }
        Ok(())
    }

    /// Commands that are refused.
    fn tries(&self, lines: &[&str]) -> Result<()> {
        for (line, said) in lines.iter().zip(self.says(lines)?) {
            ensure!(!said.done, "{line}: {}", said.text);
        }
        Ok(())
    }

    /// Commands that show something, each with what must be in it.
    fn sees(&self, lines: &[(&str, &[&str])]) -> Result<()> {
        let asked: Vec<&str> = lines.iter().map(|(line, _)| *line).collect();
        for ((line, words), said) in lines.iter().zip(self.says(&asked)?) {
            let all = words.iter().all(|word| said.text.contains(word));
            ensure!(said.done && all, "{line} without {words:?}: {}", said.text);
        }
        Ok(())
    }

    fn invites(&mut self, number: usize) -> Result<()> {
        let said = self.says(&[&format!("slave add slave-{number}")])?;
        let told = said.first().context("an answer")?.text.clone();
        let cluster = &mut self.place.cluster;
        let root = cluster.path().join(format!("root-{number}"));
        cluster.join_slave(number, root, &told)?;
        cluster.wait_online(number)
    }

    /// Somebody's own session.
    fn session(&self, user: &str, password: &str) -> Result<Ftp> {
        Ftp::login(self.place.cluster.ftp, user, password)
    }

    /// Somebody who does not get in, and what they hear.
    fn stays_out(&self, user: &str, password: &str) -> Result<String> {
        let mut ftp = Ftp::connect(self.place.cluster.ftp)?;
        ftp.ask(&format!("USER {user}"), 331)?;
        ftp.ask(&format!("PASS {password}"), 530)
    }

    fn people(&self) -> Result<()> {
        self.does(&[
            "group add crew",
            "group add staff",
            "group add-user crew boss word4711",
            "group change crew slots 3",
            "group change crew ratio 1 5",
            "group admins crew boss",
        ])?;
        // Who administers a group comes by SITE alone.
        let mut boss = self.session("boss", "word4711")?;
        boss.ask("SITE ADDUSER ann hush4711 *@127.0.0.1", 200)?;
        boss.ask("SITE ADDUSER bob hush4711", 200)?;
        boss.ask("SITE ADDUSER cat hush4711", 550)?;
        boss.ask("SITE CHANGE bob ratio 2", 200)?;
        drop(boss);
        self.does(&[
            "group add-user staff eve hush4711 *@10.1.*",
            "user add-mask bob *@127.*",
            "user del-mask eve *@10.1.*",
            "user change =crew ratio 3",
            "user change ann num_logins 4 3",
            "user change ann max_sim 2 2",
            "user change bob transfer_up 100MB",
            "user change bob tagline all is well",
            "user change eve anonymous yes",
            "user change eve anonymous no",
            "user chgrp ann staff",
            "user expire bob 2099-01-31",
            "user expire eve 2099-01-31",
            "user keep eve",
            "user add-note bob is fine",
            "user add-note bob is loud",
            "user del-note bob 1",
        ])?;
        self.tries(&[
            "user add ann word4711",
            "user change ann ratio many",
            "user change nobody ratio 3",
            "group del crew",
            "group add crew",
            "user show nobody",
        ])?;
        self.sees(&[
            ("user show ann", &["crew", "staff", "boss"]),
            ("user list =crew", &["ann", "bob", "boss"]),
            ("group show crew", &["ann", "bob", "boss"]),
            ("group list", &["crew", "staff"]),
            ("seen boss", &["boss"]),
        ])
    }

    fn files(&self) -> Result<()> {
        self.does(&[
            "vfs mkdir /mp3",
            "vfs mkdir /mp3/First.Song",
            "vfs mkdir /mp3/Second.Song",
            "vfs chown ann:crew /mp3/First.Song",
        ])?;
        let (door, place) = (self.door, &self.place);
        for (user, seed, to) in [
            ("ann:hush4711", 1, "/mp3/First.Song/a.bin"),
            ("ann:hush4711", 2, "/mp3/First.Song/b.bin"),
            ("bob:hush4711", 3, "/mp3/Second.Song/c.bin"),
        ] {
            std::fs::write(place.dir.join("file"), Bytes::vec(seed, SIZE))?;
            door.store(place, user, "file", to)?;
        }
        door.fetch(place, "ann:hush4711", "/mp3/Second.Song/c.bin", "got")?;
        ensure!(std::fs::read(place.dir.join("got"))? == Bytes::vec(3, SIZE));
        self.does(&[
            "credits give ann 10MB for a start",
            "credits take ann 1MB",
            "credits swap ann bob 2MB",
        ])?;
        self.tries(&["credits swap bob ann 2TB", "credits give nobody 1MB"])?;
        self.sees(&[
            ("credits show ann", &["for a start"]),
            ("stats show ann", &["ann"]),
            ("stats ranking ever up users", &["ann", "bob"]),
            ("stats ranking month down groups", &["crew"]),
            ("stats traffic", &[]),
            ("sections", &["MP3", "/mp3"]),
            ("new 5", &["First.Song", "Second.Song"]),
            ("vfs search second", &["/mp3/Second.Song"]),
            ("vfs dupe c.bin", &["/mp3/Second.Song/c.bin"]),
            ("vfs find /mp3 name=*.bin owner=bob", &["c.bin"]),
            ("vfs stat /mp3/First.Song/a.bin", &["slave-"]),
            ("vfs du /mp3", &["Song"]),
        ])?;
        self.does(&[
            "nuke dir /mp3/First.Song 2 not a song",
            "nuke dir /mp3/Second.Song 1 a mistake",
            "nuke undo /mp3/Second.Song",
            "vfs mkdir /mp3/Third.Song",
            "vfs mv /mp3/Third.Song /mp3/Last.Song",
            "vfs ln /mp3/Second.Song /short",
            "vfs touch /mp3/Last.Song 20260131120000",
            "vfs mkdir /mp3/Gone",
            "vfs wipe /mp3/Gone recursive",
        ])?;
        self.tries(&["nuke dir /mp3/Nothing 1 why", "vfs rm /mp3/Nothing"])?;
        self.sees(&[("nuke list", &["First.Song", "not a song"])])
    }

    /// What happens to those who misbehave.
    fn manners(&self) -> Result<()> {
        let mut ann = self.session("ann", "hush4711")?;
        self.sees(&[("who", &["ann"]), ("idlers", &[]), ("speed ann", &[])])?;
        self.does(&["kick ann be quiet"])?;
        ensure!(ann.expect(421)?.concat().contains("be quiet"));
        let mut ann = self.session("ann", "hush4711")?;
        self.does(&["user ban ann 5 too loud"])?;
        ensure!(ann.expect(421)?.concat().contains("too loud"));
        ensure!(self.stays_out("ann", "hush4711")?.contains("too loud"));
        self.sees(&[("user bans", &["ann", "too loud"])])?;
        self.does(&["user unban ann", "user ban-all 5 soon back"])?;
        ensure!(self.stays_out("bob", "hush4711")?.contains("soon back"));
        self.does(&["user unban-all"])?;
        drop(self.session("ann", "hush4711")?);
        self.does(&[
            "ban add 192.0.2.0/24 2h guesses",
            "ban add 198.51.100.7 2h guesses",
            "ban remove 192.0.2.0/24",
            "user ban bob 90 not today",
        ])?;
        self.sees(&[("ban list", &["198.51.100.7", "guesses"])])
    }

    /// Names, passwords and people that change or go.
    fn departures(&self) -> Result<()> {
        self.does(&[
            "user rename eve eva",
            "user password eva other4711",
            "user del eva is away",
        ])?;
        self.stays_out("eva", "other4711")?;
        self.does(&["user readd eva"])?;
        drop(self.session("eva", "other4711")?);
        self.does(&[
            "user add dan hush4711",
            "user del dan",
            "user purge dan",
            "user add eli hush4711",
            "user erase eli",
            "user del eva left us",
            "group rename staff helpers",
            "group add short",
            "group del short",
        ])?;
        self.tries(&["user readd dan", "user del eli", "user rename ann bob"])
    }

    fn machines(&mut self) -> Result<()> {
        self.does(&["slave drain slave-2", "rescan /", "scrub start /"])?;
        self.sees(&[
            ("transfer dry-run /new.bin up", &["slave-1", "slave-2"]),
            ("slave list", &["slave-1", "slave-2"]),
            ("root list", &["slave-1", "slave-2"]),
        ])?;
        self.does(&[
            "slave undrain slave-2",
            "slave maintenance slave-2 on",
            "slave maintenance slave-2 off",
            "slave evacuate slave-2",
        ])?;
        let first = self.place.cluster.slaves[0].root.join("mp3");
        let nuked = first.join("[NUKED]-First.Song");
        let files = [
            nuked.join("a.bin"),
            nuked.join("b.bin"),
            first.join("Second.Song/c.bin"),
        ];
        self.place
            .cluster
            .wait_until("the first slave has everything", |cluster| {
                let waiting = &cluster.ctl(&["copy", "list"])?["waiting"];
                Ok(files.iter().all(|file| file.exists()) && *waiting == 0)
            })?;
        self.place
            .cluster
            .wait_until("everything is read", |cluster| {
                let status = cluster.ctl(&["scrub", "status"])?;
                let passes = status["passes"].as_array().context("passes")?;
                Ok(passes.iter().all(|pass| pass["runs"] == false))
            })?;
        self.does(&["slave retire slave-2"])?;
        self.place.cluster.slaves[1].process = None;
        self.tries(&["slave drain slave-9", "slave retire slave-9"])?;
        self.sees(&[("scrub report", &[]), ("copy list", &[])])
    }

    /// What operators look at, and what they take elsewhere.
    fn books(&self) -> Result<()> {
        let imports = self.place.cluster.path().join("master/imports");
        std::fs::create_dir_all(&imports)?;
        let people = "user,password,group,ratio\nfay,hush4711,crew,2\ngus,hush4711,guests,0\n";
        std::fs::write(imports.join("people.csv"), people)?;
        self.sees(&[("import csv people.csv", &["fay", "gus"])])?;
        self.does(&["import csv people.csv apply", "reload"])?;
        self.tries(&["import csv nothing.csv apply"])?;
        self.sees(&[
            ("user show fay", &["crew"]),
            ("config show ftp", &["listen"]),
            ("audit list", &["import"]),
            ("stat", &[]),
            ("check", &[]),
            ("doctor", &[]),
            ("event readers", &[]),
            ("help", &[]),
            ("rules", &[]),
        ])?;
        self.does(&[
            "token create ci read expires=1h",
            "token revoke ci",
            "backup copy.db",
            "dump name=copy.jsonl",
        ])
    }

    fn end(&mut self) -> Result<()> {
        // lftp takes the 421 behind the 200 for its answer, and has failed then.
        drop(self.says(&["shutdown"]));
        let master = self.place.cluster.master.as_mut().context("a master")?;
        let status = master.wait()?;
        ensure!(status.success(), "{status}");
        let log = master.log();
        for password in ["word4711", "hush4711", "other4711"] {
            ensure!(!log.contains(password), "a password is in the log");
        }
        let errors: Vec<&str> = log.lines().filter(|it| it.contains(" ERROR ")).collect();
        ensure!(errors.is_empty(), "{errors:#?}");
        Ok(())
    }
}
