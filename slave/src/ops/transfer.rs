//! Data channels: the master opens, begins and aborts them. They belong to `Transfers`, so that they
//! outlive the link.

use drftpd_protocol::wire::{
    self, AbortTransfer, BeginTransfer, DataOpened, Fault, OpenData, SetRate,
};

use super::{OpCx, Operation};

impl Operation for OpenData {
    const NAME: &'static str = "open data channel";
    const BEGINS_WORK: bool = true;

    async fn run(self, cx: OpCx) -> Result<DataOpened, Fault> {
        cx.transfers.open(self).await
    }
}

impl Operation for BeginTransfer {
    const NAME: &'static str = "begin transfer";

    async fn run(self, cx: OpCx) -> Result<wire::Begun, Fault> {
        cx.transfers.begin(self).await
    }
}

impl Operation for SetRate {
    const NAME: &'static str = "set rate";

    async fn run(self, cx: OpCx) -> Result<(), Fault> {
        cx.transfers.set_rate(self).await
    }
}

impl Operation for AbortTransfer {
    const NAME: &'static str = "abort transfer";

    async fn run(self, cx: OpCx) -> Result<(), Fault> {
        cx.transfers.abort(self).await
    }
}
