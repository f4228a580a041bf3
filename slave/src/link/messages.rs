//! What others may ask or tell the link, and what they can see of it.

use std::net::SocketAddr;

use actix::Message;
use drftpd_protocol::Epoch;

/// What can be seen of the link from outside, by a `watch` channel.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum LinkView {
    /// Not dialled yet.
    #[default]
    Idle,
    /// There is no link; the master is dialled again and again.
    Down {
        /// Why, for people.
        why: String,
    },
    /// The master has welcomed this slave.
    Up {
        /// The master's epoch.
        epoch: Epoch,
        /// The master's end of the connection.
        peer: SocketAddr,
        /// This end; where relayed data connections must come from.
        local: SocketAddr,
    },
}

impl LinkView {
    /// Whether the master can be heard.
    pub fn is_up(&self) -> bool {
        matches!(self, LinkView::Up { .. })
    }
}

/// Closes the link for good when the slave has drained. Answered when nothing more goes out.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub struct CloseLink;
