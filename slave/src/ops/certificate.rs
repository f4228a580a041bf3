//! The certificate that FTP clients see on data connections; it is kept in memory only.

use drftpd_protocol::wire::{Fault, FtpCertificate};

use super::{OpCx, Operation};

impl Operation for FtpCertificate {
    const NAME: &'static str = "ftp certificate";

    async fn run(self, cx: OpCx) -> Result<(), Fault> {
        cx.transfers.set_certificate(self)
    }
}
