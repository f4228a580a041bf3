//! `[log] xferlog`: one line for each transfer and each file that a client deletes, in the format of wu-ftpd that every log
//! reader knows.

use actix::{Actor, Context, Handler, Supervised};

use super::{LogFile, ctime};
use crate::events::{DeleteLogged, TransferLogged};
use crate::transfer::Direction;

/// Hears of transfers and writes them down.
pub(super) struct XferLog(pub LogFile);

impl Actor for XferLog {
    type Context = Context<Self>;
}

impl Supervised for XferLog {}

impl Handler<TransferLogged> for XferLog {
    type Result = ();

    fn handle(&mut self, event: TransferLogged, _: &mut Self::Context) {
        drftpd_actors::panicpoint("actor.xferlog");
        self.0.add(line(&event));
    }
}

impl Handler<DeleteLogged> for XferLog {
    type Result = ();

    fn handle(&mut self, event: DeleteLogged, _: &mut Self::Context) {
        self.0.add(deleted(&event));
    }
}

/// A file that was deleted: the direction is `d`.
fn deleted(event: &DeleteLogged) -> String {
    format!(
        "{} 1 {} {} {} b _ d {} {} ftp 0 * c\n",
        ctime(event.at),
        event.client,
        event.bytes,
        one_word(&event.path.to_bytes()),
        if event.anonymous { 'a' } else { 'r' },
        one_word(event.user.as_bytes()),
    )
}

/// One line: time, seconds, client, bytes, file, type, action, direction, access, user, service, method, id, status.
fn line(event: &TransferLogged) -> String {
    let direction = match event.direction {
        Direction::Upload => 'i',
        Direction::Download => 'o',
    };
    let access = if event.anonymous { 'a' } else { 'r' };
    format!(
        "{} {} {} {} {} b _ {direction} {access} {} ftp 0 * {}\n",
        ctime(event.ended),
        event.took.as_millis().div_ceil(1000).max(1),
        event.client,
        event.bytes,
        one_word(&event.path.to_bytes()),
        one_word(event.user.as_bytes()),
        if event.complete { 'c' } else { 'i' },
    )
}

/// As readers of the format expect it: what would end the word, or is no printable text, becomes `_`.
fn one_word(bytes: &[u8]) -> String {
    let word = |c: char| {
        if c.is_whitespace() || c.is_control() || c == char::REPLACEMENT_CHARACTER {
            '_'
        } else {
            c
        }
    };
    String::from_utf8_lossy(bytes).chars().map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use drftpd_protocol::{SessionId, SlaveId, VfsPath};
    use std::time::Duration;

    fn event(path: &[u8]) -> TransferLogged {
        TransferLogged {
            session: SessionId(7),
            user: "some body".to_owned(),
            client: [192, 0, 2, 1].into(),
            path: VfsPath::absolute(path).unwrap(),
            direction: Direction::Upload,
            slave: SlaveId::new("s1").unwrap(),
            bytes: 1234,
            took: Duration::from_millis(1500),
            ended: 1_798_761_599,
            complete: true,
            anonymous: false,
            tls: None,
        }
    }

    #[test]
    fn a_line_has_the_fourteen_fields_of_the_format() {
        assert_eq!(
            line(&event(b"/a dir/f\xFF.bin")),
            "Thu Dec 31 23:59:59 2026 2 192.0.2.1 1234 /a_dir/f_.bin b _ i r some_body ftp 0 * c\n"
        );
        let gone = DeleteLogged {
            user: "ann".to_owned(),
            client: [192, 0, 2, 1].into(),
            path: VfsPath::absolute(b"/a b").unwrap(),
            bytes: 7,
            at: 0,
            anonymous: false,
        };
        assert_eq!(
            deleted(&gone),
            "Thu Jan  1 00:00:00 1970 1 192.0.2.1 7 /a_b b _ d r ann ftp 0 * c\n"
        );
        let mut broken = event(b"/x");
        broken.direction = Direction::Download;
        (broken.complete, broken.anonymous) = (false, true);
        broken.took = Duration::ZERO;
        let broken = line(&broken);
        assert!(broken.contains(" 1 192.0.2.1 "), "{broken}");
        assert!(
            broken.ends_with("/x b _ o a some_body ftp 0 * i\n"),
            "{broken}"
        );
    }
}
