//! What a line's path matches: the whole path by glob, where `*` crosses slashes too, or any part of it by regular
//! expression. A directory is also what its path with a slash behind it is.
//!
//! Where the tree takes names in any case for the same, so do patterns.

use drftpd_protocol::VfsPath;
use drftpd_protocol::ftp::args::Glob;
use regex_lite::{Regex, RegexBuilder};

use crate::store::Case;

/// A path as lines see it: with a slash behind it, in the case in which names are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathText(Vec<u8>);

impl PathText {
    /// Of a resolved path.
    pub fn new(path: &VfsPath, case: Case) -> Self {
        let mut text = vec![b'/'];
        for name in path.names() {
            match case {
                Case::Sensitive => text.extend_from_slice(name.as_bytes()),
                Case::Insensitive => text.extend(case.fold(name.as_bytes())),
            }
            text.push(b'/');
        }
        Self(text)
    }

    /// The path and all that it lies in, from the root down.
    pub fn with_above(&self) -> impl Iterator<Item = Self> {
        let ends = self.0.iter().enumerate();
        let ends = ends.filter(|(_, byte)| **byte == b'/');
        ends.map(|(at, _)| Self(self.0.iter().take(at + 1).copied().collect()))
    }

    fn with_slash(&self) -> &[u8] {
        &self.0
    }

    /// The root is nothing but its slash.
    fn without_slash(&self) -> &[u8] {
        match self.0.as_slice() {
            [_] => &self.0,
            [path @ .., _] => path,
            [] => &[],
        }
    }
}

/// A pattern, ready for many paths.
#[derive(Debug, Clone)]
pub enum Pattern {
    /// The whole path.
    Glob(Glob),
    /// Any part of it, in any case; bytes that are no UTF-8 are U+FFFD.
    Expression(Regex),
}

impl Pattern {
    /// Reads a glob.
    ///
    /// # Errors
    /// Why it is none.
    pub fn glob(text: &str, case: Case) -> Result<Self, String> {
        if !text.starts_with(['/', '*', '?', '[']) {
            return Err("a path must begin with / or a wildcard".to_owned());
        }
        let glob = Glob::new(&case.fold(text.as_bytes()));
        if glob.is_too_long() {
            return Err("a path must not be longer than 255 characters".to_owned());
        }
        Ok(Self::Glob(glob))
    }

    /// Reads a regular expression.
    ///
    /// # Errors
    /// Why it is none.
    pub fn expression(text: &str) -> Result<Self, String> {
        let built = RegexBuilder::new(text).case_insensitive(true).build();
        let built = built.map_err(|why| format!("no regular expression: {why}"))?;
        Ok(Self::Expression(built))
    }

    /// Whether a path fits, with or without its slash.
    pub fn fits(&self, path: &PathText) -> bool {
        let either = [path.without_slash(), path.with_slash()];
        match self {
            Self::Glob(glob) => either.iter().any(|text| glob.matches(text)),
            Self::Expression(regex) => {
                let text = either.map(|text| String::from_utf8_lossy(text));
                text.iter().any(|text| regex.is_match(text))
            }
        }
    }

    /// Whether something below a directory may fit.
    pub fn reaches_below(&self, dir: &PathText) -> bool {
        match self {
            Self::Glob(glob) => glob.begins(dir.with_slash()),
            Self::Expression(_) => true,
        }
    }

    /// Whether everything below a directory fits.
    pub fn covers_below(&self, dir: &PathText) -> bool {
        match self {
            Self::Glob(glob) => glob.covers(dir.with_slash()),
            Self::Expression(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(path: &str, case: Case) -> PathText {
        PathText::new(&VfsPath::absolute(path.as_bytes()).unwrap(), case)
    }

    fn glob(pattern: &str, path: &str) -> [bool; 3] {
        let glob = Pattern::glob(pattern, Case::Sensitive).unwrap();
        let path = text(path, Case::Sensitive);
        [
            glob.fits(&path),
            glob.reaches_below(&path),
            glob.covers_below(&path),
        ]
    }

    #[test]
    fn globs_match_whole_paths_and_say_what_lies_below() {
        for (pattern, path, want) in [
            ("*", "/", [true, true, true]),
            ("/", "/", [true, false, false]),
            ("/*", "/a/b", [true, true, true]),
            ("/a", "/a", [true, false, false]),
            ("/a/", "/a", [true, false, false]),
            ("/a/*", "/a", [true, true, true]),
            ("/a/*", "/ab", [false, false, false]),
            ("/a*", "/ab", [true, true, true]),
            ("/a/*", "/", [false, true, false]),
            ("*/sample/*", "/x/y", [false, true, false]),
            ("*/sample/*", "/x/sample/y", [true, true, true]),
            ("*.nfo", "/x/y.nfo", [true, true, false]),
            ("/[ab]/?", "/b/c", [true, false, false]),
            ("/A", "/a", [false, false, false]),
        ] {
            assert_eq!(glob(pattern, path), want, "{pattern} {path}");
        }
    }

    #[test]
    fn expressions_match_anywhere_in_any_case() {
        let regex = Pattern::expression("^/inc.*/[0-9]+/$").unwrap();
        assert!(regex.fits(&text("/Incoming/0704", Case::Sensitive)));
        assert!(!regex.fits(&text("/incoming/0704/x", Case::Sensitive)));
        assert!(
            Pattern::expression("a$")
                .unwrap()
                .fits(&text("/x/A", Case::Sensitive))
        );
        assert!(Pattern::expression("(").is_err());
    }

    #[test]
    fn case_counts_for_patterns_where_it_counts_for_names() {
        let glob = Pattern::glob("/Grüße/*", Case::Insensitive).unwrap();
        assert!(glob.fits(&text("/GRÜßE/X", Case::Insensitive)));
        let glob = Pattern::glob("/Grüße/*", Case::Sensitive).unwrap();
        assert!(!glob.fits(&text("/GRÜßE/X", Case::Sensitive)));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        assert!(Pattern::glob("a/*", Case::Sensitive).is_err());
        assert!(Pattern::glob("", Case::Sensitive).is_err());
        assert!(Pattern::glob(&"/x".repeat(200), Case::Sensitive).is_err());
    }

    #[test]
    fn a_path_knows_what_it_lies_in() {
        let above = |path| {
            let text = text(path, Case::Sensitive);
            let above = text
                .with_above()
                .map(|text| String::from_utf8(text.0).unwrap());
            above.collect::<Vec<_>>()
        };
        assert_eq!(above("/"), ["/"]);
        assert_eq!(above("/a/bc"), ["/", "/a/", "/a/bc/"]);
    }
}
