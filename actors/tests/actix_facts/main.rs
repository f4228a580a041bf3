//! The behaviour of actix that we lean on or guard against, one test per fact, so that an update tells what it
//! changed. The numbers are the rows of the table of pitfalls in the README.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // they are what is looked at
#![allow(clippy::unwrap_used)] // tests fail as they like

mod answers;
mod restarts;
mod subject;
mod threads;
