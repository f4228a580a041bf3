//! Points where a test may make the program crash, panic or fail: `failpoint("vfs.commit")`.
//!
//! Without the cargo feature `failpoints` a point is nothing at all. With it, the environment
//! variable `DRFTPD_FAILPOINTS` says what happens where, as `point=[N:]action` separated by `;`:
//! `crash` ends the process at once, as `kill -9` would; `panic` panics; `fail` makes the point
//! answer an error; with `N:` only the N-th pass does it (counted from 1).

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

#[cfg(feature = "failpoints")]
mod enabled {
    use std::collections::BTreeMap;
    use std::io;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Action {
        Crash,
        Panic,
        Fail,
    }

    #[derive(Debug)]
    struct Point {
        only: Option<u64>,
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
            self.only
                .is_none_or(|only| only == pass)
                .then_some(self.action)
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
        let (only, action) = match what.split_once(':') {
            Some((n, action)) => (
                Some(n.parse().map_err(|_| format!("no number in {part}"))?),
                action,
            ),
            None => (None, what),
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
                only,
                action,
                passes: AtomicU64::new(0),
            },
        ))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

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
