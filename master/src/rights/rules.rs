//! Lines, compiled once: for each kind those with regular expressions and then the others, each in its order. Pure.

use std::collections::BTreeMap;

use drftpd_protocol::VfsPath;

use super::credit::Value;
use super::directive::{DIRECTIVES, Directive, FORMS};
use super::messages::Messages;
use super::pattern::{PathText, Pattern};
use crate::accounts::Account;
use crate::accounts::who::People;
use crate::store::Case;

/// A line as it is written, in either form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its kind.
    pub directive: Directive,
    /// Whether the path is a regular expression.
    pub expression: bool,
    /// Its path.
    pub path: String,
    /// What stands between path and people.
    pub arguments: Vec<String>,
    /// Its people.
    pub people: People,
}

/// Everything that a file says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Written {
    /// Lines about paths, in their order.
    pub lines: Vec<Line>,
    /// Who may use which command, by its name.
    pub commands: BTreeMap<&'static str, People>,
    /// Whom rankings do not show.
    pub hidden_in_stats: Option<People>,
}

/// A line that was compiled.
#[derive(Debug)]
pub(super) struct Compiled {
    pattern: Pattern,
    people: People,
    value: Value,
}

/// Who may do what where.
#[derive(Debug)]
pub struct Rules {
    written: Written,
    case: Case,
    lines: [Vec<Compiled>; DIRECTIVES],
    messages: Messages,
}

/// Rules are the same if they say the same.
impl PartialEq for Rules {
    fn eq(&self, other: &Self) -> bool {
        (&self.written, self.case) == (&other.written, other.case)
    }
}

impl Rules {
    /// Compiles what was written.
    ///
    /// # Errors
    /// For each line whose path is no pattern: its number among all lines, from 0, and why.
    pub fn new(written: Written, case: Case) -> Result<Self, Vec<(usize, String)>> {
        let mut lines = FORMS.map(|_| Vec::new());
        let mut errors = Vec::new();
        // Expressions first: the sort keeps the order otherwise.
        let mut numbered: Vec<(usize, &Line)> = written.lines.iter().enumerate().collect();
        numbered.sort_by_key(|(_, line)| !line.expression);
        for (number, line) in numbered {
            let pattern = match line.expression {
                true => Pattern::expression(&line.path),
                false => Pattern::glob(&line.path, case),
            };
            let people = line.people.clone();
            match (pattern, Value::of(line)) {
                (Ok(pattern), Some(value)) => lines[line.directive as usize].push(Compiled {
                    pattern,
                    people,
                    value,
                }),
                (Ok(_), None) => errors.push((number, "has no such value".to_owned())),
                (Err(why), _) => errors.push((number, why)),
            }
        }
        if !errors.is_empty() {
            errors.sort();
            return Err(errors);
        }
        let messages = Messages::of(&written, case);
        Ok(Self {
            written,
            case,
            lines,
            messages,
        })
    }

    /// Rules without a line: everybody sees everything, and nobody may do anything.
    pub fn nothing(case: Case) -> Self {
        Self {
            written: Written::default(),
            case,
            lines: FORMS.map(|_| Vec::new()),
            messages: Messages::default(),
        }
    }

    /// The names of the pages that are shown to those who enter somewhere.
    pub fn messages(&self) -> impl Iterator<Item = &str> {
        self.messages.names()
    }

    /// The page for somebody who enters a directory, by the first line that fits it and means them.
    pub fn message(&self, who: &Account, path: &VfsPath) -> Option<&str> {
        self.messages.of_path(who, || self.text(path))
    }

    /// What was written.
    pub fn written(&self) -> &Written {
        &self.written
    }

    /// A path as lines see it.
    pub fn text(&self, path: &VfsPath) -> PathText {
        PathText::new(path, self.case)
    }

    /// Who may use a command, where that is said.
    pub fn command(&self, name: &str) -> Option<&People> {
        self.written.commands.get(name)
    }

    /// Whom rankings do not show, if anybody.
    pub fn hidden_in_stats(&self) -> Option<&People> {
        self.written.hidden_in_stats.as_ref()
    }

    /// Whether the first line that fits a path means somebody; without one, what holds for the kind.
    pub(super) fn says(&self, directive: Directive, path: &PathText, who: &Account) -> bool {
        let directive = self.stand_in(directive);
        let mut lines = self.lines(directive).iter();
        let decides = lines.find(|line| line.pattern.fits(path));
        decides.map_or_else(
            || self.otherwise(directive, who),
            |line| line.people.has(who),
        )
    }

    /// What the lines of a kind say that fit a path and mean somebody, in their order: of lines with a value one that
    /// means others leaves the next to speak.
    pub(super) fn values(
        &self,
        directive: Directive,
        path: &VfsPath,
        who: &Account,
    ) -> impl Iterator<Item = Value> {
        let lines = self.lines(directive);
        let text = (!lines.is_empty()).then(|| self.text(path));
        lines.iter().filter_map(move |line| {
            let fits = line.pattern.fits(text.as_ref()?) && line.people.has(who);
            fits.then_some(line.value)
        })
    }

    /// Whether there are lines of a kind.
    pub(super) fn has(&self, directive: Directive) -> bool {
        !self.lines(directive).is_empty()
    }

    /// What [`Rules::says`] of everything that lies below a directory; `None` where that may differ.
    pub(super) fn says_below(
        &self,
        directive: Directive,
        dir: &PathText,
        who: &Account,
    ) -> Option<bool> {
        let directive = self.stand_in(directive);
        let mut all = None;
        let lines = self.lines(directive).iter();
        for line in lines.filter(|line| line.pattern.reaches_below(dir)) {
            let this = line.people.has(who);
            if *all.get_or_insert(this) != this {
                return None;
            }
            if line.pattern.covers_below(dir) {
                return all;
            }
        }
        let rest = self.otherwise(directive, who);
        (*all.get_or_insert(rest) == rest).then_some(rest)
    }

    pub(super) fn lines(&self, directive: Directive) -> &[Compiled] {
        &self.lines[directive as usize]
    }

    /// The kind that decides where one has no lines at all: with their own files people go on, and set times, where they
    /// may send files.
    fn stand_in(&self, directive: Directive) -> Directive {
        match directive {
            Directive::ResumeOwn | Directive::SetTimeOwn if self.lines(directive).is_empty() => {
                Directive::Upload
            }
            _ => directive,
        }
    }

    /// What holds where no line fits: nobody is allowed anything, but everything is seen. Of overwriting and of other
    /// hosts `[accounts]` says something for administrators, which counts where the file has no line of the kind.
    fn otherwise(&self, directive: Directive, who: &Account) -> bool {
        let unsaid = self.lines(directive).is_empty();
        match directive {
            Directive::PrivPath => true,
            Directive::Overwrite => unsaid && who.admin && who.overwrite,
            Directive::Fxp => unsaid && who.admin && who.fxp,
            _ => false,
        }
    }
}
