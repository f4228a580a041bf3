//! Operations: what the slave does when the master calls. One table, one line per kind.
//!
//! An operation is a block `impl Operation for <Call>` in a file of this folder and one line in
//! [`OPS`]. It runs as a task of its own that ends with the link; it gets everything by [`OpCx`]
//! and answers with the call's answer or with a fault. A body that does not decode never reaches
//! it.

use std::future::Future;

use drftpd_protocol::wire::{
    AbortTransfer, ApplyOps, BeginTransfer, Call, Checksum, Envelope, Fault, FaultCode,
    FtpCertificate, Goodbye, OpenData, Ping, Pong, Reread, SetRate, StopReread, WalkRoot, encode,
};
use futures_util::future::{FutureExt, LocalBoxFuture};

pub mod applied;
mod certificate;
mod checksum;
mod context;
pub mod files;
pub mod log;
mod reread;
mod transfer;
pub mod walk;

pub use context::{OpCx, OpDeps, ProgressTeller, RootActors};
pub use reread::Rereads;

/// What a slave does for one kind of call.
///
/// Dropping the future at any `await` must leave nothing behind that matters: the link may be
/// lost at any time. What must outlive the link is handed to an owner that does (a transfer to
/// `Transfers`, a root's operations to its worker).
pub trait Operation: Call + 'static {
    /// For the log.
    const NAME: &'static str;
    /// Whether it begins something new, which a slave that shuts down refuses as busy.
    const BEGINS_WORK: bool = false;

    /// Does it.
    fn run(self, cx: OpCx) -> impl Future<Output = Result<Self::Answer, Fault>> + 'static;
}

/// One line of the table.
#[derive(Debug, Clone, Copy)]
pub struct Op {
    /// The call's number.
    pub kind: u16,
    /// For the log.
    pub name: &'static str,
    /// Refused while the slave shuts down.
    pub begins_work: bool,
    /// Decodes the body and begins the work; the result is the encoded answer.
    pub begin: fn(OpCx, &Envelope) -> Result<Begun, Fault>,
}

/// An operation under way.
pub type Begun = LocalBoxFuture<'static, Result<Vec<u8>, Fault>>;

/// Everything a master may call.
pub static OPS: &[Op] = &[
    op::<Ping>(),
    op::<OpenData>(),
    op::<BeginTransfer>(),
    op::<AbortTransfer>(),
    op::<SetRate>(),
    op::<Checksum>(),
    op::<ApplyOps>(),
    op::<WalkRoot>(),
    op::<Goodbye>(),
    op::<FtpCertificate>(),
    op::<Reread>(),
    op::<StopReread>(),
];

/// The operation for a kind.
pub fn find(kind: u16) -> Result<&'static Op, Fault> {
    let op = OPS.iter().find(|op| op.kind == kind);
    op.ok_or_else(|| {
        let text = format!("this slave does not know kind {kind:#06x}");
        Fault::new(FaultCode::UNKNOWN_KIND, text)
    })
}

const fn op<C: Operation>() -> Op {
    Op {
        kind: C::KIND,
        name: C::NAME,
        begins_work: C::BEGINS_WORK,
        begin: begin::<C>,
    }
}

fn begin<C: Operation>(cx: OpCx, call: &Envelope) -> Result<Begun, Fault> {
    let request: C = call.open().map_err(|error| {
        let why = std::error::Error::source(&error).map_or(String::new(), |why| format!(": {why}"));
        Fault::new(FaultCode::BAD_REQUEST, format!("{error}{why}"))
    })?;
    let answer = request.run(cx).map(|done| {
        encode(&done?).map_err(|error| Fault::new(FaultCode::FAILED, error.to_string()))
    });
    Ok(answer.boxed_local())
}

impl Operation for Ping {
    const NAME: &'static str = "ping";

    async fn run(self, _: OpCx) -> Result<Pong, Fault> {
        Ok(Pong {})
    }
}

impl Operation for Goodbye {
    const NAME: &'static str = "goodbye";

    async fn run(self, _: OpCx) -> Result<(), Fault> {
        tracing::info!(why = %self.why, "the master goes away on purpose");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use drftpd_protocol::wire::{CALL_KINDS, kinds};

    use super::*;

    #[test]
    fn no_kind_and_no_name_stands_in_the_table_twice() {
        let kinds: BTreeSet<u16> = OPS.iter().map(|op| op.kind).collect();
        let names: BTreeSet<&str> = OPS.iter().map(|op| op.name).collect();
        assert_eq!((kinds.len(), names.len()), (OPS.len(), OPS.len()));
    }

    #[test]
    fn every_call_of_the_protocol_has_its_operation() {
        let known: BTreeSet<u16> = OPS.iter().map(|op| op.kind).collect();
        let missing: Vec<_> = CALL_KINDS
            .iter()
            .filter(|kind| !known.contains(kind))
            .collect();
        assert!(
            missing.is_empty(),
            "kinds without an operation: {missing:#06x?}"
        );
    }

    #[test]
    fn a_number_that_is_no_call_is_an_unknown_kind() {
        let fault = find(kinds::ALIVE).expect_err("no such operation");
        assert_eq!(fault.code, FaultCode::UNKNOWN_KIND);
    }
}
