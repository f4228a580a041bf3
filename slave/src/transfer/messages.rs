//! Messages between the link's handle, the registry and the channels. Notices for the master stand
//! here too.

use actix::{Addr, Message};
use drftpd_protocol::ids::{FileId, RootId, TransferId};
use drftpd_protocol::wire::{
    BeginTransfer, Begun, DataOpened, Fault, OpenData, TransferEnded, TransferProgress,
};

use super::actor::TransferActor;
use super::growing::Follower;

/// What the master is told unasked; the link sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransferNotice {
    /// How far transfers are. May be left out: the next one says more.
    Progress(TransferProgress),
    /// A transfer is over. Kept until `Transfers::ended_seen`.
    Ended(TransferEnded),
}

/// Makes a channel's actor. Answered at once, or with `BUSY`.
#[derive(Message, Debug)]
#[rtype(result = "Result<Addr<TransferActor>, Fault>")]
pub struct EnterChannel {
    /// How the channel comes to be.
    pub open: OpenData,
}

/// Asks where a channel is reached; `None` when it is over or was never there.
#[derive(Message, Debug)]
#[rtype(result = "Option<Addr<TransferActor>>")]
pub struct FindChannel {
    /// Which.
    pub transfer: TransferId,
}

/// Books a download, and asks for the upload of the same file that it can follow.
#[derive(Message, Debug)]
#[rtype(result = "Option<Follower>")]
pub struct BookDownload {
    /// The channel.
    pub transfer: TransferId,
    /// The file.
    pub file: FileId,
}

/// Books an upload; refused with `BUSY` while the same file is being received.
#[derive(Message, Debug)]
#[rtype(result = "Result<(), Fault>")]
pub struct BookUpload {
    /// The channel.
    pub transfer: TransferId,
    /// The root that takes it.
    pub root: RootId,
    /// The file.
    pub file: FileId,
    /// For those who download it meanwhile.
    pub follower: Follower,
}

/// Tells that a channel is over, and the end of its transfer if it had begun.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct ChannelOver {
    /// The channel.
    pub transfer: TransferId,
    /// To be told to the master until it is acknowledged.
    pub ended: Option<TransferEnded>,
}

/// Tells that the master has stored an end.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct EndStored {
    /// The transfer.
    pub transfer: TransferId,
}

/// Asks for all channels, and those whose end is not acknowledged.
#[derive(Message, Debug)]
#[rtype(result = "Vec<TransferId>")]
pub struct ListChannels;

/// Asks for all ends that are not acknowledged.
#[derive(Message, Debug)]
#[rtype(result = "Vec<TransferEnded>")]
pub struct ListEnds;

/// Asks for the files that are being received.
#[derive(Message, Debug)]
#[rtype(result = "Vec<FileId>")]
pub struct ListFiles;

/// Asks a new channel to listen, or to look whether it may dial.
#[derive(Message, Debug)]
#[rtype(result = "Result<DataOpened, Fault>")]
pub struct StartChannel;

/// Asks a channel to begin its transfer. Answered when the file is open.
#[derive(Message, Debug)]
#[rtype(result = "Result<Begun, Fault>")]
pub struct BeginJob(pub BeginTransfer);

/// Asks a channel to end at once.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct AbortChannel;
