//! HTTP/1.1, one request for each connection: as server, in clear and over TLS, and as the client that asks for HTTP-01.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::process::PATIENCE;

/// A request.
pub(crate) struct Ask {
    pub method: String,
    pub path: String,
    /// In small letters.
    pub headers: Vec<String>,
    pub body: Vec<u8>,
}

/// An answer.
pub(crate) struct Reply {
    pub status: u16,
    pub kind: &'static str,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl Ask {
    /// What a header says; its name in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut pairs = self.headers.iter().filter_map(|line| line.split_once(':'));
        pairs
            .find(|(it, _)| *it == name)
            .map(|(_, value)| value.trim())
    }
}

/// One connection over TLS.
pub(crate) fn serve(
    tcp: TcpStream,
    tls: Arc<ServerConfig>,
    answer: impl FnOnce(Ask) -> Reply,
) -> Result<()> {
    tcp.set_read_timeout(Some(PATIENCE))?;
    let mut io = StreamOwned::new(ServerConnection::new(tls)?, tcp);
    speak(&mut io, answer)?;
    io.conn.send_close_notify();
    Ok(io.flush()?)
}

/// One request and its answer.
pub(crate) fn speak(io: &mut (impl Read + Write), answer: impl FnOnce(Ask) -> Reply) -> Result<()> {
    let mut io = BufReader::new(io);
    let mut line = String::new();
    io.read_line(&mut line)?;
    let mut words = line.split(' ').map(str::to_owned);
    let method = words.next().context("no method")?;
    let path = words.next().context("no path")?;
    let mut ask = Ask {
        method,
        path,
        headers: headers(&mut io)?,
        body: Vec::new(),
    };
    let length = ask.header("content-length").map_or(Ok(0), str::parse)?;
    ask.body = vec![0; length];
    io.read_exact(&mut ask.body)?;
    let head = ask.method == "HEAD";
    let reply = answer(ask);
    let mut text = format!("HTTP/1.1 {} Scripted\r\n", reply.status);
    text += &format!("content-type: {}\r\n", reply.kind);
    for (name, value) in &reply.headers {
        text += &format!("{name}: {value}\r\n");
    }
    text += &format!(
        "content-length: {}\r\nconnection: close\r\n\r\n",
        reply.body.len()
    );
    if !head {
        text += &reply.body;
    }
    let io = io.get_mut();
    io.write_all(text.as_bytes())?;
    Ok(io.flush()?)
}

/// Headers up to the empty line, in small letters.
fn headers(io: &mut impl BufRead) -> Result<Vec<String>> {
    let mut all = Vec::new();
    loop {
        let mut line = String::new();
        io.read_line(&mut line)?;
        let line = line.trim_end();
        if line.is_empty() {
            return Ok(all);
        }
        all.push(line.to_ascii_lowercase());
    }
}

/// Asks for a page; the answer must be 200.
pub(crate) fn get(at: SocketAddr, host: &str, path: &str) -> Result<String> {
    let mut tcp = TcpStream::connect(at)?;
    tcp.set_read_timeout(Some(PATIENCE))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: scripted\r\n\r\n");
    tcp.write_all(request.as_bytes())?;
    let mut answer = String::new();
    tcp.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
    ensure!(head.starts_with("HTTP/1.1 200 "), "{head}");
    Ok(body.to_owned())
}
