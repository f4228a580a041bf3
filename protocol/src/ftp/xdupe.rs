//! `X-DUPE:` lines: names that need not be sent, told together with the refusal of one that is there already.

use super::reply::Text;

/// What stands before names. Clients look for the word with its colon and blank.
const PREFIX: &[u8] = b" X-DUPE: ";
/// Bytes of names in a line of the short modes.
const SHORT: usize = 66;
/// Bytes of names in the one line of [`XDupe::Packed`].
const LONG: usize = 1010;

/// `SITE XDUPE n`: whether and how such names are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum XDupe {
    /// 0: not at all.
    #[default]
    Off,
    /// 1: as many names in a line of 66 bytes as fit; a longer one alone, cut.
    Short,
    /// 2: one name in a line, cut at 66 bytes.
    Cut,
    /// 3: one name in a line, whole.
    Whole,
    /// 4: as many names as fit into one line of 1010 bytes.
    Packed,
}

impl XDupe {
    /// The mode of that number.
    pub fn of(number: u64) -> Option<Self> {
        [Self::Off, Self::Short, Self::Cut, Self::Whole, Self::Packed]
            .get(usize::try_from(number).ok()?)
            .copied()
    }

    /// Its number.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The lines that tell these names, without the code in front.
    pub fn lines<'a>(self, names: impl IntoIterator<Item = &'a [u8]>) -> Vec<Text> {
        let names = names.into_iter();
        match self {
            Self::Off => Vec::new(),
            Self::Short => packed(names, SHORT),
            Self::Cut => names.map(|name| line(cut(name, SHORT))).collect(),
            Self::Whole => names.map(line).collect(),
            Self::Packed => packed(names.filter(|name| name.len() <= LONG), LONG)
                .into_iter()
                .take(1)
                .collect(),
        }
    }
}

fn line(names: &[u8]) -> Text {
    Text::concat(&[PREFIX, names])
}

/// The beginning of a name, a little shorter than the line where it is not whole.
fn cut(name: &[u8], most: usize) -> &[u8] {
    match name.len() > most {
        true => name.get(..most - 1).unwrap_or(name),
        false => name,
    }
}

fn packed<'a>(names: impl Iterator<Item = &'a [u8]>, most: usize) -> Vec<Text> {
    let (mut lines, mut open) = (Vec::new(), Vec::new());
    for name in names.map(|name| cut(name, most)) {
        if !open.is_empty() && open.len() + 1 + name.len() > most {
            lines.push(line(&open));
            open.clear();
        }
        if !open.is_empty() {
            open.push(b' ');
        }
        open.extend_from_slice(name);
    }
    if !open.is_empty() {
        lines.push(line(&open));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(mode: u64, names: &[&str]) -> Vec<String> {
        let lines = XDupe::of(mode)
            .unwrap()
            .lines(names.iter().map(|name| name.as_bytes()));
        lines
            .iter()
            .map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned())
            .collect()
    }

    #[test]
    fn each_mode_has_its_own_form() {
        let long = "x".repeat(70);
        let names = ["a.rar", "b c.r00", &long, "d"];
        assert!(told(0, &names).is_empty());
        let cut = "x".repeat(65);
        assert_eq!(
            told(1, &names),
            [
                " X-DUPE: a.rar b c.r00".to_owned(),
                format!(" X-DUPE: {cut}"),
                " X-DUPE: d".to_owned()
            ]
        );
        assert_eq!(told(2, &names)[2], format!(" X-DUPE: {cut}"));
        assert_eq!(told(3, &names)[2], format!(" X-DUPE: {long}"));
        assert_eq!(told(3, &names).len(), 4);
        assert_eq!(
            told(4, &names),
            [format!(" X-DUPE: a.rar b c.r00 {long} d")]
        );
        assert_eq!(XDupe::of(5), None);
    }

    #[test]
    fn no_line_of_the_short_mode_is_longer_than_66_and_the_packed_one_is_one() {
        let names: Vec<String> = (0..400).map(|n| "n".repeat(n % 90)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let most = |mode| told(mode, &names).iter().map(String::len).max();
        assert!(most(1) <= Some(SHORT + PREFIX.len()));
        assert!(most(4) <= Some(LONG + PREFIX.len()));
        assert_eq!(told(4, &names).len(), 1);
    }
}
