//! What an operator decides about a slave: `slave drain`, `slave undrain`, `slave maintenance`.

use std::fmt;

use drftpd_protocol::SlaveId;
use serde::Serialize;

use super::super::{Answer, Args, Command, Cx, Kind, Outcome, Param, Permission};
use super::slaves::refused;
use crate::slaves::Duty;

const NAME: Param = Param::new("name", Kind::Slave, "the slave's name");

/// `slave drain NAME`.
pub(in crate::admin) const DRAIN: Command = Command {
    name: "slave drain",
    site: &["DRAINSLAVE"],
    params: &[NAME],
    about: "gives a slave no new files from now on; it serves what it has, and uploads that run may finish",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(stand(cx, args, Duty::Drained, true)),
};

/// `slave undrain NAME`.
pub(in crate::admin) const UNDRAIN: Command = Command {
    name: "slave undrain",
    site: &["UNDRAINSLAVE"],
    params: &[NAME],
    about: "gives a slave new files again",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(stand(cx, args, Duty::Drained, false)),
};

/// `slave maintenance NAME on|off`.
pub(in crate::admin) const MAINTENANCE: Command = Command {
    name: "slave maintenance",
    site: &["MAINTENANCE"],
    params: &[
        NAME,
        Param::new(
            "on",
            Kind::Word(&["on", "off"]),
            "whether it begins or ends",
        ),
    ],
    about: "says that a slave is worked on: online or not, it serves nobody, and what only it has is offline",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| {
        let on = args.text("on") == Some("on");
        Box::pin(stand(cx, args, Duty::Maintenance, on))
    },
};

#[derive(Serialize)]
struct Stands {
    name: SlaveId,
    drained: bool,
    maintenance: bool,
}

async fn stand(cx: Cx, args: Args, duty: Duty, on: bool) -> Outcome {
    let name = args.slave("name")?;
    let stood = match cx.of.online.get() {
        Some(online) => online.slaves.stand(name, duty, on).await,
        None => cx.of.enroll.stand(name, duty, on).await,
    };
    let standing = stood.map_err(|why| refused("name", &why))?;
    Answer::of(&Stands {
        name: name.clone(),
        drained: standing.drained,
        maintenance: standing.maintenance,
    })
}

impl fmt::Display for Stands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let says = match (self.drained, self.maintenance) {
            (false, false) => "is in use",
            (true, false) => "is drained: it takes no new files",
            (false, true) => "is in maintenance: it serves nobody",
            (true, true) => "is in maintenance and drained",
        };
        write!(f, "slave {} {says}", self.name)
    }
}
