//! Patterns for names: `*`, `?`, `[abc]`, `[a-z]`, `[!a]`, and `\` before a character that means itself.
//!
//! A pattern is a small automaton without backtracking: which positions of the pattern may have been reached is kept
//! as a set of bits, and each byte of the name moves all of them at once. So the time is linear in the name, whatever
//! the pattern. Matching is on bytes.

/// Longer patterns match nothing: no name has more bytes.
const MAX_TOKENS: usize = 255;
const WORDS: usize = 4;

type Set = [u64; WORDS];

/// A pattern, ready to be matched against many names.
#[derive(Clone)]
pub struct Glob {
    tokens: usize,
    /// For each byte: at which positions the pattern accepts it.
    accepts: Box<[Set; 256]>,
    /// The positions at which a `*` stands.
    stars: Set,
}

impl Glob {
    /// Whether a text has anything of a pattern in it.
    pub fn is_pattern(text: &[u8]) -> bool {
        text.iter().any(|b| matches!(b, b'*' | b'?' | b'['))
    }

    /// Reads a pattern. Every text is one: a `[` without its `]` means itself.
    pub fn new(pattern: &[u8]) -> Self {
        let mut glob = Self {
            tokens: 0,
            accepts: Box::new([[0; WORDS]; 256]),
            stars: [0; WORDS],
        };
        let mut rest = pattern;
        while let [first, after @ ..] = rest {
            if glob.tokens > MAX_TOKENS {
                break;
            }
            rest = match (first, after) {
                (b'*', _) => {
                    insert(&mut glob.stars, glob.tokens);
                    after
                }
                (b'?', _) => glob.accept(|_| true, after),
                (b'[', _) => match class(after) {
                    Some((class, after)) => glob.accept(|byte| class[usize::from(byte)], after),
                    None => glob.accept(|byte| byte == b'[', after),
                },
                (b'\\', [escaped, after @ ..]) => glob.accept(|byte| byte == *escaped, after),
                _ => glob.accept(|byte| byte == *first, after),
            };
        }
        glob
    }

    /// The same pattern with ASCII letters of either case taken for each other.
    #[must_use]
    pub fn ignoring_case(mut self) -> Self {
        for lower in b'a'..=b'z' {
            let upper = lower.to_ascii_uppercase();
            let both = union(
                self.accepts[usize::from(lower)],
                self.accepts[usize::from(upper)],
            );
            self.accepts[usize::from(lower)] = both;
            self.accepts[usize::from(upper)] = both;
        }
        self
    }

    /// Whether the whole name fits.
    pub fn matches(&self, name: &[u8]) -> bool {
        if self.tokens > MAX_TOKENS {
            return false;
        }
        contains(&self.reached(name), self.tokens)
    }

    /// Whether some text fits that begins like this and goes on.
    pub fn begins(&self, text: &[u8]) -> bool {
        let mut reached = self.reached(text);
        if !contains(&self.stars, self.tokens) {
            remove(&mut reached, self.tokens);
        }
        self.tokens <= MAX_TOKENS && reached != [0; WORDS]
    }

    /// Whether every text fits that begins like this.
    pub fn covers(&self, text: &[u8]) -> bool {
        contains(&self.stars, self.tokens) && self.matches(text)
    }

    /// Whether the pattern is too long to match anything.
    pub fn is_too_long(&self) -> bool {
        self.tokens > MAX_TOKENS
    }

    /// The positions that are reached behind some bytes.
    fn reached(&self, bytes: &[u8]) -> Set {
        let mut reached: Set = [0; WORDS];
        insert(&mut reached, 0);
        for byte in bytes {
            let moved = shifted(intersection(reached, self.accepts[usize::from(*byte)]));
            reached = union(moved, intersection(reached, self.stars));
        }
        reached
    }

    /// Adds one position, unless the pattern is too long already.
    fn accept<'a>(&mut self, yes: impl Fn(u8) -> bool, after: &'a [u8]) -> &'a [u8] {
        if self.tokens < MAX_TOKENS {
            for byte in (0..=u8::MAX).filter(|byte| yes(*byte)) {
                insert(&mut self.accepts[usize::from(byte)], self.tokens);
            }
        }
        self.tokens += 1;
        after
    }
}

impl std::fmt::Debug for Glob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Glob")
            .field("tokens", &self.tokens)
            .finish_non_exhaustive()
    }
}

/// Reads what stands between brackets, and what follows them; `None` if they are not closed.
fn class(text: &[u8]) -> Option<([bool; 256], &[u8])> {
    let (negated, mut rest) = match text {
        [b'!' | b'^', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let mut class = [false; 256];
    let mut first = true;
    loop {
        rest = match rest {
            [] => return None,
            [b']', after @ ..] if !first => {
                rest = after;
                break;
            }
            [low, b'-', high, after @ ..] if *high != b']' => {
                (*low..=*high).for_each(|byte| class[usize::from(byte)] = true);
                after
            }
            [byte, after @ ..] => {
                class[usize::from(*byte)] = true;
                after
            }
        };
        first = false;
    }
    if negated {
        class.iter_mut().for_each(|member| *member = !*member);
    }
    Some((class, rest))
}

fn insert(set: &mut Set, at: usize) {
    if let Some(word) = set.get_mut(at / 64) {
        *word |= 1 << (at % 64);
    }
}

fn remove(set: &mut Set, at: usize) {
    if let Some(word) = set.get_mut(at / 64) {
        *word &= !(1 << (at % 64));
    }
}

fn contains(set: &Set, at: usize) -> bool {
    set.get(at / 64)
        .is_some_and(|word| word >> (at % 64) & 1 == 1)
}

fn union(a: Set, b: Set) -> Set {
    [a[0] | b[0], a[1] | b[1], a[2] | b[2], a[3] | b[3]]
}

fn intersection(a: Set, b: Set) -> Set {
    [a[0] & b[0], a[1] & b[1], a[2] & b[2], a[3] & b[3]]
}

/// Every position moved on by one.
fn shifted(set: Set) -> Set {
    [
        set[0] << 1,
        set[1] << 1 | set[0] >> 63,
        set[2] << 1 | set[1] >> 63,
        set[3] << 1 | set[2] >> 63,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, name: &str) -> bool {
        Glob::new(pattern.as_bytes()).matches(name.as_bytes())
    }

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name, want) in [
            ("*", "", true),
            ("*.bin", "a.bin", true),
            ("*.bin", "a.bin.txt", false),
            ("a*b*c", "axxbxxc", true),
            ("a*b*c", "axxcxxb", false),
            ("**a", "ba", true),
            ("?", "", false),
            ("?.?", "a.b", true),
            ("[abc]x", "bx", true),
            ("[a-c]x", "dx", false),
            ("[!a-c]x", "dx", true),
            ("[^a]", "a", false),
            ("[]x]", "]", true),
            ("[a-]", "-", true),
            ("[ab", "[ab", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("a\\", "a\\", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(fits(pattern, name), want, "{pattern} {name}");
        }
    }

    #[test]
    fn the_longest_name_can_be_matched_byte_by_byte_and_longer_patterns_match_nothing() {
        let name = "x".repeat(255);
        assert!(
            fits(&name, &name) && fits(&"?".repeat(255), &name) && fits(&"*?".repeat(255), &name)
        );
        assert!(!fits(&"x".repeat(256), &"x".repeat(256)));
        assert!(!fits(&"?*".repeat(5000), &name));
    }

    #[test]
    fn what_may_follow_a_beginning_is_known() {
        for (pattern, text, begins, covers) in [
            ("*", "/a/", true, true),
            ("/a/*", "/a/", true, true),
            ("/a/*", "/", true, false),
            ("/a/*", "/b/", false, false),
            ("/a/", "/a/", false, false),
            ("/a/b", "/a/", true, false),
            ("*.mp3", "/a/", true, false),
            ("*.mp3", "/a.mp3", true, false),
            ("/a/*/b*", "/a/x/b/", true, true),
            ("?*", "", true, false),
            ("", "", false, false),
        ] {
            let glob = Glob::new(pattern.as_bytes());
            let found = (glob.begins(text.as_bytes()), glob.covers(text.as_bytes()));
            assert_eq!(found, (begins, covers), "{pattern} {text}");
        }
        let long = Glob::new("*x".repeat(300).as_bytes());
        assert!(long.is_too_long() && !long.begins(b"") && !long.covers(b""));
    }

    #[test]
    fn case_can_be_ignored() {
        let glob = Glob::new(b"ReadMe.[a-z]*").ignoring_case();
        assert!(
            glob.matches(b"README.TXT") && glob.matches(b"readme.txt") && !glob.matches(b"readme")
        );
    }
}
