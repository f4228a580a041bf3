//! The documented configuration with other values filled in: what `init` and `quickstart` write.

use toml::{Table, Value};

/// Every key of `master.toml` with its default and its meaning.
pub const DOCUMENT: &str = include_str!("../../../deploy/master.toml");

/// A key with a value: `("ftp", "listen", value)`.
pub type Setting = (&'static str, &'static str, Value);

/// The documented configuration with these values in place of the defaults. A key that the document only mentions in a
/// comment (`#key = `) is put in front of the mention's value.
///
/// # Errors
/// The key that the document does not have.
pub fn fill<S: AsRef<str>>(document: &str, settings: &[(S, S, Value)]) -> Result<String, String> {
    let mut lines: Vec<String> = document.lines().map(str::to_owned).collect();
    for (section, key, value) in settings {
        let (section, key) = (section.as_ref(), key.as_ref());
        let at = find(&lines, section, key).ok_or_else(|| format!("{section}.{key}"))?;
        lines[at] = format!("{key} = {}", inline(value));
    }
    Ok(lines.join("\n") + "\n")
}

/// The document with everything that a table says in place of the defaults. Sections that the document only mentions in a
/// comment (`#[section]`) are switched on.
///
/// # Errors
/// As [`fill`].
pub fn fill_table(document: &str, wanted: &Table) -> Result<String, String> {
    let mut settings = Vec::new();
    let mut text = document.to_owned();
    gather("", wanted, &mut |section, key, value| match key {
        Some(key) => settings.push((section.to_owned(), key.to_owned(), value.clone())),
        None => text = text.replace(&format!("\n#[{section}]\n"), &format!("\n[{section}]\n")),
    });
    fill(&text, &settings)
}

/// Names each section, and each key in it.
fn gather(section: &str, table: &Table, named: &mut impl FnMut(&str, Option<&str>, &Value)) {
    for (key, value) in table {
        let Value::Table(inner) = value else {
            named(section, Some(key), value);
            continue;
        };
        let inside = match section {
            "" => key.clone(),
            above => format!("{above}.{key}"),
        };
        named(&inside, None, value);
        gather(&inside, inner, named);
    }
}

/// The line of a key; what stands before all sections has none.
fn find(lines: &[String], section: &str, key: &str) -> Option<usize> {
    let header = format!("[{section}]");
    let begin = match section {
        "" => 0,
        _ => lines.iter().position(|line| line.trim() == header)? + 1,
    };
    let of_section = lines[begin..].iter();
    let ends = |line: &str| line.starts_with('[') || line.starts_with("#[");
    let mine = of_section.take_while(|line| !ends(line));
    let at = mine
        .into_iter()
        .position(|line| key_of(line) == Some(key))?;
    Some(begin + at)
}

/// The key that a line sets, or mentions in a comment.
fn key_of(line: &str) -> Option<&str> {
    let line = line.strip_prefix('#').unwrap_or(line);
    let (key, _) = line.split_once(" = ")?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    (!key.is_empty() && key.chars().all(plain)).then_some(key)
}

/// A value on one line.
fn inline(value: &Value) -> String {
    match value {
        Value::Array(list) => {
            let list: Vec<String> = list.iter().map(inline).collect();
            format!("[{}]", list.join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "[a]\n# One.\none = 1\n\n[b]\n# Not a key = of anything.\none = 1\n#two = 2\n";

    #[test]
    fn a_value_goes_where_its_section_has_the_key() {
        let list = Value::Array(vec!["x".into(), "y\"z".into()]);
        let filled = fill(TEXT, &[("b", "one", list), ("b", "two", 7.into())]).unwrap();
        let want = "[a]\n# One.\none = 1\n\n[b]\n# Not a key = of anything.\none = [\"x\", 'y\"z']\ntwo = 7\n";
        assert_eq!(filled, want);
    }

    #[test]
    fn a_table_switches_sections_on_and_fills_what_stands_before_them() {
        let text = "top = []\n\n[a]\none = 1\n\n#[b.c]\n#one = 1\n\n#[b.d]\n#one = 1\n";
        let wanted = "top = [ { x = 1, y = \"z\" } ]\n[b.c]\none = 2\n"
            .parse()
            .unwrap();
        let want =
            "top = [{ x = 1, y = \"z\" }]\n\n[a]\none = 1\n\n[b.c]\none = 2\n\n#[b.d]\n#one = 1\n";
        assert_eq!(fill_table(text, &wanted).unwrap(), want);
        let unknown = "[b.d]\ntwo = 2\n".parse().unwrap();
        assert_eq!(fill_table(text, &unknown), Err("b.d.two".to_owned()));
    }

    #[test]
    fn a_key_that_is_not_there_is_named() {
        assert_eq!(
            fill(TEXT, &[("a", "two", 7.into())]),
            Err("a.two".to_owned())
        );
        assert_eq!(
            fill(TEXT, &[("c", "one", 7.into())]),
            Err("c.one".to_owned())
        );
    }
}
