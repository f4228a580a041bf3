//! `drftpd-master`: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    drftpd_master::Extensions::new().main()
}
