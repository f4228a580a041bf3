//! Bytes of an upload on their way to staging: written where they belong, counted, and summed.

use super::super::error::TransferError;
use super::super::meter::Meter;
use crate::storage::Staging;

/// An upload's staged file, and how much of it came over this connection.
#[derive(Debug)]
pub struct Intake {
    /// The staged file with its length and checksum.
    pub staging: Staging,
    /// Bytes that came over this connection and are written.
    pub received: u64,
}

impl Intake {
    /// An upload that nothing has come of.
    pub fn new(staging: Staging) -> Self {
        Intake {
            staging,
            received: 0,
        }
    }

    /// Appends bytes; all of them or, where the disk refuses, none.
    ///
    /// # Errors
    /// Storage's: a full disk, a disk that failed, an upload that was deleted meanwhile.
    pub fn write(&mut self, bytes: &[u8], meter: &Meter) -> Result<(), TransferError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let written = self.staging.append(bytes);
        written.map_err(|error| TransferError::Storage(error.fault()))?;
        self.received += bytes.len() as u64;
        meter.received(bytes.len() as u64);
        Ok(())
    }
}
