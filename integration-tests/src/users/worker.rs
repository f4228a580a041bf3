//! A user: does one thing after the other, keeps books of what was answered, and complains of answers that cannot be.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use drftpd_actors::Dice;

use super::client::{Failure, Ftp, Way};
use super::ledger::{Answer, Content, Dir, Ledger};
use super::site::Site;
use super::spoilt::Spoilt;
use crate::data::{Bytes, first_difference};

/// Bytes that tell a seed.
const STAMP: usize = 8;
/// Names that a user has in each directory: few, so that they are used again.
const NAMES: u64 = 5;
/// Sizes of files: empty, small, over what is read at once, many pieces.
const SIZES: [u64; 5] = [1, 2_000, 40_000, 90_000, 300_000];

/// The bytes of a content.
pub fn bytes(content: Content) -> Vec<u8> {
    Bytes::vec(content.seed, content.len)
}

/// One user. Only it touches files whose names begin with its own.
pub struct Worker {
    /// Its host.
    pub who: String,
    /// Its chance.
    pub dice: Dice,
    /// What it knows.
    pub ledger: Rc<RefCell<Ledger>>,
    /// What the server said that cannot be.
    pub wrong: Rc<RefCell<Vec<String>>>,
    /// Where it works.
    pub site: Site,
    /// Files whose bytes somebody took away behind the server's back.
    pub spoilt: Spoilt,
}

impl Worker {
    /// Works until a time of the site.
    pub async fn work(self, until: Duration) {
        let mut ftp = None;
        while self.site.now() < until {
            let there: Ftp = match ftp.take() {
                Some(there) => there,
                None => match Ftp::login(&self.who, &self.site).await {
                    Ok(there) => there,
                    Err(_) => {
                        self.pause(1_000).await;
                        continue;
                    }
                },
            };
            ftp = self.act(there).await;
            self.pause(300).await;
        }
    }

    async fn pause(&self, most: u64) {
        tokio::time::sleep(Duration::from_millis(1 + self.dice.below(most))).await;
    }

    /// Does one thing; answers the connection, if that is still of use.
    async fn act(&self, mut ftp: Ftp) -> Option<Ftp> {
        let done = match self.dice.below(100) {
            0..36 => self.upload(&mut ftp).await,
            36..42 => self.append(&mut ftp).await,
            42..46 => return self.drop_upload(ftp).await,
            46..48 => return self.drop_download(ftp).await,
            48..65 => self.download(&mut ftp).await,
            65..78 => self.rename(&mut ftp).await,
            78..90 => self.delete(&mut ftp).await,
            90..94 => self.make_dir(&mut ftp).await,
            94..96 => self.remove_dir(&mut ftp).await,
            _ => self.rename_dir(&mut ftp).await,
        };
        match done {
            Ok(()) => Some(ftp),
            Err(Failure::Said(code, _)) if code != 421 => Some(ftp),
            Err(_) => None,
        }
    }

    fn complain(&self, what: String) {
        self.site.note(&self.who, format!("WRONG: {what}"));
        self.wrong
            .borrow_mut()
            .push(format!("{}: {what}", self.who));
    }

    fn way(&self) -> Way {
        [Way::Pret, Way::Pasv, Way::Port][self.dice.below(3) as usize]
    }

    fn one<T>(&self, mut of: Vec<T>) -> Option<T> {
        let n = self.dice.below(of.len() as u64) as usize;
        (n < of.len()).then(|| of.swap_remove(n))
    }

    /// A directory and a name of one's own in it.
    fn place(&self) -> Option<(Dir, String)> {
        let (dir, _) = self.one(self.ledger.borrow().sure_dirs())?;
        Some((dir, format!("{}-{}", self.who, self.dice.below(NAMES))))
    }

    fn content(&self) -> Content {
        let size = SIZES[self.dice.below(SIZES.len() as u64) as usize];
        let (seed, len) = (self.dice.u64(), self.dice.below(size) as usize);
        // Empty, or long enough to tell its seed.
        let len = if len < STAMP { 0 } else { len };
        Content { seed, len }
    }

    async fn upload(&self, ftp: &mut Ftp) -> Result<(), Failure> {
        let Some((dir, name)) = self.place() else {
            return Ok(());
        };
        let (path, unfinished) = {
            let ledger = self.ledger.borrow();
            let cell = ledger.at(dir, &name);
            // A name that an unknown rename may have given away is left alone.
            if ledger.may_be(dir, &name) && cell.is_none() {
                return Ok(());
            }
            let unfinished = cell.and_then(|cell| ledger.unfinished(cell));
            (ledger.path(dir, &name).unwrap_or_default(), unfinished)
        };
        let way = self.way();
        let (content, stored) = match unfinished.filter(|_| self.dice.below(2) == 0) {
            Some(content) => (content, ftp.resume(way, &path, &bytes(content)).await),
            None => {
                let content = self.content();
                (content, ftp.put(way, &path, &bytes(content)).await)
            }
        };
        self.stored(dir, &name, content, 0, &stored);
        stored
    }

    /// Writes down what an upload was answered. `before` bytes of the content were there already.
    fn stored(
        &self,
        dir: Dir,
        name: &str,
        content: Content,
        before: usize,
        stored: &Result<(), Failure>,
    ) {
        let answer = match stored {
            Ok(()) => Answer::Stored,
            Err(Failure::Cut(_)) => Answer::Cut(before),
            Err(Failure::Reset) => Answer::Broken,
            Err(_) => Answer::Unknown,
        };
        let mut ledger = self.ledger.borrow_mut();
        ledger.uploaded(dir, name, content, answer);
    }

    /// Makes a file longer.
    async fn append(&self, ftp: &mut Ftp) -> Result<(), Failure> {
        let Some((_, path, file, content)) = self.one(self.ledger.borrow().sure_files()) else {
            return Ok(());
        };
        // An empty file has no bytes that would tell its seed.
        if content.len == 0 {
            return Ok(());
        }
        let longer = Content {
            len: content.len + 1 + self.dice.below(50_000) as usize,
            ..content
        };
        let all = bytes(longer);
        let added = ftp.append(self.way(), &path, &all[content.len..]).await;
        self.stored(file.dir, &file.name, longer, content.len, &added);
        added
    }

    /// Sends a part of a file, new or in the place of another, and is gone.
    async fn drop_upload(&self, ftp: Ftp) -> Option<Ftp> {
        let Some((dir, name)) = self.place() else {
            return Some(ftp);
        };
        let path = {
            let ledger = self.ledger.borrow();
            if ledger.may_be(dir, &name) && ledger.at(dir, &name).is_none() {
                return Some(ftp);
            }
            ledger.path(dir, &name).unwrap_or_default()
        };
        let content = Content {
            len: 100_000,
            ..self.content()
        };
        let part = &bytes(content)[..self.dice.below(90_000) as usize];
        let dropped = ftp.drop_upload((self.way(), "STOR"), &path, part).await;
        let dropped = dropped.map_err(|why| match why {
            // What was not begun has changed nothing.
            Failure::Said(..) => Failure::Reset,
            other => other,
        });
        self.stored(dir, &name, content, 0, &dropped);
        None
    }

    /// Takes a part of a file, and is gone.
    async fn drop_download(&self, ftp: Ftp) -> Option<Ftp> {
        let Some((_, path, ..)) = self.one(self.ledger.borrow().sure_files()) else {
            return Some(ftp);
        };
        let dropped = ftp.drop_download(self.way(), &path).await;
        if let Err(why) = dropped {
            self.must_be_transient(&format!("RETR {path}"), &why);
        }
        None
    }

    async fn download(&self, ftp: &mut Ftp) -> Result<(), Failure> {
        let Some((_, path, _, content)) = self.one(self.ledger.borrow().sure_files()) else {
            return Ok(());
        };
        let fetched = ftp.fetch(self.way(), "RETR", &path).await;
        match &fetched {
            Ok(got) => {
                if let Some(differs) = first_difference(got, &bytes(content))
                    && !self.spoilt.is(content)
                {
                    self.complain(format!("RETR {path}: {differs}"));
                }
            }
            Err(why) => self.must_be_transient(&format!("RETR {path}"), why),
        }
        fetched.map(drop)
    }

    async fn rename(&self, ftp: &mut Ftp) -> Result<(), Failure> {
        let Some((cell, from, ..)) = self.one(self.ledger.borrow().sure_files()) else {
            return Ok(());
        };
        let Some((dir, name)) = self.place() else {
            return Ok(());
        };
        let to = {
            let ledger = self.ledger.borrow();
            match ledger
                .path(dir, &name)
                .filter(|_| !ledger.may_be(dir, &name))
            {
                Some(to) => to,
                None => return Ok(()),
            }
        };
        let renamed = rename(ftp, &from, &to).await;
        if let Err(why) = &renamed {
            self.must_be_transient(&format!("rename {from} to {to}"), why);
        }
        let sure = renamed.is_ok();
        self.ledger.borrow_mut().renamed(cell, dir, &name, sure);
        renamed
    }

    async fn delete(&self, ftp: &mut Ftp) -> Result<(), Failure> {
        let Some((cell, path, ..)) = self.one(self.ledger.borrow().sure_files()) else {
            return Ok(());
        };
        let deleted = ftp.ask(&format!("DELE {path}"), 250).await;
        if let Err(why) = &deleted {
            self.must_be_transient(&format!("DELE {path}"), why);
        }
        self.ledger.borrow_mut().deleted(cell, deleted.is_ok());
        deleted.map(drop)
    }

    async fn make_dir(&self, ftp: &mut Ftp) -> Result<(), Failure> {
        let path = format!("/{}-dir-{}", self.who, self.dice.u64());
        let made = ftp.ask(&format!("MKD {path}"), 257).await;
        self.ledger.borrow_mut().add_dir(&path, made.is_ok());
        made.map(drop)
    }

    async fn remove_dir(&self, ftp: &mut Ftp) -> Result<(), Failure> {
        let dirs = {
            let ledger = self.ledger.borrow();
            let mut dirs = ledger.sure_dirs();
            dirs.retain(|(dir, path)| path.contains(&self.who) && ledger.is_empty(*dir));
            dirs
        };
        let Some((dir, path)) = self.one(dirs) else {
            return Ok(());
        };
        let removed = ftp.ask(&format!("RMD {path}"), 250).await;
        self.ledger.borrow_mut().remove_dir(dir, removed.is_ok());
        removed.map(drop)
    }

    async fn rename_dir(&self, ftp: &mut Ftp) -> Result<(), Failure> {
        let mut dirs = self.ledger.borrow().sure_dirs();
        dirs.retain(|(_, path)| path.contains(&self.who));
        let Some((dir, from)) = self.one(dirs) else {
            return Ok(());
        };
        let to = format!("/{}-dir-{}", self.who, self.dice.u64());
        let renamed = rename(ftp, &from, &to).await;
        if let Err(why) = &renamed {
            self.must_be_transient(&format!("rename {from} to {to}"), why);
        }
        self.ledger
            .borrow_mut()
            .rename_dir(dir, &to, renamed.is_ok());
        renamed
    }

    /// What is surely there may be out of reach for a while, but never be denied.
    fn must_be_transient(&self, what: &str, why: &Failure) {
        if let Failure::Said(code @ 500.., line) = why {
            self.complain(format!("{what}: {code}, {line}"));
        }
    }
}

async fn rename(ftp: &mut Ftp, from: &str, to: &str) -> Result<(), Failure> {
    ftp.ask(&format!("RNFR {from}"), 350).await?;
    ftp.ask(&format!("RNTO {to}"), 250).await.map(drop)
}
