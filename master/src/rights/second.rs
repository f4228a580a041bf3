//! A second opinion for tests: what another reader of the same description would write. Every glob is a regular
//! expression, and everything is judged from the text anew.

use super::Refused;
use crate::accounts::{Account, Action};

/// Kind, path and people of each line.
pub type Text = Vec<(&'static str, String, &'static str)>;

/// As a file has it.
pub fn written(text: &Text) -> String {
    let lines = text.iter();
    let lines = lines.map(|(kind, pattern, people)| format!("{kind} {pattern} {people}\n"));
    lines.collect()
}

fn fits(pattern: &str, path: &str) -> bool {
    let escaped = pattern.chars().map(|c| match c {
        '*' => ".*".to_owned(),
        '?' => ".".to_owned(),
        c => format!("\\x{{{:x}}}", c as u32),
    });
    let regex = format!("^(?:{})$", escaped.collect::<String>());
    let regex = regex_lite::Regex::new(&regex).unwrap();
    regex.is_match(path) || (path != "/" && regex.is_match(&format!("{path}/")))
}

fn means(words: &str, who: &Account) -> bool {
    for word in words.split(' ') {
        let plain = word.trim_start_matches('!');
        let is = plain == "*"
            || plain.strip_prefix('-') == Some(&who.name)
            || plain
                .strip_prefix('=')
                .is_some_and(|group| group == who.group || (group == "siteop" && who.admin));
        if is {
            return plain == word;
        }
    }
    false
}

/// What the first line says, if one fits; and whether there is any of the kind.
fn says(text: &Text, kind: &str, path: &str, who: &Account) -> (Option<bool>, bool) {
    let of_kind = text.iter().filter(|(name, ..)| *name == kind);
    let first = of_kind.clone().find(|(_, pattern, _)| fits(pattern, path));
    (
        first.map(|(_, _, words)| means(words, who)),
        of_kind.count() > 0,
    )
}

pub fn sees(text: &Text, path: &str, who: &Account) -> bool {
    let ends = path.match_indices('/').map(|(at, _)| at);
    let mut above: Vec<&str> = ends.filter(|at| *at > 0).map(|at| &path[..at]).collect();
    above.extend(["/", path]);
    above
        .iter()
        .all(|path| says(text, "privpath", path, who).0 != Some(false))
}

pub fn may(text: &Text, what: Action, path: &str, own: bool, who: &Account) -> bool {
    let is = |kind| says(text, kind, path, who).0 == Some(true);
    let own_is = |kind, instead| match says(text, kind, path, who) {
        (_, false) => is(instead),
        (said, true) => said == Some(true),
    };
    let admin_is = |kind, flag| match says(text, kind, path, who) {
        (_, false) => who.admin && flag,
        (said, true) => said == Some(true),
    };
    match what {
        Action::View => true,
        Action::Download => is("download"),
        Action::Upload => is("upload"),
        Action::MakeDir => is("makedir"),
        Action::Delete => is("delete") || (own && is("deleteown")),
        Action::Rename => is("rename") || (own && is("renameown")),
        Action::Resume => is("resume") || (own && own_is("resumeown", "upload")),
        Action::SetTime => is("settime") || (own && own_is("settimeown", "upload")),
        Action::Overwrite => admin_is("overwrite", who.overwrite) || (own && is("overwriteown")),
        Action::Fxp => admin_is("fxp", who.fxp),
    }
}

pub fn verdict(
    text: &Text,
    what: Action,
    path: &str,
    own: bool,
    who: &Account,
) -> Result<(), Refused> {
    let parent = match path.rfind('/') {
        Some(0) | None => "/",
        Some(at) => &path[..at],
    };
    let makes = matches!(what, Action::Upload | Action::MakeDir);
    let seen = sees(text, path, who);
    let told = seen || (makes && sees(text, parent, who));
    if !told {
        return Err(Refused::Hidden);
    }
    if !may(text, what, path, own, who) {
        return Err(Refused::Denied);
    }
    let unwanted = says(text, "denyname", path, who).0 == Some(true);
    if makes && (!seen || unwanted) {
        return Err(Refused::Name);
    }
    Ok(())
}
