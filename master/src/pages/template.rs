//! Texts with variables: `${user}`, `${credits,10}` (at least so wide, to the right), `${user,-10}` (to the left), `${path,8.20}`
//! (at most twenty). A `$` that no `{` follows is itself. Pure.

/// What can stand in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variable {
    /// Who is logged in.
    User,
    /// Their primary group.
    Group,
    /// Their ratio, like `1:3`.
    Ratio,
    /// Their credits, like `12.5 GiB`.
    Credits,
    /// What they say of themselves.
    Tagline,
    /// The client's address.
    Client,
    /// The day, UTC.
    Date,
    /// The time of day, UTC.
    Time,
    /// Where they are.
    Path,
    /// Bytes that a transfer moved.
    Bytes,
    /// Its speed.
    Speed,
    /// Bytes, seconds and speed, as without a theme.
    Figures,
}

/// Every one by its name.
const NAMES: [(&str, Variable); 12] = [
    ("user", Variable::User),
    ("group", Variable::Group),
    ("ratio", Variable::Ratio),
    ("credits", Variable::Credits),
    ("tagline", Variable::Tagline),
    ("client", Variable::Client),
    ("date", Variable::Date),
    ("time", Variable::Time),
    ("path", Variable::Path),
    ("bytes", Variable::Bytes),
    ("speed", Variable::Speed),
    ("figures", Variable::Figures),
];
/// Those of them that only the end of a transfer has.
const OF_TRANSFERS: [Variable; 3] = [Variable::Bytes, Variable::Speed, Variable::Figures];
/// The widest that a value is made.
const WIDEST: usize = 200;
/// The longest line, in bytes; longer ones are cut.
const LONGEST: usize = 500;

/// A text with variables.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Value(Variable, Width),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Width {
    left: bool,
    least: usize,
    most: Option<usize>,
}

impl Template {
    /// Reads a line. `of_transfer`: whether what only a transfer has may stand in it.
    ///
    /// # Errors
    /// What is wrong, by its name.
    pub fn read(line: &str, of_transfer: bool) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = line;
        while let Some((text, behind)) = rest.split_once("${") {
            let (variable, after) = behind
                .split_once('}')
                .ok_or_else(|| "a variable has no }".to_owned())?;
            if !text.is_empty() {
                pieces.push(Piece::Text(text.to_owned()));
            }
            pieces.push(value(variable, of_transfer)?);
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self(pieces))
    }

    /// The line, with values; without control characters, and not longer than a line is.
    pub fn line(&self, of: &mut dyn FnMut(Variable) -> String) -> String {
        let mut line = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => line += text,
                Piece::Value(variable, width) => line += &width.fit(&of(*variable)),
            }
        }
        let line: String = line.chars().filter(|c| !c.is_control()).collect();
        match line
            .char_indices()
            .find(|(at, c)| at + c.len_utf8() > LONGEST)
        {
            Some((end, _)) => line[..end].to_owned(),
            None => line,
        }
    }
}

fn value(said: &str, of_transfer: bool) -> Result<Piece, String> {
    let (name, width) = said.split_once(',').unwrap_or((said, ""));
    let known = NAMES.iter().find(|(known, _)| *known == name);
    let (_, variable) = known.ok_or_else(|| format!("there is no variable {name:?}"))?;
    if OF_TRANSFERS.contains(variable) && !of_transfer {
        return Err(format!("variable {name:?} is for the ends of transfers"));
    }
    let wrong = || format!("{said:?}: a width is a number up to {WIDEST}, like 10, -10 or 5.10");
    let width = Width::read(width).ok_or_else(wrong)?;
    Ok(Piece::Value(*variable, width))
}

impl Width {
    fn read(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::default());
        }
        let (left, text) = match text.strip_prefix('-') {
            Some(text) => (true, text),
            None => (false, text),
        };
        let (least, most) = match text.split_once('.') {
            Some((least, most)) => (least, Some(most)),
            None => (text, None),
        };
        let number = |text: &str| text.parse().ok().filter(|width| *width <= WIDEST);
        Some(Self {
            left,
            least: number(least)?,
            most: most.map(number).map_or(Some(None), |most| most.map(Some))?,
        })
    }

    fn fit(self, value: &str) -> String {
        let most = self.most.unwrap_or(usize::MAX);
        let value: String = value.chars().take(most).collect();
        match self.left {
            true => format!("{value:<wide$}", wide = self.least),
            false => format!("{value:>wide$}", wide = self.least),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str) -> String {
        let template = Template::read(line, true).unwrap();
        template.line(&mut |variable| match variable {
            Variable::User => "ann".to_owned(),
            Variable::Tagline => "a\r\n230 b".to_owned(),
            _ => "0123456789".to_owned(),
        })
    }

    #[test]
    fn variables_become_values_as_wide_as_is_asked_for() {
        assert_eq!(shown("Hi ${user}, it costs 5$"), "Hi ann, it costs 5$");
        assert_eq!(
            shown("[${user,5}|${user,-5}|${path,2.4}]"),
            "[  ann|ann  |0123]"
        );
        assert_eq!(shown("${tagline}!"), "a230 b!");
        assert_eq!(shown(&"ä".repeat(400)).len(), LONGEST);
        assert_eq!(shown(""), "");
    }

    #[test]
    fn what_is_none_is_named() {
        for (line, why) in [
            ("${usr}", "\"usr\""),
            ("${user", "has no }"),
            ("${user,x}", "user,x"),
            ("${user,5.}", "user,5."),
            ("${user,201}", "up to 200"),
            ("${}", "\"\""),
        ] {
            let wrong = Template::read(line, true).unwrap_err();
            assert!(wrong.contains(why), "{line}: {wrong}");
        }
        assert!(
            Template::read("${speed}", false)
                .unwrap_err()
                .contains("speed")
        );
    }
}
