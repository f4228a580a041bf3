//! The folder of pages, read as a whole: every file, with every error by its line.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use drftpd_actors::ConfigError;
use drftpd_protocol::VfsPath;

use super::template::Template;
use super::{Loaded, Page, THEME};

/// Lines of a page at most.
const MOST_LINES: usize = 100;
/// Bytes of a file at most.
const LARGEST: u64 = 32 * 1024;
/// Files below `messages` at most, folders counted.
const MOST_MESSAGES: usize = 1000;
/// The file that is the message of the directory it lies in.
const MESSAGE: &str = ".message";

/// Reads a folder; what is not in it is not shown. `named`: pages that lines of the permissions name.
pub(super) fn folder(folder: &Path, named: &[&str]) -> Result<Loaded, Vec<ConfigError>> {
    let mut loading = Loading { wrong: Vec::new() };
    let mut loaded = Loaded {
        welcome: loading.page(&folder.join("welcome.txt"), true),
        goodbye: loading.page(&folder.join("goodbye.txt"), true),
        rules: loading.page(&folder.join("rules.txt"), true),
        ..Loaded::default()
    };
    loading.theme(&folder.join("theme.txt"), &mut loaded);
    loading.messages(&folder.join("messages"), &mut loaded);
    for name in named {
        if !loaded.named.contains_key(*name) {
            let page = loading.page(&folder.join(name), false);
            loaded.named.insert((*name).to_owned(), page);
        }
    }
    match loading.wrong.is_empty() {
        true => Ok(loaded),
        false => Err(loading.wrong),
    }
}

struct Loading {
    wrong: Vec<ConfigError>,
}

impl Loading {
    fn wrong(&mut self, file: &Path, line: Option<usize>, why: impl ToString) {
        let key = line.map_or_else(String::new, |line| format!("line {line}"));
        let mut error = ConfigError::new(key, why.to_string());
        error.file = Some(file.to_owned());
        self.wrong.push(error);
    }

    /// The text of a file; nothing where it is not there and need not be.
    fn text(&mut self, file: &Path, may_miss: bool) -> Option<String> {
        let size = match fs::metadata(file) {
            Ok(metadata) if metadata.is_file() => metadata.len(),
            Ok(_) => {
                self.wrong(file, None, "is no file");
                return None;
            }
            Err(why) if may_miss && why.kind() == std::io::ErrorKind::NotFound => return None,
            Err(why) => {
                self.wrong(file, None, why);
                return None;
            }
        };
        if size > LARGEST {
            self.wrong(
                file,
                None,
                format!("must not have more than {LARGEST} bytes"),
            );
            return None;
        }
        let read = fs::read_to_string(file);
        read.map_err(|why| self.wrong(file, None, why)).ok()
    }

    fn page(&mut self, file: &Path, may_miss: bool) -> Page {
        let text = self.text(file, may_miss).unwrap_or_default();
        let mut page = Page::default();
        for (line, said) in (1..).zip(text.lines()) {
            if line > MOST_LINES {
                self.wrong(
                    file,
                    Some(line),
                    format!("a page has {MOST_LINES} lines at most"),
                );
                break;
            }
            match Template::read(said, false) {
                Ok(template) => page.0.push(template),
                Err(why) => self.wrong(file, Some(line), why),
            }
        }
        page
    }

    /// `key = text`, one a line; `#` begins a comment.
    fn theme(&mut self, file: &Path, loaded: &mut Loaded) {
        let text = self.text(file, true).unwrap_or_default();
        for (line, said) in (1..).zip(text.lines()) {
            let said = said.trim();
            if said.is_empty() || said.starts_with('#') {
                continue;
            }
            let Some((key, text)) = said.split_once('=') else {
                self.wrong(file, Some(line), "must be key = text");
                continue;
            };
            let (key, text) = (key.trim(), text.trim());
            let known = THEME.iter().find(|(name, ..)| *name == key);
            let Some((_, themed, of_transfer)) = known else {
                let names: Vec<&str> = THEME.iter().map(|(name, ..)| *name).collect();
                let why = format!("{key}: must be one of {}", names.join(", "));
                self.wrong(file, Some(line), why);
                continue;
            };
            match Template::read(text, *of_transfer) {
                Ok(_) if text.is_empty() => {
                    self.wrong(file, Some(line), format!("{key}: has no text"))
                }
                Ok(template) => drop(loaded.theme.insert(*themed, template)),
                Err(why) => self.wrong(file, Some(line), format!("{key}: {why}")),
            }
        }
    }

    /// `messages/PATH/.message` is the message of `/PATH`.
    fn messages(&mut self, top: &Path, loaded: &mut Loaded) {
        let mut open: Vec<(PathBuf, VfsPath)> = vec![(top.to_owned(), VfsPath::root())];
        let mut seen = 0;
        let mut messages = BTreeMap::new();
        while let Some((folder, path)) = open.pop() {
            let Ok(entries) = fs::read_dir(&folder) else {
                if folder != top {
                    self.wrong(&folder, None, "cannot be read");
                }
                continue;
            };
            for entry in entries.flatten() {
                seen += 1;
                if seen > MOST_MESSAGES {
                    return self.wrong(top, None, format!("has more than {MOST_MESSAGES} entries"));
                }
                let name = entry.file_name();
                let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
                match path.resolve(name.as_encoded_bytes()) {
                    Ok(below) if is_dir => open.push((entry.path(), below)),
                    _ if name == MESSAGE => {
                        let page = self.page(&entry.path(), false);
                        messages.insert(path.clone(), page);
                    }
                    _ => self.wrong(&entry.path(), None, "is no folder and no .message"),
                }
            }
        }
        loaded.messages = messages;
    }
}
