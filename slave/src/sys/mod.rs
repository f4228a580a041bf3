//! Every operating-system call beyond std, each with a portable form behind it.
//!
//! The cargo feature `portable` forces the portable forms, so that tests run them on Linux. On an
//! older kernel the calls find that out at run time and go on with the portable form. No path ever
//! leaves the directory it is given.

pub mod attribute;
pub mod beneath;
pub mod cache;
pub mod copy;
pub mod entry;
pub mod inotify;
mod listing;
pub mod socket;
pub mod space;

/// Whether this build uses what only Linux has.
pub const NATIVE: bool = cfg!(all(target_os = "linux", not(feature = "portable")));

/// What can be tried again by another way: the kernel, the filesystem or a sandbox does not have
/// the call.
#[cfg(all(target_os = "linux", not(feature = "portable")))]
fn not_here(error: rustix::io::Errno) -> bool {
    use rustix::io::Errno;
    matches!(
        error,
        Errno::NOSYS | Errno::OPNOTSUPP | Errno::INVAL | Errno::PERM
    )
}
