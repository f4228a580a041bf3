//! The control socket: `DIR/control.sock`, for the master's own user alone.
//!
//! Connections and the length of a question are bounded, and nobody may hold one without saying anything. What ends
//! here ends with the master; the file is taken away by the drop of [`ControlSocket`].

use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use drftpd_protocol::VfsPath;
use futures_util::StreamExt;
use tokio::io::{AsyncWriteExt, BufWriter};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::codec::{FramedRead, LinesCodec, LinesCodecError};
use tracing::{debug, warn};

use super::wire::{Line, MAX_QUESTION, Question, SOCKET, SocketPath};
use super::{AdminError, Args, Caller, Code, Cx, Facilities, Outcome};

/// Connections at once; more wait.
const MOST: usize = 32;
/// A connection that says nothing for so long is closed.
const SILENCE: Duration = Duration::from_secs(300);
/// A client that takes nothing for so long is left.
const NOT_TAKEN: Duration = Duration::from_secs(60);
/// Lines of a long answer that are made ahead of the client.
const AHEAD: usize = 64;
/// After accepting failed.
const AFTER_ERROR: Duration = Duration::from_millis(200);

/// The control socket; dropped, it is gone.
pub struct ControlSocket {
    path: SocketPath,
    serving: JoinHandle<()>,
}

impl ControlSocket {
    /// Listens in a folder and serves on this thread. The store of that folder must be locked: then whatever socket is
    /// there was left behind.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub fn start(folder: &Path, of: Arc<Facilities>) -> io::Result<Self> {
        // Made under another name first: nobody can open it before only its owner can.
        let fresh = SocketPath::of(folder, "control.sock.new")?;
        let path = SocketPath::of(folder, SOCKET)?;
        remove(fresh.path())?;
        let listener = UnixListener::bind(fresh.path())?;
        std::fs::set_permissions(fresh.path(), PermissionsExt::from_mode(0o600))?;
        std::fs::rename(fresh.path(), path.path())?;
        let serving = tokio::task::spawn_local(accept(listener, of));
        Ok(Self { path, serving })
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        self.serving.abort();
        if let Err(why) = remove(self.path.path()) {
            debug!(%why, "control socket not removed");
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(why) if why.kind() != ErrorKind::NotFound => Err(why),
        _ => Ok(()),
    }
}

async fn accept(listener: UnixListener, of: Arc<Facilities>) {
    let places = Arc::new(Semaphore::new(MOST));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let of = Arc::clone(&of);
                tokio::task::spawn_local(async move {
                    let _place = place;
                    if let Err(why) = serve(stream, of).await {
                        debug!(%why, "control connection ended");
                    }
                });
            }
            Err(why) => {
                warn!(%why, "accepting on the control socket failed");
                sleep(AFTER_ERROR).await;
            }
        }
    }
}

async fn serve(stream: UnixStream, of: Arc<Facilities>) -> io::Result<()> {
    let (read, write) = stream.into_split();
    let mut lines = FramedRead::new(read, LinesCodec::new_with_max_length(MAX_QUESTION));
    let mut out = Out(BufWriter::new(write));
    while let Ok(Some(line)) = timeout(SILENCE, lines.next()).await {
        match line {
            Ok(line) if line.trim().is_empty() => {}
            Ok(line) => answer(&line, &of, &mut out).await?,
            Err(LinesCodecError::MaxLineLengthExceeded) => {
                let why = format!("a question is at most {MAX_QUESTION} bytes long");
                let error = AdminError::new(Code::BadArgument, why);
                return out.line(&Line::Error { error }).await;
            }
            Err(LinesCodecError::Io(why)) => return Err(why),
        }
    }
    Ok(())
}

async fn answer(line: &str, of: &Arc<Facilities>, out: &mut Out) -> io::Result<()> {
    let (lines, mut pieces) = mpsc::channel(AHEAD);
    // Whoever ends the master hears that it ends.
    let drain = of.online.get().map(|online| online.drain.clone());
    let _answered = drain.map(|drain| drain.hold("an answer on the control socket"));
    let cx = Cx {
        caller: Caller::Owner,
        of: Arc::clone(of),
        lines: Some(lines),
        said: Default::default(),
    };
    let mut asked = Box::pin(ask(line, cx));
    let mut outcome = None;
    while outcome.is_none() {
        tokio::select! {
            biased;
            Some(piece) = pieces.recv() => out.piece(&piece).await?,
            done = &mut asked => outcome = Some(done),
        }
    }
    while let Some(piece) = pieces.recv().await {
        out.piece(&piece).await?;
    }
    match outcome {
        Some(outcome) => out.line(&Line::from(outcome)).await,
        None => Ok(()),
    }
}

async fn ask(line: &str, cx: Cx) -> Outcome {
    let wrong = |why: String| AdminError::new(Code::BadArgument, why);
    let question: Question =
        serde_json::from_str(line).map_err(|why| wrong(format!("the question: {why}")))?;
    let name: Vec<&str> = question.command.split_ascii_whitespace().collect();
    let Some((command, [])) = cx.of.commands().find(&name) else {
        let why = format!("there is no command {:?}", question.command);
        return Err(AdminError::new(Code::UnknownCommand, why));
    };
    let root = VfsPath::root();
    let args = match (question.args, question.words) {
        (Some(_), Some(_)) => return Err(wrong("either args or words".to_owned())),
        (Some(args), None) => Args::from_json(command.params, &args, &root),
        (None, words) => Args::from_words(command.params, &words.unwrap_or_default(), &root),
    };
    super::run(command, cx, args).await
}

struct Out(BufWriter<OwnedWriteHalf>);

impl Out {
    async fn piece(&mut self, line: &[u8]) -> io::Result<()> {
        let line = String::from_utf8_lossy(line).into_owned();
        self.write(&Line::Piece { line }).await
    }

    async fn line(&mut self, line: &Line) -> io::Result<()> {
        self.write(line).await?;
        match timeout(NOT_TAKEN, self.0.flush()).await {
            Ok(flushed) => flushed,
            Err(_) => Err(ErrorKind::TimedOut.into()),
        }
    }

    async fn write(&mut self, line: &Line) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        match timeout(NOT_TAKEN, self.0.write_all(&bytes)).await {
            Ok(written) => written,
            Err(_) => Err(ErrorKind::TimedOut.into()),
        }
    }
}
