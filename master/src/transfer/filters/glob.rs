//! Patterns over whole paths: `*` is any number of bytes, slashes too, `?` is one byte.

/// Whether the whole text matches. Takes time linear in their product at most.
pub(crate) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go on after the last star when what follows it does not fit.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p + 1, t));
                p += 1;
            }
            Some(&byte) if byte == b'?' || byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((after, from)) => {
                    p = after;
                    t = from + 1;
                    star = Some((after, t));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_cross_slashes_and_the_whole_text_must_match() {
        for (pattern, text, is) in [
            ("/a/*", "/a/b/c", true),
            ("/a/*", "/a", false),
            ("/a/*", "/b/a/x", false),
            ("*/incoming/*", "/x/incoming/y", true),
            ("*.mp3", "/x/y.mp3", true),
            ("*.mp3", "/x/y.mp3x", false),
            ("/a?c", "/abc", true),
            ("/a?c", "/ac", false),
            ("*", "", true),
            ("", "", true),
            ("", "x", false),
            ("**a**b", "xxaxxb", true),
            ("/A", "/a", false),
        ] {
            let found = matches(pattern.as_bytes(), text.as_bytes());
            assert_eq!(found, is, "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_does_not_take_for_ever() {
        let pattern = b"*a".repeat(1000);
        let text = vec![b'a'; 20_000];
        assert!(matches(&pattern, &text));
        assert!(!matches(&pattern, &[b'b'; 20_000]));
    }
}
