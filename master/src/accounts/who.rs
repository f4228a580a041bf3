//! Of whom a line of the configuration speaks: `*`, `-user`, `=group`, each with `!` in front for the contrary. Pure.

use super::types::Account;

/// Whether tokens are about somebody; the first that fits decides, and nobody else is meant.
pub fn speaks_of(tokens: &[String], who: &Account) -> bool {
    tokens.iter().find_map(|token| fits(token, who)) == Some(true)
}

/// Whether it is written like a token.
pub fn is_token(text: &str) -> bool {
    let text = text.strip_prefix('!').unwrap_or(text);
    text == "*" || (text.len() > 1 && text.starts_with(['-', '=']))
}

/// Whether a token is about somebody, and which way.
fn fits(token: &str, who: &Account) -> Option<bool> {
    let (yes, token) = match token.strip_prefix('!') {
        Some(token) => (false, token),
        None => (true, token),
    };
    let is = match token.split_at_checked(1)? {
        ("*", "") => true,
        ("-", user) => user == who.name,
        ("=", group) => group == who.group,
        _ => false,
    };
    is.then_some(yes)
}
