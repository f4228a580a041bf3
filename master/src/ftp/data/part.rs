//! The part of a file that a download is about. Pure.

use drftpd_protocol::ftp::args::OctetRange;

use crate::ftp::state::State;
use crate::vfs::VfsError;

/// Which bytes of a file go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// First byte.
    pub offset: u64,
    /// How many; `None`: all that follow.
    pub length: Option<u64>,
}

impl Part {
    /// What REST and RANG have said, for a file of this size. A part that ends behind the file ends with it.
    ///
    /// # Errors
    /// When it does not begin in the file.
    pub fn of(state: &State, size: u64) -> Result<Self, VfsError> {
        let Some(OctetRange { start, end }) = state.range else {
            let offset = state.rest.unwrap_or(0);
            let length = None;
            return match offset > size {
                true => Err(VfsError::BadOffset { offset, size }),
                false => Ok(Self { offset, length }),
            };
        };
        if start >= size {
            let offset = start;
            return Err(VfsError::BadOffset { offset, size });
        }
        let behind = end.map_or(size, |last| last.saturating_add(1).min(size));
        Ok(Self {
            offset: start,
            length: Some(behind - start),
        })
    }

    /// How many bytes will come of a file of this size.
    pub fn of_size(self, size: u64) -> u64 {
        let left = size.saturating_sub(self.offset);
        self.length.map_or(left, |length| length.min(left))
    }
}
