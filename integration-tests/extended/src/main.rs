//! A master with a plugin, a command and a filter of our own. Everything of `drftpd-master` is in it.

mod avoid;
mod show;
mod tally;

use std::process::ExitCode;

use drftpd_master::Extensions;

fn main() -> ExitCode {
    Extensions::new()
        .plugin(&tally::TALLY)
        .command(&show::SHOW)
        .filter(avoid::AVOID)
        .main()
}
