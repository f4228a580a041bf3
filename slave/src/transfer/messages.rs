//! Messages between the link's handle, the registry and the channels. Notices for the master stand
//! here too.

use actix::{Addr, Message};
use drftpd_protocol::ids::{FileId, RootId, TransferId};
use drftpd_protocol::wire::{
    BeginTransfer, Begun, DataOpened, Fault, OpenData, TransferEnded, TransferProgress,
};

use super::actor::TransferActor;
use super::config::TransferConfig;
use super::growing::{Follower, Grower};

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

/// Books what a channel is about to do. Refused where there is no such channel, where it has its job
/// already, and with `BUSY` for an upload of a file that is being received.
#[derive(Message, Debug)]
#[rtype(result = "Result<Booking, Fault>")]
pub struct BookJob {
    /// The channel.
    pub transfer: TransferId,
    /// The root, and the file on it.
    pub file: (RootId, FileId),
    /// Whether the file comes in.
    pub receives: bool,
}

/// A job that is booked.
#[derive(Debug)]
pub struct Booking {
    /// Where the channel is reached.
    pub channel: Addr<TransferActor>,
    /// How its file grows.
    pub growth: Growing,
}

/// How a job's file grows.
#[derive(Debug)]
pub enum Growing {
    /// It does not.
    Not,
    /// It is being uploaded: what a download follows.
    Follow(Follower),
    /// This job is the upload: what it tells its followers by.
    Tell(Grower),
}

/// Asks for the upload of a file, if one runs.
#[derive(Message, Debug)]
#[rtype(result = "Option<Follower>")]
pub struct FindUpload {
    /// The root, and the file on it.
    pub file: (RootId, FileId),
}

/// Tells how fast a channel's job may be from now on, in bytes per second; `None`: as fast as can be.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct ChangeRate(pub Option<u64>);

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

/// Tells what `[transfer]` says now; channels that are there keep what they began with.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct Configure(pub TransferConfig);

/// Ends the registry when the slave has drained.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct StopRegistry;

/// Asks a new channel to listen, or to look whether it may dial.
#[derive(Message, Debug)]
#[rtype(result = "Result<DataOpened, Fault>")]
pub struct StartChannel;

/// Asks a channel to begin the job that was booked. Answered when the file is open.
#[derive(Message, Debug)]
#[rtype(result = "Result<Begun, Fault>")]
pub struct BeginJob {
    /// The order.
    pub begin: BeginTransfer,
    /// How its file grows.
    pub growth: Growing,
}

/// Asks a channel to end at once.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct AbortChannel;

/// Makes the registry panic, for the test of its restart.
#[cfg(test)]
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct PanicOnPurpose;
