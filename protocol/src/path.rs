//! Names and paths of the tree: bytes, absolute, normal, never above the root.
//!
//! The only way to a [`VfsPath`] is through the checks here, on both ends of the wire: a path that
//! a peer sends is checked like one that a client types.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest name of one entry, in bytes; what Linux filesystems take.
pub const MAX_NAME: usize = 255;
/// Longest path, in bytes.
pub const MAX_PATH: usize = 4096;
/// Deepest path, in names.
pub const MAX_DEPTH: usize = 128;
/// No name of a user may begin like the folder that slaves keep their own things in.
pub const RESERVED_PREFIX: &[u8] = b".drftpd";

/// Why some bytes are not a name for an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing there.
    #[error("a name must not be empty")]
    Empty,
    /// `.` or `..`.
    #[error("a name must not be . or ..")]
    Dots,
    /// A slash, a control character or DEL.
    #[error("a name must not contain slashes or control characters")]
    BadByte,
    /// Over [`MAX_NAME`] bytes.
    #[error("a name must not be longer than 255 bytes")]
    TooLong,
    /// Begins with [`RESERVED_PREFIX`].
    #[error("names that begin with .drftpd are reserved")]
    Reserved,
}

/// Why some bytes are not a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// One of its names is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Over [`MAX_PATH`] bytes or [`MAX_DEPTH`] names.
    #[error("the path is too long")]
    TooLong,
    /// Does not begin at the root (on the wire every path does).
    #[error("the path is not absolute")]
    Relative,
}

/// Name of one entry: bytes, as the client sent them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Bytes);

impl Name {
    /// Checks the bytes of a name.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(bytes: impl Into<Bytes>) -> Result<Self, NameError> {
        let bytes = bytes.into();
        match bytes.as_ref() {
            b"" => Err(NameError::Empty),
            b"." | b".." => Err(NameError::Dots),
            name if name.len() > MAX_NAME => Err(NameError::TooLong),
            name if name.starts_with(RESERVED_PREFIX) => Err(NameError::Reserved),
            name if name.iter().any(|&b| b == b'/' || b < 0x20 || b == 0x7F) => {
                Err(NameError::BadByte)
            }
            _ => Ok(Name(bytes)),
        }
    }

    /// The bytes of the name.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl AsRef<[u8]> for Name {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Absolute, normal path in the tree. The root is the empty list of names.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct VfsPath {
    names: Vec<Name>,
}

impl VfsPath {
    /// `/`.
    pub fn root() -> Self {
        VfsPath::default()
    }

    /// Takes an absolute path; `//`, `/./` and a slash at the end say nothing, `..` goes up and
    /// stops at the root.
    ///
    /// # Errors
    /// [`PathError::Relative`] without a slash in front, else what is wrong with it.
    pub fn absolute(bytes: &[u8]) -> Result<Self, PathError> {
        if bytes.first() != Some(&b'/') {
            return Err(PathError::Relative);
        }
        VfsPath::root().resolve(bytes)
    }

    /// What `arg` means to somebody who stands here: absolute, or relative to this path.
    ///
    /// # Errors
    /// When a name in it is none, or the result is too long.
    pub fn resolve(&self, arg: &[u8]) -> Result<Self, PathError> {
        if arg.len() > MAX_PATH {
            return Err(PathError::TooLong);
        }
        let mut path = match arg.first() {
            Some(b'/') => VfsPath::root(),
            _ => self.clone(),
        };
        for part in arg.split(|&b| b == b'/') {
            match part {
                b"" | b"." => {}
                b".." => drop(path.names.pop()),
                name => path.names.push(Name::new(Bytes::copy_from_slice(name))?),
            }
        }
        path.checked()
    }

    /// The entry `name` in this directory.
    ///
    /// # Errors
    /// [`PathError::TooLong`] where the result is.
    pub fn join(&self, name: Name) -> Result<Self, PathError> {
        let mut path = self.clone();
        path.names.push(name);
        path.checked()
    }

    fn checked(self) -> Result<Self, PathError> {
        if self.names.len() > MAX_DEPTH || self.written_length() > MAX_PATH {
            return Err(PathError::TooLong);
        }
        Ok(self)
    }

    /// The directory that holds it; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        let (_, above) = self.names.split_last()?;
        Some(VfsPath {
            names: above.to_vec(),
        })
    }

    /// Its last name; `None` for the root.
    pub fn name(&self) -> Option<&Name> {
        self.names.last()
    }

    /// Its names from the root down.
    pub fn names(&self) -> &[Name] {
        &self.names
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.names.is_empty()
    }

    /// Whether `other` is this path or lies below it.
    pub fn contains(&self, other: &VfsPath) -> bool {
        other.names.starts_with(&self.names)
    }

    /// `/a/b`, as a client sees it.
    pub fn to_bytes(&self) -> Vec<u8> {
        if self.names.is_empty() {
            return b"/".to_vec();
        }
        let mut bytes = Vec::with_capacity(self.written_length());
        for name in &self.names {
            bytes.push(b'/');
            bytes.extend_from_slice(&name.0);
        }
        bytes
    }

    /// How long [`VfsPath::to_bytes`] is, but for the root.
    fn written_length(&self) -> usize {
        self.names.iter().map(|name| name.0.len() + 1).sum()
    }
}

impl fmt::Display for VfsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_bytes().escape_ascii())
    }
}

impl fmt::Debug for VfsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes: Vec<u8> = serde_bytes::deserialize(deserializer)?;
        Name::new(bytes).map_err(serde::de::Error::custom)
    }
}

impl Serialize for VfsPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.to_bytes())
    }
}

impl<'de> Deserialize<'de> for VfsPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes: Vec<u8> = serde_bytes::deserialize(deserializer)?;
        let path = VfsPath::absolute(&bytes).map_err(serde::de::Error::custom)?;
        // A peer sends normal paths; one that is not was made by something else than this type.
        if path.to_bytes() != bytes {
            return Err(serde::de::Error::custom("the path is not normal"));
        }
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> VfsPath {
        VfsPath::absolute(text.as_bytes()).expect("a path")
    }

    #[test]
    fn dots_and_slashes_resolve_lexically_and_stop_at_the_root() {
        let here = path("/a/b");
        for (arg, is) in [
            ("c", "/a/b/c"),
            ("/c//d/", "/c/d"),
            ("./c/.", "/a/b/c"),
            ("../c", "/a/c"),
            ("../../../../c", "/c"),
            ("", "/a/b"),
            ("/", "/"),
        ] {
            assert_eq!(here.resolve(arg.as_bytes()), Ok(path(is)), "{arg}");
        }
    }

    #[test]
    fn names_that_could_hurt_are_refused() {
        for (name, why) in [
            (&b""[..], NameError::Empty),
            (b"..", NameError::Dots),
            (b"a/b", NameError::BadByte),
            (b"a\nb", NameError::BadByte),
            (b"a\x7f", NameError::BadByte),
            (b".drftpd", NameError::Reserved),
            (b".drftpd-x", NameError::Reserved),
        ] {
            assert_eq!(Name::new(name.to_vec()), Err(why));
        }
        assert_eq!(Name::new(vec![b'a'; 256]), Err(NameError::TooLong));
        assert!(Name::new(b" leading and trailing ".to_vec()).is_ok());
        assert!(Name::new(b"latin-1 \xe4".to_vec()).is_ok());
    }

    #[test]
    fn a_path_contains_itself_and_what_is_below_but_no_sibling() {
        assert!(path("/a").contains(&path("/a")));
        assert!(path("/a").contains(&path("/a/b")));
        assert!(!path("/a").contains(&path("/ab")));
        assert!(VfsPath::root().contains(&path("/ab")));
    }

    #[test]
    fn a_path_that_is_too_deep_or_too_long_is_refused() {
        let deep = "/a".repeat(MAX_DEPTH + 1);
        assert_eq!(VfsPath::absolute(deep.as_bytes()), Err(PathError::TooLong));
        let long = vec![b'/'; MAX_PATH + 1];
        assert_eq!(VfsPath::absolute(&long), Err(PathError::TooLong));
    }
}
