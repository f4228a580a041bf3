//! Who may do what where: the permission language, read from a file, compiled once, judged by one function.
//!
//! [`Rules::judge`] decides for every verb, on the resolved target; [`Here`] is the same for the entries of a listing.
//! Pure but for [`read`], which reads the file, [`Rights`], the handle by which sessions have the newest rules, and
//! [`View`], by which paths are looked up and judged.

pub mod config;
mod credit;
pub mod directive;
mod handle;
mod here;
mod judge;
mod messages;
mod pattern;
pub mod read;
mod rules;
mod view;

#[cfg(test)]
mod random_tests;
#[cfg(test)]
pub(crate) mod second;
#[cfg(test)]
mod tests;

pub use config::RightsConfig;
pub use credit::Cap;
pub use directive::Directive;
pub use handle::Rights;
pub use here::Here;
pub use judge::{Refused, Target};
pub use rules::{Line, Rules, Written};
pub use view::{At, View, ViewError};
