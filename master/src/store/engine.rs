//! The handle to the store: commands in, snapshots out.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use drftpd_actors::{Blocking, Clock, Dice};
use tokio::sync::{mpsc, oneshot, watch};

use super::command::{Command, Job, Queued};
use super::config::{Case, StoreConfig};
use super::error::StoreError;
use super::ids::Ids;
use super::open::{Identity, Opened, open};
use super::readers::Readers;
use super::space::Full;
use super::sql::Sql;
use super::writer::Writer;

/// Handle to the store; cheap to clone. With the last one the writer finishes its queue and the
/// files are closed.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    engine: Engine,
    readers: Readers,
    ids: Arc<Ids>,
    case: Case,
    identity: Identity,
    failed: watch::Sender<Option<String>>,
    full: Full,
    folder: PathBuf,
    /// Held as long as the files are open.
    _lock: File,
}

enum Engine {
    /// A thread takes commands from a queue.
    Thread {
        queue: Option<mpsc::Sender<Box<dyn Job>>>,
        thread: Option<JoinHandle<()>>,
    },
    /// The caller carries them out: for the simulation, which has one thread.
    Inline(Mutex<Writer>),
}

impl Store {
    /// Opens the store in a folder, or makes one there; `case` is only used for a new one.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another master has it, [`StoreError::Unusable`] when it is
    /// damaged, of a newer version, or treats case otherwise than `case` says.
    pub fn open(
        folder: &Path,
        config: &StoreConfig,
        case: Case,
        clock: &Clock,
        dice: &Dice,
    ) -> Result<Self, StoreError> {
        let (opened, writer) = open(folder, config, case, clock, dice)?;
        let (queue, commands) = mpsc::channel(config.queue.max(1));
        let told = (writer.failed.clone(), writer.full.clone());
        let work = move || writer.work(commands);
        let thread = std::thread::Builder::new().name("store".into());
        let engine = Engine::Thread {
            queue: Some(queue),
            thread: Some(thread.spawn(work)?),
        };
        Ok(Self::new(opened, engine, told, config))
    }

    /// Like [`Store::open`], but commands are carried out at once by whoever gives them, each in a
    /// commit of its own.
    ///
    /// # Errors
    /// As there.
    pub fn inline(
        folder: &Path,
        config: &StoreConfig,
        case: Case,
        clock: &Clock,
        dice: &Dice,
    ) -> Result<Self, StoreError> {
        let (opened, writer) = open(folder, config, case, clock, dice)?;
        let told = (writer.failed.clone(), writer.full.clone());
        let engine = Engine::Inline(Mutex::new(writer));
        Ok(Self::new(opened, engine, told, config))
    }

    fn new(
        opened: Opened,
        engine: Engine,
        (failed, full): (watch::Sender<Option<String>>, Full),
        config: &StoreConfig,
    ) -> Self {
        Self(Arc::new(Inner {
            engine,
            readers: Readers::new(&opened.file, opened.case, config),
            ids: opened.ids,
            case: opened.case,
            identity: opened.identity,
            failed,
            full,
            folder: opened.folder,
            _lock: opened.lock,
        }))
    }

    /// Queues a command and waits for its commit. It is carried out also when nobody waits any
    /// more.
    ///
    /// # Errors
    /// What the command says, or the store.
    pub async fn change<C: Command>(&self, command: C) -> Result<C::Answer, C::Error> {
        let (asker, answer) = oneshot::channel();
        let job = Box::new(Queued { command, asker });
        match &self.0.engine {
            Engine::Inline(writer) => self.inline_run(writer, job),
            Engine::Thread { queue, .. } => {
                let queue = queue.as_ref().ok_or(StoreError::Closed)?;
                queue.send(job).await.map_err(|_gone| StoreError::Closed)?;
            }
        }
        Pending::<C>(answer).answer().await
    }

    /// Queues a command without waiting: behind those that were queued before.
    ///
    /// # Errors
    /// [`StoreError::Closed`] when the queue is full, or the store has failed.
    pub fn submit<C: Command>(&self, command: C) -> Result<Pending<C>, StoreError> {
        let (asker, answer) = oneshot::channel();
        let job = Box::new(Queued { command, asker });
        match &self.0.engine {
            Engine::Inline(writer) => self.inline_run(writer, job),
            Engine::Thread { queue, .. } => {
                let queue = queue.as_ref().ok_or(StoreError::Closed)?;
                queue
                    .try_send(job)
                    .map_err(|_full_or_gone| StoreError::Closed)?;
            }
        }
        Ok(Pending(answer))
    }

    fn inline_run(&self, writer: &Mutex<Writer>, job: Box<dyn Job>) {
        let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.carry_out(job, || None);
    }

    /// Reads on one committed snapshot, here and now: for reads of a few rows.
    ///
    /// # Errors
    /// What `read` says, or the store.
    pub fn read<T, E: From<StoreError>>(
        &self,
        read: impl FnOnce(&Sql<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        if self.0.failed.borrow().is_some() {
            return Err(StoreError::Closed.into());
        }
        self.0.readers.read(read)
    }

    /// Reads on one committed snapshot, on the bounded pool: for pages of rows.
    ///
    /// # Errors
    /// What `read` says, or the store.
    pub async fn read_on<T, E>(
        &self,
        blocking: &Blocking,
        read: impl FnOnce(&Sql<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let store = self.clone();
        let work = move || store.read(read);
        match blocking.run(work).await {
            Ok(found) => found,
            Err(_ended_or_panicked) => Err(StoreError::Closed.into()),
        }
    }

    /// New identities.
    pub fn ids(&self) -> &Ids {
        &self.0.ids
    }

    /// Which names are the same.
    pub fn case(&self) -> Case {
        self.0.case
    }

    /// Which store this is, and its epoch.
    pub fn identity(&self) -> Identity {
        self.0.identity
    }

    /// The folder it lies in.
    pub fn folder(&self) -> &Path {
        &self.0.folder
    }

    /// Whether its disk is full, now and later: changes are [`StoreError::Full`] then, and reads go on.
    pub fn full(&self) -> watch::Receiver<bool> {
        self.0.full.subscribe()
    }

    /// Waits until the store has failed as a whole and says why. The root ends the process then:
    /// reads and commands are refused from that moment on.
    pub async fn failure(&self) -> String {
        let mut failed = self.0.failed.subscribe();
        match failed.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or_default(),
            Err(_closed) => std::future::pending().await,
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Readers first: the last connection to close writes the log back into the file.
        self.readers.close();
        if let Engine::Thread { queue, thread } = &mut self.engine {
            drop(queue.take());
            let this = std::thread::current().id();
            if let Some(thread) = thread.take().filter(|thread| thread.thread().id() != this) {
                drop(thread.join());
            }
        }
    }
}

/// A command that was queued.
pub struct Pending<C: Command>(oneshot::Receiver<Result<C::Answer, C::Error>>);

impl<C: Command> Pending<C> {
    /// Waits for its commit.
    ///
    /// # Errors
    /// What the command says, or the store.
    pub async fn answer(self) -> Result<C::Answer, C::Error> {
        match self.0.await {
            Ok(answer) => answer,
            Err(_writer_gone) => Err(StoreError::Closed.into()),
        }
    }
}
