//! Changes that a client makes: chosen by dice, asked step by step.

use std::io::Write;
use std::net::Shutdown;
use std::sync::Arc;

use anyhow::{Context, Result};
use drftpd_actors::Dice;

use super::kill::Killer;
use super::world::{Node, World};
use crate::data::Bytes;
use crate::ftp::{Ftp, Mode};

/// Files that a client has at most.
const FILES: usize = 20;
/// Ways of transfers.
const MODES: [Mode; 3] = [Mode::Pret, Mode::Pasv, Mode::Port];

/// One change. Paths are relative to the client's directory.
#[allow(missing_docs)]
pub enum Change {
    Delete {
        path: String,
    },
    RemoveDir {
        path: String,
    },
    MakeDir {
        path: String,
    },
    Rename {
        from: String,
        to: String,
    },
    SetTime {
        path: String,
        time: String,
    },
    /// A new file, or new bytes for one.
    Put {
        path: String,
        bytes: Arc<Vec<u8>>,
        mode: Mode,
    },
    /// APPE.
    Append {
        path: String,
        bytes: Vec<u8>,
        mode: Mode,
    },
    /// REST and STOR: keeps a beginning of what is there.
    GoOn {
        path: String,
        keep: usize,
        bytes: Vec<u8>,
        mode: Mode,
    },
}

impl std::fmt::Debug for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Change::Delete { path } => write!(f, "DELE {path}"),
            Change::RemoveDir { path } => write!(f, "RMD {path}"),
            Change::MakeDir { path } => write!(f, "MKD {path}"),
            Change::Rename { from, to } => write!(f, "RNTO {from} -> {to}"),
            Change::SetTime { path, time } => write!(f, "MFMT {time} {path}"),
            Change::Put { path, bytes, mode } => {
                write!(f, "STOR {path} of {} by {mode:?}", bytes.len())
            }
            Change::Append { path, bytes, mode } => {
                write!(f, "APPE {path} of {} by {mode:?}", bytes.len())
            }
            Change::GoOn {
                path,
                keep,
                bytes,
                mode,
            } => {
                write!(f, "REST {keep} STOR {path} of {} by {mode:?}", bytes.len())
            }
        }
    }
}

impl Change {
    /// A change that the world allows. `number` is of no other change of the client.
    pub fn choose(world: &World, dice: &Dice, number: u64) -> Self {
        let pick = |all: &[&String]| {
            let at = dice.below(all.len().max(1) as u64) as usize;
            all.get(at).map(|path| (*path).clone())
        };
        let is_file = |path: &&String| matches!(world.nodes[*path], Node::File { .. });
        let (files, dirs): (Vec<_>, Vec<_>) = world.nodes.keys().partition(is_file);
        let is_empty = |dir: &&&String| {
            let below = format!("{dir}/");
            !world.nodes.keys().any(|path| path.starts_with(&below))
        };
        let empty: Vec<_> = dirs.iter().filter(is_empty).copied().collect();
        let len = dice.below(50_000) as usize;
        let mode = MODES[dice.below(3) as usize];
        let place = |kind: &str| match (dice.below(3), pick(&dirs)) {
            (0 | 1, Some(dir)) => format!("{dir}/{kind}{number}"),
            _ => format!("{kind}{number}"),
        };
        let what = if files.len() > FILES {
            0
        } else {
            dice.below(13)
        };
        match (what, pick(&files), pick(&dirs), pick(&empty)) {
            (0, Some(path), ..) => Change::Delete { path },
            (1, Some(from), ..) => Change::Rename {
                from,
                to: place("r"),
            },
            (2, _, Some(from), _) => {
                // Not below itself.
                let to = format!("m{number}");
                Change::Rename { from, to }
            }
            (3, ..) => Change::MakeDir { path: place("d") },
            (4, _, _, Some(path)) => Change::RemoveDir { path },
            (5, Some(path), ..) => Change::SetTime {
                path,
                time: format!("20{:02}0102030405", dice.below(25)),
            },
            (6, Some(path), ..) => Change::Append {
                path,
                bytes: Bytes::vec(number, len),
                mode,
            },
            (7, Some(path), ..) => {
                let old = world.bytes(&path).map_or(0, <[u8]>::len);
                Change::GoOn {
                    keep: dice.below(old as u64 + 1) as usize,
                    path,
                    bytes: Bytes::vec(number, len),
                    mode,
                }
            }
            (8 | 9, Some(path), ..) => Change::Put {
                path,
                bytes: Arc::new(Bytes::vec(number, len)),
                mode,
            },
            _ => Change::Put {
                path: place("f"),
                bytes: Arc::new(Bytes::vec(number, if len < 5_000 { 0 } else { len })),
                mode,
            },
        }
    }

    /// Files whose bytes or place are another afterwards.
    pub fn paths(&self) -> Vec<String> {
        match self {
            Change::Rename { from, to } => vec![from.clone(), to.clone()],
            Change::Delete { path }
            | Change::RemoveDir { path }
            | Change::MakeDir { path }
            | Change::SetTime { path, .. }
            | Change::Put { path, .. }
            | Change::Append { path, .. }
            | Change::GoOn { path, .. } => vec![path.clone()],
        }
    }

    /// Asks for it; every step is a point where the master may be killed.
    pub fn ask(&self, ftp: &mut Ftp, world: &World, killer: &Killer) -> Result<()> {
        let full = |path: &str| world.full(path);
        let mut say = |line: String, code| -> Result<()> {
            killer.pass()?;
            ftp.send(&line)?;
            killer.pass()?;
            ftp.expect(code).with_context(|| line.clone())?;
            Ok(())
        };
        match self {
            Change::Delete { path } => say(format!("DELE {}", full(path)), 250),
            Change::RemoveDir { path } => say(format!("RMD {}", full(path)), 250),
            Change::MakeDir { path } => say(format!("MKD {}", full(path)), 257),
            Change::SetTime { path, time } => say(format!("MFMT {time} {}", full(path)), 213),
            Change::Rename { from, to } => {
                say(format!("RNFR {}", full(from)), 350)?;
                say(format!("RNTO {}", full(to)), 250)
            }
            Change::Put { path, bytes, mode } => {
                send(ftp, *mode, "STOR", &full(path), None, bytes, killer)
            }
            Change::Append { path, bytes, mode } => {
                send(ftp, *mode, "APPE", &full(path), None, bytes, killer)
            }
            Change::GoOn {
                path,
                keep,
                bytes,
                mode,
            } => send(ftp, *mode, "STOR", &full(path), Some(*keep), bytes, killer),
        }
    }
}

fn send(
    ftp: &mut Ftp,
    mode: Mode,
    verb: &str,
    path: &str,
    rest: Option<usize>,
    bytes: &[u8],
    killer: &Killer,
) -> Result<()> {
    killer.pass()?;
    let data = ftp.data(mode, verb, path)?;
    if let Some(rest) = rest {
        ftp.ask(&format!("REST {rest}"), 350)?;
    }
    killer.pass()?;
    ftp.send(&format!("{verb} {path}"))?;
    killer.pass()?;
    ftp.expect(150)?;
    let mut stream = data.stream()?;
    let (one, two) = bytes.split_at(bytes.len() / 2);
    stream.write_all(one)?;
    killer.pass()?;
    stream.write_all(two)?;
    killer.pass()?;
    stream.shutdown(Shutdown::Write)?;
    killer.pass()?;
    ftp.expect(226)?;
    killer.pass()
}
