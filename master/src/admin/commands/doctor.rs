//! `doctor`: what is wrong with addresses, ports, certificates, the clock and the way to slaves.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::super::{AdminError, Answer, Command, Cx, Outcome, Permission};
use crate::doctor::machine::ThisMachine;
use crate::doctor::{self, Finding, Known, Severity};

/// `doctor`.
pub(in crate::admin) const DOCTOR: Command = Command {
    name: "doctor",
    site: &["DOCTOR"],
    params: &[],
    about: "tells what is wrong with addresses, ports, certificates, the clock and the way to slaves",
    permission: Permission::Operator,
    changes: false,
    run: |cx, _| Box::pin(run(cx)),
};

#[derive(Serialize)]
struct Told {
    wrong: usize,
    notes: usize,
    findings: Vec<Finding>,
}

async fn run(cx: Cx) -> Outcome {
    let known = known(&cx)?;
    let online = cx.of.online.get();
    let config = match online.and_then(|online| online.reload.as_ref()) {
        Some(reload) => Arc::clone(&reload.current().borrow()),
        None => Arc::clone(&cx.of.config),
    };
    let look = move || doctor::examine(&config, &ThisMachine, &known);
    let looked = cx.of.blocking.run(look).await;
    let mut findings = looked.map_err(|why| AdminError::failed(&why))?;
    if let Some(online) = online {
        let views = online.slaves.views().borrow().clone();
        for view in views.values() {
            let transfer = cx.of.store.ids().transfer();
            let transfer = transfer.map_err(|why| AdminError::failed(&why))?;
            let probe = doctor::probe(&online.slaves, &view.slave, view.address, transfer);
            findings.push(probe.await);
        }
    }
    let count = |severity| findings.iter().filter(|it| it.severity == severity).count();
    Answer::of(&Told {
        wrong: count(Severity::Wrong),
        notes: count(Severity::Note),
        findings,
    })
}

fn known(cx: &Cx) -> Result<Known, AdminError> {
    let failed = |why: crate::store::StoreError| AdminError::failed(&why);
    let rows = cx.of.enroll.list().map_err(failed)?;
    let names = rows.iter().filter(|row| row.revoked.is_none());
    let online = cx.of.online.get();
    Ok(Known {
        serving: online.map(|online| online.ftp.clone()),
        slaves: names.map(|row| row.name.clone()).collect(),
        need_certificate: cx
            .of
            .store
            .read(crate::accounts::table::need_certificate)
            .map_err(failed)?,
        authority: Some(cx.of.enroll.authority().certificate().to_vec()),
        now: cx.of.clock.unix(),
        began: cx.of.store.ids().began(),
    })
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            let sign = match finding.severity {
                Severity::Good => "good ",
                Severity::Note => "note ",
                Severity::Wrong => "WRONG",
            };
            writeln!(f, "{sign} {}: {}", finding.area, finding.what)?;
            if !finding.remedy.is_empty() {
                writeln!(f, "      -> {}", finding.remedy)?;
            }
        }
        write!(f, "{} wrong, {} to note", self.wrong, self.notes)
    }
}
