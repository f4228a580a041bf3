//! Names of users and groups, and texts about them. Pure.

/// The longest name of a user or a group.
pub const MAX_NAME: usize = 64;
/// The longest tagline, comment, reason or note.
pub const MAX_TEXT: usize = 200;

/// No name of a user or a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be 1 to {MAX_NAME} letters, digits or one of . _ - @, and begin with a letter or a digit"
)]
pub struct BadName;

/// Whether a user or a group may be called so. What lines of permissions, masks and paths are made of cannot be in it.
///
/// # Errors
/// When not.
pub fn check(name: &str) -> Result<(), BadName> {
    let good = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    let fits = begins && name.len() <= MAX_NAME && name.chars().all(good);
    fits.then_some(()).ok_or(BadName)
}

/// No text that is kept of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one line of up to {MAX_TEXT} bytes")]
pub struct BadText;

/// Whether a text may be kept, and shown in a reply.
///
/// # Errors
/// When not.
pub fn check_text(text: &str) -> Result<(), BadText> {
    let fits = text.len() <= MAX_TEXT && !text.contains(char::is_control);
    fits.then_some(()).ok_or(BadText)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hold_nothing_that_means_something_elsewhere() {
        for good in ["bob", "Bob", "b.o_b-2@x", "0", &"x".repeat(MAX_NAME)] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        let long = "x".repeat(MAX_NAME + 1);
        for bad in [
            "", "a b", "a/b", "..", ".", "-bob", "=g", "!bob", "*", "a\n", "a\0", "ä", "@x", "_",
            &long,
        ] {
            assert_eq!(check(bad), Err(BadName), "{bad:?}");
        }
    }

    #[test]
    fn texts_are_one_line() {
        assert!(check_text("fine, thanks: ä").is_ok() && check_text("").is_ok());
        assert!(check_text("a\r\nb").is_err() && check_text(&"x".repeat(201)).is_err());
    }
}
