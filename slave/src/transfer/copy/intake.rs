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
    /// Bytes that the file may have.
    most: u64,
}

impl Intake {
    /// An upload that nothing has come of, and whose file may have so many bytes.
    pub fn new(staging: Staging, most: Option<u64>) -> Self {
        Intake {
            staging,
            received: 0,
            most: most.unwrap_or(u64::MAX),
        }
    }

    /// Appends bytes; all of them or, where the disk refuses or the file would become too large, none.
    ///
    /// # Errors
    /// [`TransferError::TooLarge`], or storage's: a full disk, a disk that failed, an upload that was deleted meanwhile.
    pub fn write(&mut self, bytes: &[u8], meter: &Meter) -> Result<(), TransferError> {
        if bytes.is_empty() {
            return Ok(());
        }
        if self.staging.len.saturating_add(bytes.len() as u64) > self.most {
            return Err(TransferError::TooLarge(self.most));
        }
        let written = self.staging.append(bytes);
        written.map_err(|error| TransferError::Storage(error.fault()))?;
        self.received += bytes.len() as u64;
        meter.received(bytes.len() as u64);
        Ok(())
    }
}
