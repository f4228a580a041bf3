//! Points where a test may make the program crash, panic or fail: `failpoint("vfs.commit")`.
//!
//! Without the cargo feature `failpoints` a point is nothing at all. With it, the environment
//! variable `DRFTPD_FAILPOINTS` says what happens where, as `point=[N:|@FILE:]action`, separated by `;`:
//! `crash` ends the process at once, as `kill -9` would; `panic` panics; `fail` makes the point
//! answer an error; with `N:` only the N-th pass does it (counted from 1); with `@FILE:` only the
//! pass that finds this file and takes it away, so that a test can choose the moment.

/// Passes a point. Crashes or panics where a test wants it.
///
/// # Errors
/// An I/O error that names the point, where a test wants it.
#[inline]
pub fn failpoint(name: &str) -> std::io::Result<()> {
    #[cfg(feature = "failpoints")]
    return enabled::pass(name);
    #[cfg(not(feature = "failpoints"))]
    {
        let _ = name;
        Ok(())
    }
}

/// Passes a point where nothing can fail: only a crash or a panic happens there.
#[inline]
pub fn panicpoint(name: &str) {
    drop(failpoint(name));
}

#[cfg(feature = "failpoints")]
mod enabled {
    use std::collections::BTreeMap;
    use std::io;
    use std::path::PathBuf;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Action {
        Crash,
        Panic,
        Fail,
    }

    /// Which passes act.
    #[derive(Debug, PartialEq, Eq)]
    enum When {
        Always,
        Pass(u64),
        Armed(PathBuf),
    }

    #[derive(Debug)]
    struct Point {
        when: When,
        action: Action,
        passes: AtomicU64,
    }

    type Points = BTreeMap<String, Point>;

    pub(super) fn pass(name: &str) -> io::Result<()> {
        static POINTS: OnceLock<Points> = OnceLock::new();
        let points = POINTS.get_or_init(|| {
            let text = std::env::var("DRFTPD_FAILPOINTS").unwrap_or_default();
            parse(&text).unwrap_or_else(|why| panic!("DRFTPD_FAILPOINTS: {why}"))
        });
        let Some(point) = points.get(name) else {
            return Ok(());
        };
        match point.hit() {
            None => Ok(()),
            Some(Action::Crash) => std::process::abort(),
            Some(Action::Panic) => panic!("failpoint {name}"),
            Some(Action::Fail) => Err(io::Error::other(format!("failpoint {name}"))),
        }
    }

    impl Point {
        fn hit(&self) -> Option<Action> {
            let pass = self.passes.fetch_add(1, Ordering::Relaxed) + 1;
            let acts = match &self.when {
                When::Always => true,
                When::Pass(only) => *only == pass,
                // Who takes the file away is the one.
                When::Armed(file) => std::fs::remove_file(file).is_ok(),
            };
            acts.then_some(self.action)
        }
    }

    fn parse(text: &str) -> Result<Points, String> {
        text.split(';')
            .filter(|part| !part.trim().is_empty())
            .map(parse_one)
            .collect()
    }

    fn parse_one(part: &str) -> Result<(String, Point), String> {
        let (name, what) = part
            .trim()
            .split_once('=')
            .ok_or_else(|| format!("no '=' in {part}"))?;
        let (when, action) = match what.rsplit_once(':') {
            Some((when, action)) => (parse_when(when, part)?, action),
            None => (When::Always, what),
        };
        let action = match action {
            "crash" => Action::Crash,
            "panic" => Action::Panic,
            "fail" => Action::Fail,
            other => return Err(format!("unknown action {other}")),
        };
        Ok((
            name.into(),
            Point {
                when,
                action,
                passes: AtomicU64::new(0),
            },
        ))
    }

    fn parse_when(text: &str, part: &str) -> Result<When, String> {
        match text.strip_prefix('@') {
            Some(file) => Ok(When::Armed(file.into())),
            None => match text.parse() {
                Ok(pass) => Ok(When::Pass(pass)),
                Err(_) => Err(format!("no number in {part}")),
            },
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_file_arms_a_point_for_one_pass() {
            let dir = tempfile::tempdir().expect("a folder");
            let file = dir.path().join("now");
            let points = parse(&format!("a=@{}:fail", file.display())).expect("parses");
            assert_eq!(points["a"].hit(), None);
            std::fs::write(&file, "").expect("is written");
            assert_eq!(points["a"].hit(), Some(Action::Fail));
            assert_eq!(points["a"].hit(), None);
        }

        #[test]
        fn only_the_chosen_pass_acts() {
            let points = parse("a=2:fail; b=panic").expect("parses");
            let hits: Vec<_> = (0..3).map(|_| points["a"].hit()).collect();
            assert_eq!(hits, [None, Some(Action::Fail), None]);
            assert_eq!(points["b"].hit(), Some(Action::Panic));
        }

        #[test]
        fn what_is_no_point_is_named() {
            for bad in ["a", "a=explode", "a=x:crash"] {
                assert!(parse(bad).is_err(), "{bad}");
            }
        }
    }
}
