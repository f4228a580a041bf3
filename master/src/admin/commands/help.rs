//! `help`: what there is, from the table itself.

use std::fmt;

use serde::Serialize;

use super::super::{AdminError, Answer, Args, Code, Command, Cx, Kind, Outcome, Param, Permission};
use super::table;

/// `help [COMMAND]`.
pub(in crate::admin) const HELP: Command = Command {
    name: "help",
    site: &[],
    params: &[Param::optional(
        "command",
        Kind::Rest,
        "the command to explain",
    )],
    about: "lists all commands, or explains one",
    permission: Permission::Anyone,
    changes: false,
    run: |cx, args| Box::pin(std::future::ready(help(&cx, &args))),
};

#[derive(Serialize)]
struct Help {
    commands: Vec<Explained>,
    #[serde(skip)]
    whole: bool,
}

#[derive(Serialize)]
struct Explained {
    name: &'static str,
    syntax: String,
    about: &'static str,
    site: &'static [&'static str],
    arguments: Vec<Argument>,
}

#[derive(Serialize)]
struct Argument {
    name: &'static str,
    optional: bool,
    about: &'static str,
}

fn help(cx: &Cx, args: &Args) -> Outcome {
    let rules = cx.of.rights.rules();
    let commands = cx.of.commands();
    let mine = commands
        .iter()
        .filter(|command| command.is_for(&cx.caller, &rules));
    let Some(asked) = args.text("command") else {
        return Answer::of(&Help {
            commands: mine.map(explain).collect(),
            whole: false,
        });
    };
    let words: Vec<&str> = asked.split_ascii_whitespace().collect();
    let by_name = commands.find(&words).map(|(command, _)| command);
    let found: Vec<_> = match by_name.filter(|command| command.is_for(&cx.caller, &rules)) {
        Some(command) => vec![explain(command)],
        None => mine
            .filter(|command| words.first().is_some_and(|area| is_in(command, area)))
            .map(explain)
            .collect(),
    };
    if found.is_empty() {
        let why = format!("there is no command {asked:?}");
        return Err(AdminError::new(Code::UnknownCommand, why));
    }
    Answer::of(&Help {
        commands: found,
        whole: true,
    })
}

/// Whether a command is of an area, or SITE has it under this name.
fn is_in(command: &Command, area: &str) -> bool {
    let mut words = command.name.split(' ');
    words
        .next()
        .is_some_and(|word| word.eq_ignore_ascii_case(area))
        || command
            .site
            .iter()
            .any(|name| name.eq_ignore_ascii_case(area))
}

fn explain(command: &'static Command) -> Explained {
    let argument = |param: &Param| Argument {
        name: param.name,
        optional: param.optional,
        about: param.about,
    };
    Explained {
        name: command.name,
        syntax: command.syntax(),
        about: command.about,
        site: command.site,
        arguments: command.params.iter().map(argument).collect(),
    }
}

impl fmt::Display for Help {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.whole {
            let row = |of: &Explained| {
                let call = format!("{} {}", of.name, of.syntax);
                [call.trim_end().to_owned(), of.about.to_owned()]
            };
            let rows: Vec<_> = self.commands.iter().map(row).collect();
            return table::write(f, ["COMMAND", "WHAT IT DOES"], &rows);
        }
        for command in &self.commands {
            writeln!(f, "{} {}", command.name, command.syntax)?;
            writeln!(f, "    {}", command.about)?;
            for argument in &command.arguments {
                let may = if argument.optional {
                    " (may be left out)"
                } else {
                    ""
                };
                writeln!(f, "    {}: {}{may}", argument.name, argument.about)?;
            }
            if !command.site.is_empty() {
                writeln!(f, "    also: SITE {}", command.site.join(", SITE "))?;
            }
        }
        Ok(())
    }
}
