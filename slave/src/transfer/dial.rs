//! Dialling out: to a client's port, or to the master as the other end of a relay.

use std::io;
use std::net::{IpAddr, SocketAddr};

use drftpd_actors::{BoxIo, Net};
use drftpd_protocol::wire::{RELAY_MAGIC, RELAY_OK, RelayToken};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Connects to a client. The caller looked whether that is allowed.
///
/// # Errors
/// The network's.
pub async fn dial(net: &dyn Net, from: Option<IpAddr>, to: SocketAddr) -> io::Result<BoxIo> {
    let from = from.filter(|from| from.is_ipv4() == to.is_ipv4());
    net.connect(from, to).await
}

/// Connects to the master's slave port and shows the token. What comes after its answer is the data
/// connection.
///
/// # Errors
/// The network's, or `ConnectionRefused` when the token is not taken.
pub async fn relay(net: &dyn Net, master: SocketAddr, token: RelayToken) -> io::Result<BoxIo> {
    let mut io = net.connect(None, master).await?;
    let mut words = [0; RELAY_MAGIC.len() + 32];
    let (magic, secret) = words.split_at_mut(RELAY_MAGIC.len());
    magic.copy_from_slice(RELAY_MAGIC);
    secret.copy_from_slice(&token.0);
    io.write_all(&words).await?;
    match io.read_u8().await? {
        RELAY_OK => Ok(io),
        _ => Err(io::ErrorKind::ConnectionRefused.into()),
    }
}

#[cfg(test)]
mod tests {
    use drftpd_actors::testkit::{MemNet, sim};

    use super::*;

    const TOKEN: RelayToken = RelayToken([7; 32]);

    async fn relayed_with(answer: u8) -> io::Result<BoxIo> {
        let net = MemNet::new();
        let at = "127.0.0.1:2122".parse().unwrap();
        let listener = net.bind(at).await.unwrap();
        let master = async {
            let mut io = listener.accept().await.unwrap().adopt().unwrap();
            let mut words = [0; 37];
            io.read_exact(&mut words).await.unwrap();
            assert_eq!((&words[..5], &words[5..]), (&b"DRLY1"[..], &[7; 32][..]));
            io.write_all(&[answer, b'd']).await.unwrap();
            io
        };
        let (slave, _master) = tokio::join!(relay(&net, at, TOKEN), master);
        slave
    }

    #[test]
    fn behind_the_masters_answer_the_relay_is_the_data_connection() {
        sim(async {
            let mut io = relayed_with(RELAY_OK).await.unwrap();
            assert_eq!(io.read_u8().await.unwrap(), b'd');
        });
    }

    #[test]
    fn a_token_that_is_not_taken_is_no_connection() {
        sim(async {
            let error = relayed_with(b'-').await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        });
    }
}
