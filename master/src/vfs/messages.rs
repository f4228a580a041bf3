//! What the client asks of the actor. The commands of the tree are messages themselves.

use actix::Message;
use drftpd_protocol::{FileId, RootId, VfsPath};

use super::client::{Merged, Owner};
use super::commands::{Commit, EndUpload, MergePage};
use super::error::VfsError;
use super::tree::TreeCommand;
use super::types::{Entry, Upload, UploadMode};
use crate::accounts::earned::Earns;

/// Asks for a change; answered after the commit that holds it.
pub(super) struct Change<C>(pub C);

impl<C: TreeCommand> Message for Change<C> {
    type Result = Result<C::Answer, VfsError>;
}

/// Asks for the change that ends an upload; answered after the commit that holds it.
pub(super) struct Finish<C>(pub FileId, pub C);

impl<C: TreeCommand> Message for Finish<C> {
    type Result = Result<C::Answer, VfsError>;
}

/// Asks to merge a page of a walk; answered after the commit that holds it.
#[derive(Message)]
#[rtype(result = "Result<Merged, VfsError>")]
pub(super) struct Merge(pub MergePage);

/// The end of an upload's transfer that no session waits for.
#[derive(Message)]
#[rtype(result = "Result<(), VfsError>")]
pub(super) struct Orphan(pub FileId, pub EndUpload);

/// Asks to commit an upload, where its owner may have so much; answered after the commit.
#[derive(Message)]
#[rtype(result = "Result<Entry, VfsError>")]
pub(super) struct CommitUpload(pub Commit);

/// Asks to begin an upload; answered from memory and the last commit, while the intent is on its
/// way to the store.
#[derive(Message)]
#[rtype(result = "Result<Upload, VfsError>")]
pub(super) struct BeginUpload {
    pub path: VfsPath,
    pub mode: UploadMode,
    pub owner: Owner,
    pub root: RootId,
    pub earns: Option<Earns>,
    /// Bytes that it will bring; 0: nobody knows.
    pub expected: u64,
}
