//! What an operator decides about a slave: `slave drain`, `slave undrain`, `slave evacuate`, `slave maintenance`.

use std::fmt;

use drftpd_protocol::SlaveId;
use serde::Serialize;

use super::super::{AdminError, Answer, Args, Command, Cx, Kind, Outcome, Param, Permission};
use super::slaves::refused;
use crate::slaves::{Duty, Standing};
use crate::vfs::{Leaving, VfsError};

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
    about: "gives a slave new files again, also one that is evacuated",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(stand(cx, args, Duty::Drained, false)),
};

/// `slave evacuate NAME`.
pub(in crate::admin) const EVACUATE: Command = Command {
    name: "slave evacuate",
    site: &["EVACUATESLAVE"],
    params: &[NAME],
    about: "drains a slave and has its files copied to others; said again, tells how many are left",
    permission: Permission::Operator,
    changes: true,
    run: |cx, args| Box::pin(evacuate(cx, args)),
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

/// What only an evacuated slave has.
#[derive(Serialize)]
struct Evacuated {
    name: SlaveId,
    /// Copies on it.
    copies: u64,
    /// Files of which no other slave has one.
    last: u64,
    /// Files whose copies wait to be made, those of other slaves too.
    waiting: u64,
}

async fn decide(cx: &Cx, name: &SlaveId, duty: Duty, on: bool) -> Result<Standing, AdminError> {
    let stood = match cx.of.online.get() {
        Some(online) => online.slaves.stand(name, duty, on).await,
        None => cx.of.enroll.stand(name, duty, on).await,
    };
    stood.map_err(|why| refused("name", &why))
}

async fn evacuate(cx: Cx, args: Args) -> Outcome {
    let name = args.slave("name")?;
    let online = cx.online()?;
    decide(&cx, name, Duty::Evacuated, true).await?;
    online.copies.look_around();
    let failed = |why: VfsError| AdminError::failed(&why);
    let of_slave = Leaving::Slave(name.clone());
    let loss = online.vfs.loss(of_slave).await.map_err(failed)?;
    let waiting = online.vfs.count_copy_jobs().await.map_err(failed)?;
    Answer::of(&Evacuated {
        name: name.clone(),
        copies: loss.copies,
        last: loss.last,
        waiting,
    })
}

impl fmt::Display for Evacuated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            copies,
            last,
            waiting,
        } = self;
        write!(
            f,
            "slave {name} is evacuated: of its {copies} files {last} are on no other slave yet, {waiting} files wait for copies"
        )
    }
}

async fn stand(cx: Cx, args: Args, duty: Duty, on: bool) -> Outcome {
    let name = args.slave("name")?;
    let standing = decide(&cx, name, duty, on).await?;
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
