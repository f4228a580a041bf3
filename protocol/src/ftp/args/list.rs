//! Arguments of `LIST`, `NLST` and `STAT`: options, then one path.

use super::glob::Glob;

/// What a listing is asked for. There is no wrong argument: unknown options mean nothing.
///
/// ```
/// use drftpd_protocol::ftp::args::ListArgs;
///
/// let args = ListArgs::parse(b"-al My Files/*.bin");
/// assert!(args.all);
/// assert_eq!(args.path, b"My Files/*.bin");
/// let (directory, pattern) = args.pattern().unwrap();
/// assert_eq!(directory, b"My Files/");
/// assert!(pattern.matches(b"a.bin"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListArgs<'a> {
    /// `a`: hidden names, too.
    pub all: bool,
    /// `l`: long lines (matters to `STAT`, and to an `NLST` that wants to be a `LIST`).
    pub long: bool,
    /// `d`: the directory itself, not what is in it.
    pub itself: bool,
    /// `R`: what lies below, too. To be refused or ignored: a listing is never recursive.
    pub recursive: bool,
    /// The path as it came, spaces and all; empty if none was given.
    pub path: &'a [u8],
}

impl<'a> ListArgs<'a> {
    /// Reads options (words that begin with `-` and go on; `--` ends them), then takes the rest as one path.
    pub fn parse(arg: &'a [u8]) -> Self {
        let mut args = Self::default();
        let mut rest = arg;
        while let [b'-', _, ..] = rest.trim_ascii_start() {
            rest = rest.trim_ascii_start();
            let end = rest.iter().position(|b| *b == b' ').unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            rest = after.strip_prefix(b" ").unwrap_or(after);
            if word == b"--" {
                break;
            }
            args.all |= word.iter().any(|b| matches!(b, b'a' | b'A'));
            args.long |= word.contains(&b'l');
            args.itself |= word.contains(&b'd');
            args.recursive |= word.contains(&b'R');
        }
        args.path = if rest.trim_ascii().is_empty() {
            &[]
        } else {
            rest
        };
        args
    }

    /// If the last component of the path is a pattern: what stands before it (ends with `/`, or is empty), and it.
    ///
    /// Names may look like patterns. A path that exists as it is means itself and no pattern.
    pub fn pattern(&self) -> Option<(&'a [u8], Glob)> {
        let slash = self
            .path
            .iter()
            .rposition(|b| *b == b'/')
            .map_or(0, |at| at + 1);
        let (directory, last) = self.path.split_at(slash);
        Glob::is_pattern(last).then(|| (directory, Glob::new(last)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_come_first_and_the_rest_is_one_path() {
        let args = ListArgs::parse(b"-l -aR  a -b c ");
        assert!(args.all && args.long && args.recursive && !args.itself);
        assert_eq!(args.path, b" a -b c ");
    }

    #[test]
    fn a_double_dash_ends_options() {
        let args = ListArgs::parse(b"-l -- -a");
        assert!(args.long && !args.all);
        assert_eq!(args.path, b"-a");
    }

    #[test]
    fn no_path_is_an_empty_path() {
        for arg in [&b""[..], b" ", b"-la", b"-la ", b"-la  ", b"--"] {
            assert_eq!(ListArgs::parse(arg).path, b"", "{arg:?}");
        }
        assert_eq!(ListArgs::parse(b"-").path, b"-");
    }

    #[test]
    fn only_the_last_component_is_a_pattern() {
        let args = ListArgs::parse(b"/[a]/*.bin");
        let (directory, glob) = args.pattern().unwrap();
        assert_eq!(directory, b"/[a]/");
        assert!(glob.matches(b"x.bin") && !glob.matches(b"x.txt"));
        assert!(ListArgs::parse(b"/*/x").pattern().is_none());
    }
}
