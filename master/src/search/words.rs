//! The words of a name, as the index has them and as they are asked for. Pure.

use crate::vfs::Kind;

/// The words of a name: runs of letters and digits, in lower case. Bytes that are no UTF-8 part words.
pub fn words(name: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(name).to_lowercase();
    let parts = text.split(|c: char| !c.is_alphanumeric());
    let words = parts.filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

/// A word that no name has: it stands for the kind of an entry.
pub fn of_kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Dir => "→d",
        Kind::File => "→f",
        Kind::Link => "→l",
    }
}

/// What the index has of an entry. Its tokenizer parts ASCII alone, so that words stay as they are here.
pub fn indexed(kind: Kind, name: &[u8]) -> String {
    let mut text = of_kind(kind).to_owned();
    for word in words(name) {
        text.push(' ');
        text.push_str(&word);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_runs_of_letters_and_digits_in_lower_case() {
        let of = |name: &str| words(name.as_bytes()).join(" ");
        assert_eq!(
            of("Some.Name.S01E02_x264-GRP.mkv"),
            "some name s01e02 x264 grp mkv"
        );
        assert_eq!(of("Übung (2) – ÀÉ.txt"), "übung 2 àé txt");
        assert_eq!(of("..--__"), "");
        assert_eq!(words(b"a\xffb"), ["a", "b"]);
        assert_eq!(indexed(Kind::Dir, b"A-b"), "→d a b");
        assert!(words(of_kind(Kind::File).as_bytes()) == ["f"]);
    }
}
