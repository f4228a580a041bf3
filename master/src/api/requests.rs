//! What is asked by HTTP, and by whom: the gate before everything, and commands as they are in the table.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, Path, Request, State};
use axum::http::header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use drftpd_protocol::VfsPath;
use futures_util::stream;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, warn};

use super::reply::Refused;
use super::tokens::{self, Hash, NoteUsed};
use super::{Shared, follow, health, openapi};
use crate::admin::wire::Line;
use crate::admin::{self, AdminError, Args, Caller, Code, Command, Commands, Cx, Token};

/// Where commands are.
pub(super) const BASE: &str = "/api/v1";
/// Asks for a long answer line by line, as the control socket gives it.
const LINES: &str = "application/x-ndjson";
/// Lines of a long answer that are made ahead of the client.
const AHEAD: usize = 64;
/// Commands that run at a time: one whose client has gone is carried through all the same.
pub(super) const COMMANDS_AT_ONCE: usize = 64;

/// From where a request comes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer {
    /// The address.
    pub ip: IpAddr,
    /// The address or network that limits count it as.
    pub counted: IpAddr,
}

/// Everything that can be asked for; `with_api` says whether more than health is.
pub(super) fn router(shared: Arc<Shared>, with_api: bool) -> Router {
    let mut router = Router::new()
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics));
    if with_api {
        router = router.nest(BASE, commands(&shared));
    }
    router
        .fallback(async || Refused::nothing_here())
        .method_not_allowed_fallback(async || Refused::wrong_method())
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), counted))
        .with_state(shared)
}

/// What needs a token.
fn commands(shared: &Arc<Shared>) -> Router<Arc<Shared>> {
    Router::new()
        .route("/openapi.json", get(document))
        .route("/events", get(follow::follow))
        .route("/{area}", post(short))
        .route("/{area}/{verb}", post(long))
        .fallback(async || Refused::nothing_here())
        .method_not_allowed_fallback(async || Refused::wrong_method())
        .layer(middleware::from_fn_with_state(Arc::clone(shared), known))
}

/// Counts what each address asks, and what comes of it.
async fn counted(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    let may = shared.gated(|gate, limits| gate.ask(peer.counted, limits, Instant::now()));
    // Its head and its arguments are nobody's business.
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut response = match may {
        Ok(()) => next.run(request).await,
        Err(wait) => Refused::too_many(wait.0).into_response(),
    };
    let status = response.status();
    debug!(peer = %peer.ip, %method, path, status = status.as_u16(), "api asked");
    shared.answer(status);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Lets those pass who have a good token, and says to what follows who it is.
async fn known(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    match who(&shared, peer, request.headers()).await {
        Ok((token, hash)) => {
            request.extensions_mut().insert(token);
            request.extensions_mut().insert(hash);
            next.run(request).await
        }
        Err(refused) => refused.into_response(),
    }
}

async fn who(shared: &Shared, peer: Peer, headers: &HeaderMap) -> Result<(Token, Hash), Refused> {
    let said = headers.get(AUTHORIZATION).and_then(|it| it.to_str().ok());
    let said = said.and_then(|said| said.split_once(' '));
    let said = said.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let hash = said.and_then(|(_, token)| tokens::hash_of(token.trim()));
    let unix = shared.of.clock.unix();
    let row = match hash {
        Some(hash) => shared.of.store.read(|sql| tokens::good(sql, &hash, unix)),
        None => Ok(None),
    };
    let row = row.map_err(|why| AdminError::failed(&why))?;
    let (Some(hash), Some(row)) = (hash, row) else {
        return Err(nobody(shared, peer).await);
    };
    let now = Instant::now();
    let note = shared.gated(|gate, limits| gate.spend(&hash, row.used, unix, limits, now));
    if note.map_err(|wait| Refused::too_many(wait.0))? {
        // A full queue of the store may lose this note: another one follows.
        drop(shared.of.store.submit(NoteUsed { hash, now: unix }));
    }
    let token = Token {
        name: row.name,
        scopes: row.scopes,
        expires: row.expires,
        peer: peer.ip,
    };
    Ok((token, hash))
}

/// A wrong token takes its time.
async fn nobody(shared: &Shared, peer: Peer) -> Refused {
    let delay = shared.gated(|gate, limits| gate.failed(peer.counted, limits, Instant::now()));
    match delay {
        Ok(delay) => {
            warn!(peer = %peer.ip, "api token refused");
            sleep(delay).await;
            Refused::no_token()
        }
        Err(wait) => {
            debug!(peer = %peer.ip, "api token not looked at");
            Refused::too_many(wait.0)
        }
    }
}

async fn document(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    Json(openapi::document(shared.of.commands()))
}

async fn short(
    State(shared): State<Arc<Shared>>,
    Extension(token): Extension<Token>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Refused> {
    ask(shared, token, &[name], request).await
}

async fn long(
    State(shared): State<Arc<Shared>>,
    Extension(token): Extension<Token>,
    Path((area, verb)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Refused> {
    ask(shared, token, &[area, verb], request).await
}

/// The command of a path.
pub(super) fn named(commands: &Commands, words: &[String]) -> Result<&'static Command, AdminError> {
    match commands.find(words) {
        // Exactly as the document writes it: one command has one address.
        Some((command, [])) if command.name == words.join(" ") => Ok(command),
        _ => {
            let why = format!("there is no command {:?}", words.join(" "));
            Err(AdminError::new(Code::UnknownCommand, why))
        }
    }
}

async fn ask(
    shared: Arc<Shared>,
    token: Token,
    name: &[String],
    request: Request,
) -> Result<Response, Refused> {
    let command = named(shared.of.commands(), name)?;
    let accept = request.headers().get(ACCEPT).cloned();
    let wants = |kind: &str| {
        accept
            .as_ref()
            .is_some_and(|it| it.as_bytes() == kind.as_bytes())
    };
    let body = read(&shared, request).await?;
    let args = arguments(&body);
    let args = args.and_then(|args| Args::from_json(command.params, &args, &VfsPath::root()));
    let mut cx = Cx {
        caller: Caller::Token(token),
        of: Arc::clone(&shared.of),
        lines: None,
        said: Default::default(),
    };
    if wants(LINES) {
        let (lines, pieces) = mpsc::channel(AHEAD);
        cx.lines = Some(lines);
        let running = begin(&shared, command, cx, args)?;
        return Ok(by_line(running, pieces));
    }
    let outcome = begin(&shared, command, cx, args)?.await;
    let answer = outcome.map_err(|_| failed())??;
    Ok(match wants("text/plain") {
        true => (answer.text + "\n").into_response(),
        false => Json(answer.result).into_response(),
    })
}

/// The whole body, within the limits of size and time.
async fn read(shared: &Shared, request: Request) -> Result<Bytes, Refused> {
    let (most, time) = shared.limits(|limits| (limits.max_body.as_u64(), limits.request_timeout));
    let said = request.headers().get(CONTENT_LENGTH);
    let said = said.and_then(|it| it.to_str().ok()?.parse::<u64>().ok());
    if said.is_some_and(|said| said > most) {
        return Err(Refused::too_large(most));
    }
    let limit = usize::try_from(most).unwrap_or(usize::MAX);
    let body = Limited::new(request.into_body(), limit).collect();
    match timeout(time, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(why)) if why.is::<LengthLimitError>() => Err(Refused::too_large(most)),
        Ok(Err(why)) => {
            let why = format!("the body: {why}");
            Err(AdminError::new(Code::BadArgument, why).into())
        }
        Err(_) => Err(Refused::too_slow()),
    }
}

fn arguments(body: &[u8]) -> Result<Map<String, Value>, AdminError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Map::new());
    }
    let object = serde_json::from_slice(body);
    object.map_err(|why| AdminError::new(Code::BadArgument, format!("the body: {why}")))
}

/// Runs a command on this thread, to its end, whether or not its client waits for that.
fn begin(
    shared: &Shared,
    command: &'static Command,
    cx: Cx,
    args: Result<Args, AdminError>,
) -> Result<JoinHandle<admin::Outcome>, AdminError> {
    let seat = Arc::clone(&shared.commands).try_acquire_owned();
    let full = |_| AdminError::new(Code::Busy, "too many commands run");
    let seat = seat.map_err(full)?;
    let run = admin::run(command, cx, args);
    Ok(tokio::task::spawn_local(async move {
        let _seat = seat;
        run.await
    }))
}

fn failed() -> AdminError {
    AdminError::new(Code::Failed, "the command broke off; see the log")
}

/// A long answer, line by line: as the control socket gives it.
fn by_line(running: JoinHandle<admin::Outcome>, pieces: mpsc::Receiver<Vec<u8>>) -> Response {
    let lines = stream::unfold(Some((running, pieces)), |state| async move {
        let (running, mut pieces) = state?;
        if let Some(line) = pieces.recv().await {
            let line = String::from_utf8_lossy(&line).into_owned();
            return Some((Line::Piece { line }, Some((running, pieces))));
        }
        let outcome = running.await.unwrap_or_else(|_| Err(failed()));
        Some((Line::from(outcome), None))
    });
    let bytes = futures_util::StreamExt::map(lines, |line: Line| {
        let mut bytes = serde_json::to_vec(&line).unwrap_or_default();
        bytes.push(b'\n');
        Ok::<_, Infallible>(bytes)
    });
    let kind = [(CONTENT_TYPE, LINES)];
    (StatusCode::OK, kind, Body::from_stream(bytes)).into_response()
}
