//! A command with what plugins do before and after it.

use std::sync::Arc;

use drftpd_protocol::VfsPath;

use super::{AdminError, Args, Caller, Code, Command, Cx, Outcome};
use crate::extend::{Called, NO_ANSWER, Plugins};

/// Carries a command out; where no plugin wants to know of it, as it is.
pub(super) async fn run(command: &'static Command, cx: Cx, args: Args) -> Outcome {
    let plugins: Plugins = match cx.of.online.get() {
        Some(online) => online.plugins.clone(),
        None => Plugins::default(),
    };
    let Some(around) = plugins.hooks().around(command.name) else {
        return (command.run)(cx, args).await;
    };
    let called = Arc::new(called(command, &cx.caller, &args));
    if let Err(why) = around.begin(&called).await {
        let code = match why == NO_ANSWER {
            true => Code::Busy,
            false => Code::Denied,
        };
        return Err(AdminError::new(code, why));
    }
    let mut outcome = (command.run)(cx, args).await;
    let lines = around.end(&called, outcome.is_ok(), 0).await;
    if let Ok(answer) = &mut outcome {
        let lines = lines.iter().map(|line| format!("{line}\n"));
        answer.text.insert_str(0, &lines.collect::<String>());
    }
    outcome
}

fn called(command: &Command, caller: &Caller, args: &Args) -> Called {
    let (who, client) = match caller {
        Caller::Owner => (None, None),
        Caller::User(user) => (Some(Arc::clone(&user.account)), Some(user.peer)),
        Caller::Token(token) => (None, Some(token.peer)),
    };
    Called {
        name: command.name,
        // Secrets are hidden in it.
        arg: args.to_string().into(),
        who,
        client,
        cwd: VfsPath::root(),
    }
}
