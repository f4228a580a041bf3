//! Messages to users: kept until whoever got them throws them away. Sessions tell that there are new ones, and never their
//! text: a reply is read by programs, too.

use serde::Serialize;

use super::edit::EditError;
use super::names::check_text;
use crate::store::{Batch, Command, Sql, StoreError, id, params};

/// Messages that one user has at most.
const MOST: u64 = 100;
/// Messages that one author may have left with one user, not yet read.
const MOST_UNREAD: u64 = 10;

/// To whom a message goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    /// One user.
    User(String),
    /// All whose group, or one of whose groups, it is.
    Group(String),
    /// Everybody.
    All,
}

/// A message as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Its number, for its reader.
    pub n: u64,
    /// When it came, Unix seconds.
    pub at: i64,
    /// From whom.
    pub author: String,
    /// What it says.
    pub text: String,
    /// Whether it was not read before.
    pub new: bool,
}

/// Leaves a message; answers with how many users. Anonymous ones get none, and those whose mailbox is full.
pub struct Send {
    /// To whom.
    pub to: To,
    /// From whom.
    pub author: String,
    /// Whether only so many of one author are kept unread.
    pub bounded: bool,
    /// One line.
    pub text: String,
    /// Unix seconds.
    pub now: i64,
}

impl Command for Send {
    type Answer = u64;
    type Error = EditError;

    fn apply(self, batch: &Batch<'_>) -> Result<u64, EditError> {
        check_text(&self.text).map_err(|why| EditError::wrong("text", why))?;
        let mut sent = 0;
        for name in readers(batch, &self.to)? {
            if self.fits(batch, &name)? {
                let sql = "INSERT INTO message (account, n, at, author, text, unread)
                    SELECT ?1, coalesce(max(n), 0) + 1, ?2, ?3, ?4, 1 FROM message WHERE account = ?1";
                batch.run(sql, params![name, self.now, self.author, self.text])?;
                sent += 1;
            } else if let To::User(_) = self.to {
                return Err(EditError::wrong("to", "has too many messages to get more"));
            }
        }
        Ok(sent)
    }
}

impl Send {
    fn fits(&self, batch: &Batch<'_>, name: &str) -> Result<bool, StoreError> {
        let text = "SELECT count(*), count(*) FILTER (WHERE author = ?2 AND unread = 1)
            FROM message WHERE account = ?1";
        let found = batch.get(text, [name, &self.author], |row| {
            Ok((id(row, 0)?, id(row, 1)?))
        })?;
        let (all, unread) = found.unwrap_or_default();
        Ok(all < MOST && !(self.bounded && unread >= MOST_UNREAD))
    }
}

/// Those who get a message. Whether there is a certain user is not told to whoever writes.
fn readers(batch: &Batch<'_>, to: &To) -> Result<Vec<String>, StoreError> {
    const LIVES: &str =
        "SELECT name FROM account WHERE deleted IS NULL AND anonymous = 0 AND disabled = 0";
    let (which, name) = match to {
        To::User(name) => ("AND name = ?1", name.as_str()),
        To::Group(group) => (
            "AND (grp = ?1 OR name IN (SELECT account FROM member WHERE grp = ?1))",
            group.as_str(),
        ),
        To::All => ("AND '' = ?1", ""),
    };
    let text = format!("{LIVES} {which} ORDER BY name");
    batch.all(&text, [name], |row| row.get(0))
}

/// How many messages somebody has not read.
///
/// # Errors
/// When the database fails.
pub fn unread(sql: &Sql<'_>, name: &str) -> Result<u64, StoreError> {
    let text = "SELECT count(*) FROM message WHERE account = ?1 AND unread = 1";
    Ok(sql.get(text, [name], |row| id(row, 0))?.unwrap_or(0))
}

/// Shows somebody their messages, the oldest first: they are read then.
pub struct Read {
    /// Whose.
    pub name: String,
}

impl Command for Read {
    type Answer = Vec<Kept>;
    type Error = StoreError;

    fn apply(self, batch: &Batch<'_>) -> Result<Vec<Kept>, StoreError> {
        let text = "SELECT n, at, author, text, unread FROM message WHERE account = ?1 ORDER BY n";
        let all = batch.all(text, [&self.name], |row| {
            Ok(Kept {
                n: id(row, 0)?,
                at: row.get(1)?,
                author: row.get(2)?,
                text: row.get(3)?,
                new: row.get(4)?,
            })
        })?;
        if all.iter().any(|kept| kept.new) {
            let sql = "UPDATE message SET unread = 0 WHERE account = ?1 AND unread = 1";
            batch.run(sql, [&self.name])?;
        }
        Ok(all)
    }
}

/// Throws away what somebody has read; answers how many that were.
pub struct Clear {
    /// Whose.
    pub name: String,
}

impl Command for Clear {
    type Answer = u64;
    type Error = StoreError;

    fn apply(self, batch: &Batch<'_>) -> Result<u64, StoreError> {
        let sql = "DELETE FROM message WHERE account = ?1 AND unread = 0";
        Ok(batch.run(sql, [&self.name])? as u64)
    }
}

#[cfg(test)]
mod tests {
    use drftpd_actors::{Clock, Dice, block_on};

    use super::*;
    use crate::accounts::Account;
    use crate::accounts::table::{self, Stored};
    use crate::store::{Case, Store, StoreConfig};

    struct Insert(&'static str, &'static str);

    impl Command for Insert {
        type Answer = ();
        type Error = StoreError;

        fn apply(self, batch: &Batch<'_>) -> Result<(), StoreError> {
            let account = Account::new(self.0, self.1);
            table::insert(batch, &Stored::new(account, None, 0))
        }
    }

    fn done<T>(change: impl Future<Output = T>) -> T {
        block_on(change).unwrap()
    }

    fn store(dir: &tempfile::TempDir) -> Store {
        let (clock, dice) = (Clock::manual(0), Dice::seeded(1));
        let config = StoreConfig::DEFAULT;
        let store = Store::inline(dir.path(), &config, Case::Sensitive, &clock, &dice).unwrap();
        for (name, group) in [("ann", "crew"), ("bob", "crew"), ("eve", "users")] {
            done(store.change(Insert(name, group))).unwrap();
        }
        store
    }

    fn send(store: &Store, to: To, author: &str) -> Result<u64, EditError> {
        done(store.change(Send {
            to,
            author: author.to_owned(),
            bounded: author != "op",
            text: "hello".to_owned(),
            now: 7,
        }))
    }

    fn read(store: &Store, name: &str) -> Vec<Kept> {
        let name = name.to_owned();
        done(store.change(Read { name })).unwrap()
    }

    #[test]
    fn messages_are_new_until_they_are_read_and_stay_until_they_are_thrown_away() {
        let dir = tempfile::TempDir::new().unwrap();
        let store = store(&dir);
        assert_eq!(send(&store, To::User("ann".into()), "bob").unwrap(), 1);
        assert_eq!(send(&store, To::Group("crew".into()), "op").unwrap(), 2);
        assert_eq!(send(&store, To::All, "op").unwrap(), 3);
        assert_eq!(send(&store, To::User("nobody".into()), "bob").unwrap(), 0);
        let count = |name: &str| store.read(|sql| unread(sql, name)).unwrap();
        assert_eq!((count("ann"), count("bob"), count("eve")), (3, 2, 1));
        let clear = || {
            let name = "ann".to_owned();
            done(store.change(Clear { name })).unwrap()
        };
        assert_eq!(clear(), 0, "nothing was read");
        let shown = read(&store, "ann");
        let authors: Vec<_> = shown.iter().map(|it| (it.n, it.author.as_str())).collect();
        assert_eq!(authors, [(1, "bob"), (2, "op"), (3, "op")]);
        assert!(
            shown
                .iter()
                .all(|it| it.new && it.at == 7 && it.text == "hello")
        );
        assert_eq!(count("ann"), 0);
        assert!(read(&store, "ann").iter().all(|it| !it.new));
        assert_eq!(clear(), 3);
        assert_eq!(read(&store, "ann"), []);
        assert_eq!(count("bob"), 2, "those of others stay");
    }

    #[test]
    fn nobody_fills_the_mailbox_of_another() {
        let dir = tempfile::TempDir::new().unwrap();
        let store = store(&dir);
        let to = || To::User("ann".into());
        for _ in 0..MOST_UNREAD {
            assert_eq!(send(&store, to(), "eve").unwrap(), 1);
        }
        let full = send(&store, to(), "eve").unwrap_err();
        assert!(
            matches!(full, EditError::Wrong { field: "to", .. }),
            "{full}"
        );
        assert_eq!(
            send(&store, to(), "bob").unwrap(),
            1,
            "of others there is room"
        );
        for _ in MOST_UNREAD + 1..MOST {
            assert_eq!(send(&store, to(), "op").unwrap(), 1);
        }
        assert!(send(&store, to(), "op").is_err());
        assert_eq!(
            send(&store, To::Group("crew".into()), "op").unwrap(),
            1,
            "bob"
        );
    }
}
