//! Identities: what a log line, a wire message and a table row call the same thing.
//!
//! All are newtypes, so that a root's number cannot be passed for a file's.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

number!(
    /// A node of the file list: 63 bits, the incarnation of the master that made it above a counter.
    /// Never repeats, also not after a restore.
    NodeId
);
number!(
    /// Which bytes of a file: an overwrite is a new generation of the same node.
    Generation
);
number!(
    /// One control connection of an FTP client, unique in this run of the master.
    SessionId
);
number!(
    /// One data channel, unique in the whole life of a store.
    TransferId
);
number!(
    /// Position in one root's log of operations; the first is 1.
    OpSeq
);
number!(
    /// Which master may give orders: grows when a standby is promoted or a store is loaded.
    Epoch
);

/// A directory's node; the root of the tree is [`NodeId::ROOT`].
pub type DirId = NodeId;

impl NodeId {
    /// The root directory of the tree, in every store.
    pub const ROOT: NodeId = NodeId(1);
}

impl Default for OpSeq {
    fn default() -> Self {
        Self::NONE
    }
}

impl OpSeq {
    /// Before the first operation.
    pub const NONE: OpSeq = OpSeq(0);

    /// The position behind this one.
    pub fn next(self) -> OpSeq {
        OpSeq(self.0 + 1)
    }
}

/// A file's identity: which node and which bytes of it. Never a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileId {
    /// The node in the file list.
    pub node: NodeId,
    /// Which of its contents.
    pub generation: Generation,
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.node, self.generation)
    }
}

/// Why a text is not an identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not 32 hexadecimal digits.
    #[error("must be 32 hexadecimal digits")]
    NotHex,
    /// Not a name for a slave.
    #[error("must be 1 to 32 letters, digits, '-' or '_', beginning with a letter or digit")]
    BadSlaveName,
    /// Not `NODE.GENERATION`.
    #[error("must be two numbers with a dot between")]
    BadFileId,
}

impl FromStr for FileId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let (node, generation) = text.split_once('.').ok_or(IdError::BadFileId)?;
        let number = |part: &str| part.parse::<u64>().map_err(|_| IdError::BadFileId);
        Ok(FileId {
            node: NodeId(number(node)?),
            generation: Generation(number(generation)?),
        })
    }
}

macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(pub [u8; 16]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                hex16(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }
    };
}

random_id!(
    /// One storage folder of a slave, as its identity file says. 128 random bits.
    RootId
);
random_id!(
    /// One instance of the master's store; a loaded or restored store is another instance.
    StoreId
);

fn hex16(text: &str) -> Result<[u8; 16], IdError> {
    let mut bytes = [0; 16];
    if text.len() != 32 || !text.is_ascii() {
        return Err(IdError::NotHex);
    }
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(digits).map_err(|_| IdError::NotHex)?;
        *byte = u8::from_str_radix(digits, 16).map_err(|_| IdError::NotHex)?;
    }
    Ok(bytes)
}

/// A slave's name, as its certificate says it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SlaveId(String);

impl SlaveId {
    /// Takes 1 to 32 letters, digits, `-` or `_`, beginning with a letter or digit.
    ///
    /// # Errors
    /// [`IdError::BadSlaveName`] for anything else.
    pub fn new(name: impl Into<String>) -> Result<Self, IdError> {
        let name = name.into();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let starts_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
        if name.len() > 32 || !starts_well || !name.chars().all(plain) {
            return Err(IdError::BadSlaveName);
        }
        Ok(SlaveId(name))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SlaveId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SlaveId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        SlaveId::new(text)
    }
}

impl TryFrom<String> for SlaveId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        SlaveId::new(text)
    }
}

impl From<SlaveId> for String {
    fn from(id: SlaveId) -> String {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_id_is_read_back_from_its_text() {
        let id = RootId([0xA5; 16]);
        assert_eq!(id.to_string().parse::<RootId>(), Ok(id));
        assert_eq!("zz".parse::<RootId>(), Err(IdError::NotHex));
        assert_eq!("é".repeat(16).parse::<RootId>(), Err(IdError::NotHex));
    }

    #[test]
    fn a_file_id_is_read_back_from_its_text() {
        let id = FileId {
            node: NodeId(7),
            generation: Generation(2),
        };
        assert_eq!(id.to_string().parse::<FileId>(), Ok(id));
        assert_eq!("7".parse::<FileId>(), Err(IdError::BadFileId));
    }

    #[test]
    fn a_slave_name_is_short_and_plain() {
        assert!(SlaveId::new("disk-07_a").is_ok());
        for bad in ["", "-x", "a b", "../x", "ü", &"a".repeat(33)] {
            assert_eq!(SlaveId::new(bad), Err(IdError::BadSlaveName), "{bad}");
        }
    }
}
