//! Changes of the tree, one file per family. Each is one command of the store.

mod begin;
mod compared;
mod copied;
mod end;
mod found;
mod make;
mod merge;
mod missing;
mod remove;
mod rename;
mod retire;
mod roots;
mod scrub;
mod staged;
mod times;
mod unknown;
mod walked;

pub(super) use begin::{Begin, Onto};
pub(super) use compared::MergeCompared;
pub(super) use copied::{AddCopy, DropStaged, RemoveCopy, SettleJobs, WantCopies};
pub(super) use end::{Commit, EndUpload, LoseUpload, MastersGone};
pub(super) use make::{MakeDir, MakeLink};
pub(super) use merge::MergePage;
pub(super) use missing::{BeginWalk, ConfirmRoot, HoldRoot, LoseCopies};
pub(super) use remove::{Delete, ExpirePartials, RemoveDir};
pub(super) use rename::Rename;
pub(super) use retire::{Forget, ForgetPage, RetireRoot};
pub(super) use roots::{OpsDone, ShowRoot};
pub(super) use scrub::{BeginDuePasses, BeginPasses, EndPass, PauseScrub, TakeReadings};
pub(super) use staged::MergeStaged;
pub(super) use times::SetTimes;
pub(super) use unknown::DecideRecovery;
pub(super) use walked::{ForgetDifferences, Walked};
