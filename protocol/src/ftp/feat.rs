//! The answer to `FEAT` (RFC 2389, section 3.2): one feature a line, each behind one space.

use super::reply::{Reply, Text};

/// Lists features in the order given; without any, says that there are none.
///
/// ```
/// use drftpd_protocol::ftp::feat::features;
///
/// let reply = features(["SIZE", "REST STREAM"]);
/// assert_eq!(&reply.to_bytes()[..], b"211-Features:\r\n SIZE\r\n REST STREAM\r\n211 End\r\n");
/// assert_eq!(&features([""; 0]).to_bytes()[..], b"211 No features\r\n");
/// ```
pub fn features<T: Into<Text>>(lines: impl IntoIterator<Item = T>) -> Reply {
    let lines: Vec<Text> = lines
        .into_iter()
        .map(|line| Text::concat(&[b" ", line.into().as_bytes()]))
        .collect();
    if lines.is_empty() {
        return Reply::new(211, "No features");
    }
    Reply::lines(211, "Features:", lines, "End")
}
