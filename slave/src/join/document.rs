//! The configuration that joining writes: the documented one, with what was agreed filled in.

use std::path::{Path, PathBuf};

use drftpd_protocol::SlaveId;
use toml::Value;

use super::JoinError;
use super::files::Files;
use crate::link::MasterAddress;

/// Every key with its default and its meaning.
const DOCUMENT: &str = include_str!("../../../deploy/slave.toml");

/// The documented configuration for this slave.
pub(super) fn fill(
    name: &SlaveId,
    master: &MasterAddress,
    files: &Files,
    roots: &[PathBuf],
) -> Result<String, JoinError> {
    let mut blocks = Vec::new();
    for root in roots {
        blocks.push(format!("[[root]]\npath = {}", quoted(text(root)?)));
    }
    let file = |path: &Path| {
        let name = path.file_name().map_or(path, Path::new);
        text(name).map(quoted)
    };
    let lines = [
        ("#name = ", format!("name = {}", quoted(name.as_str()))),
        (
            "#address = ",
            format!("address = {}", quoted(&master.to_string())),
        ),
        (
            "certificate = ",
            format!("certificate = {}", file(&files.certificate)?),
        ),
        ("key = ", format!("key = {}", file(&files.key)?)),
        (
            "authority = ",
            format!("authority = {}", file(&files.authority)?),
        ),
        ("seen = ", format!("seen = {}", file(&files.seen)?)),
        ("#[[root]]", blocks.join("\n\n")),
        ("#path = ", String::new()),
    ];
    let line = |line: &'static str| {
        let filled = lines.iter().find(|(begins, _)| line.starts_with(begins));
        filled.map_or(line, |(_, filled)| filled.as_str())
    };
    let filled: Vec<&str> = DOCUMENT.lines().map(line).collect();
    Ok(filled.join("\n") + "\n")
}

fn text(path: &Path) -> Result<&str, JoinError> {
    path.to_str()
        .ok_or_else(|| JoinError::Path(path.to_owned()))
}

fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}
