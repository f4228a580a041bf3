//! The process itself: `shutdown`, `reload`.

use std::fmt;

use serde::Serialize;

use super::super::{AdminError, Answer, Code, Command, Cx, Outcome, Permission};
use super::table;

/// `shutdown`.
pub(in crate::admin) const SHUTDOWN: Command = Command {
    name: "shutdown",
    site: &["SHUTDOWN"],
    params: &[],
    about: "ends the master as SIGTERM does: transfers may finish, new logins are refused",
    permission: Permission::Operator,
    changes: true,
    run: |cx, _| Box::pin(std::future::ready(shutdown(&cx))),
};

/// `reload`.
pub(in crate::admin) const RELOAD: Command = Command {
    name: "reload",
    site: &["RELOAD"],
    params: &[],
    about: "reads the configuration again as SIGHUP does; what can count at once does",
    permission: Permission::Operator,
    changes: true,
    run: |cx, _| Box::pin(std::future::ready(reload(&cx))),
};

#[derive(Serialize)]
struct Shutdown {
    seconds: u64,
}

fn shutdown(cx: &Cx) -> Outcome {
    let online = cx.online()?;
    let limit = cx.of.config.shutdown.drain;
    online.drain.begin(limit);
    Answer::of(&Shutdown {
        seconds: limit.as_secs(),
    })
}

impl fmt::Display for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let within = table::seconds(self.seconds);
        write!(f, "the master ends, within {within} at most")
    }
}

#[derive(Serialize)]
struct Reloaded {
    changed: Vec<&'static str>,
    after_restart: Vec<&'static str>,
}

fn reload(cx: &Cx) -> Outcome {
    let Some(reload) = &cx.online()?.reload else {
        let why = "this master was not started from a file";
        return Err(AdminError::new(Code::Failed, why));
    };
    let reloaded = reload.now().map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        AdminError::new(Code::Failed, lines.join("; "))
    })?;
    Answer::of(&Reloaded {
        changed: reloaded.counts,
        after_restart: reloaded.waits,
    })
}

impl fmt::Display for Reloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.changed.as_slice() {
            [] => writeln!(f, "nothing that counts at once has changed")?,
            changed => writeln!(f, "counts now: {}", changed.join(", "))?,
        }
        if !self.after_restart.is_empty() {
            write!(
                f,
                "counts after the next start: {}",
                self.after_restart.join(", ")
            )?;
        }
        Ok(())
    }
}
