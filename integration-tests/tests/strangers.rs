//! Strangers at the ports of data connections, many of them, from another address than the client's: before it comes, and
//! while its file moves. With real processes, straight and through the relay, in clear and by TLS.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use drftpd_actors::tls::{Believed, ftp_client};
use drftpd_integration_tests::cluster::{PASSWORD, USER};
use drftpd_integration_tests::data::same;
use drftpd_integration_tests::process::{PATIENCE, Running};
use drftpd_integration_tests::wire::Wire;
use drftpd_integration_tests::{Bytes, Cluster, Ftp};
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};

const STRANGER: &str = "127.0.0.9:0";
/// Before the client comes, and as many again while its file moves.
const MANY: usize = 100;
const SIZE: usize = 3_000_000;

/// Those who have come to one transfer's port.
#[derive(Default)]
struct Crowd(Vec<TcpStream>);

impl Crowd {
    /// Many more come. Every third says something, the others wait. Where nobody listens any more they are refused.
    fn grows(&mut self, to: SocketAddr) -> Result<()> {
        for number in 0..MANY {
            let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
            bind(&socket, &STRANGER.parse::<SocketAddr>()?)?;
            if connect(&socket, &to).is_err() {
                continue;
            }
            let mut stream = TcpStream::from(socket);
            stream.set_read_timeout(Some(PATIENCE))?;
            if number % 3 == 0 {
                // It may be closed already.
                drop(stream.write_all(&[7; 1000]));
            }
            self.0.push(stream);
        }
        Ok(())
    }

    /// All are closed without a byte.
    fn gets_nothing(self) -> Result<()> {
        ensure!(self.0.len() >= MANY, "only {} came", self.0.len());
        for mut stream in self.0 {
            let mut heard = Vec::new();
            match stream.read_to_end(&mut heard) {
                Ok(_) => {}
                // Over what nobody has read.
                Err(why) if why.kind() == std::io::ErrorKind::ConnectionReset => {}
                Err(why) => return Err(why).context("a stranger was not closed"),
            }
            ensure!(heard.is_empty(), "a stranger heard {heard:?}");
        }
        Ok(())
    }
}

/// A client, in clear or by TLS.
struct Client {
    ftp: Ftp,
    secure: bool,
}

impl Client {
    fn login(cluster: &Cluster, secure: bool) -> Result<Self> {
        let mut ftp = Ftp::connect(cluster.ftp)?;
        if secure {
            ftp = ftp.secure()?;
        }
        ftp.ask(&format!("USER {USER}"), 331)?;
        ftp.ask(&format!("PASS {PASSWORD}"), 230)?;
        if secure {
            ftp.ask("PBSZ 0", 200)?;
            ftp.ask("PROT P", 200)?;
        }
        Ok(Client { ftp, secure })
    }

    /// Begins a transfer to whose port many have come before; answers the port, too.
    fn begin(&mut self, pret: bool, verb: &str, crowd: &mut Crowd) -> Result<(SocketAddr, Wire)> {
        if pret {
            self.ftp.ask(&format!("PRET {verb} x"), 200)?;
        }
        let at = self.ftp.pasv_address()?;
        crowd.grows(at)?;
        let data = TcpStream::connect_timeout(&at, PATIENCE)?;
        self.ftp.ask(&format!("{verb} x"), 150)?;
        let data = match self.secure {
            true => Wire::client_by(Wire::new(data)?.into_tcp(), Arc::new(anybody()?))?,
            false => Wire::new(data)?,
        };
        Ok((at, data))
    }

    fn uploads(&mut self, pret: bool, bytes: &[u8]) -> Result<SocketAddr> {
        let mut crowd = Crowd::default();
        let (at, mut data) = self.begin(pret, "STOR", &mut crowd)?;
        let (first, second) = bytes.split_at(SIZE / 2);
        data.write_all(first)?;
        crowd.grows(at)?;
        data.write_all(second)?;
        data.finish()?;
        self.ftp.expect(226)?;
        crowd.gets_nothing()?;
        Ok(at)
    }

    fn downloads(&mut self, pret: bool, bytes: &[u8]) -> Result<SocketAddr> {
        let mut crowd = Crowd::default();
        let (at, mut data) = self.begin(pret, "RETR", &mut crowd)?;
        let mut got = vec![0; SIZE / 2];
        data.read_exact(&mut got)?;
        crowd.grows(at)?;
        data.read_to_end(&mut got)?;
        data.finish()?;
        self.ftp.expect(226)?;
        same(&got, bytes, "x")?;
        crowd.gets_nothing()?;
        Ok(at)
    }
}

fn anybody() -> Result<rustls::ClientConfig> {
    Ok(ftp_client(Believed::Anybody)?)
}

fn running(cluster: &Cluster) -> Result<[&Running; 2]> {
    let slave = cluster.slaves[0].process.as_ref();
    let master = cluster.master.as_ref();
    Ok([master.context("a master")?, slave.context("a slave")?])
}

#[test]
fn however_many_strangers_come_the_clients_file_is_whole_and_they_get_and_leave_nothing()
-> Result<()> {
    let cluster = Cluster::start(1)?;
    let mut before = Vec::new();
    for process in running(&cluster)? {
        before.push(process.open_files()?);
    }
    let mut ports = Vec::new();
    for secure in [false, true] {
        for pret in [true, false] {
            let mut client = Client::login(&cluster, secure)?;
            let bytes = Bytes::vec(7, SIZE);
            ports.push(client.uploads(pret, &bytes)?);
            ports.push(client.downloads(pret, &bytes)?);
            client.ftp.ask("DELE x", 250)?;
        }
    }
    for at in &ports {
        cluster.wait_until("the ports are given back", |_| {
            Ok(TcpStream::connect(at).is_err())
        })?;
    }
    cluster.wait_until("what they had open is closed", |cluster| {
        let mut left = running(cluster)?.into_iter().zip(&before);
        // A few stay: connections to the store and to its files are opened when they are first needed.
        left.try_fold(true, |all, (process, before)| {
            Ok(all && process.open_files()? <= before + 20)
        })
    })?;
    for process in running(&cluster)? {
        let log = process.log();
        let told = log.lines().filter(|line| line.contains("stranger")).count();
        ensure!(
            told > 0 && told <= 2 * ports.len(),
            "{told} lines of strangers"
        );
    }
    Ok(())
}

#[test]
fn who_comes_from_the_clients_address_and_goes_before_stor_leaves_no_empty_file() -> Result<()> {
    let cluster = Cluster::start(1)?;
    let bytes = Bytes::vec(3, 100_000);
    for pret in [true, false] {
        let mut client = Client::login(&cluster, false)?;
        if pret {
            client.ftp.ask("PRET STOR x", 200)?;
        }
        let at = client.ftp.pasv_address()?;
        drop(TcpStream::connect_timeout(&at, PATIENCE)?);
        // Several turns of both programs.
        cluster.ctl(&["stat"])?;
        client.ftp.ask("NOOP", 200)?;
        client.ftp.ask("STOR x", 150)?;
        let mut data = TcpStream::connect_timeout(&at, PATIENCE)?;
        data.write_all(&bytes)?;
        drop(data);
        client.ftp.expect(226)?;
        same(
            &client.ftp.get(drftpd_integration_tests::Mode::Pret, "x")?,
            &bytes,
            "x",
        )?;
        client.ftp.ask("DELE x", 250)?;
    }
    Ok(())
}
