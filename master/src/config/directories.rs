//! Directories of the tree that a rule of the configuration names: it holds at and below them.

use drftpd_protocol::VfsPath;

/// Whether a rule that names these holds for a path; one that names none holds everywhere.
pub fn hold_for(directories: &[String], path: &VfsPath) -> bool {
    let below = |directory: &String| {
        VfsPath::absolute(directory.as_bytes()).is_ok_and(|it| it.contains(path))
    };
    directories.is_empty() || directories.iter().any(below)
}

/// Whether all of them are directories that begin with `/`.
pub fn are_sound(directories: &[String]) -> bool {
    let path = |path: &String| VfsPath::absolute(path.as_bytes()).is_ok();
    directories.iter().all(path)
}
