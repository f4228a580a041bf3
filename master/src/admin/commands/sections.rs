//! Sections and what is new in them: `sections`, `new`.

use std::fmt;

use drftpd_protocol::VfsPath;
use serde::Serialize;

use super::super::{AdminError, Answer, Args, Code, Command, Cx, Kind, Outcome, Param, Permission};
use super::table;
use super::vfs::refused;
use crate::accounts::Action;
use crate::rights::View;
use crate::sections::Section;
use crate::vfs::{self, Entry, VfsError};

/// Directories of one answer where no number is said, and at most.
const USUAL: usize = 10;
const MOST: usize = 200;
/// Directories of one place that are read at a time, and at most.
const PAGE: usize = 64;
const READ: usize = 2048;
/// Days of a dated section that are looked through.
const DAYS: usize = 31;
/// Sections that are looked through where none is configured: the directories of the root.
const PLACES: usize = 500;

/// `sections`.
pub(in crate::admin) const SECTIONS: Command = Command {
    name: "sections",
    site: &["SECTIONS"],
    params: &[],
    about: "shows the sections of the site",
    permission: Permission::Anyone,
    changes: false,
    run: |cx, _| Box::pin(std::future::ready(sections(&cx))),
};

/// `new [SECTION] [COUNT]`.
pub(in crate::admin) const NEW: Command = Command {
    name: "new",
    site: &["NEW"],
    params: &[
        Param::optional("section", Kind::Text, "only of that one"),
        Param::optional("count", Kind::Text, "so many; may also stand in front"),
    ],
    about: "shows the newest directories of the sections",
    permission: Permission::Anyone,
    changes: false,
    run: |cx, args| Box::pin(new(cx, args)),
};

#[derive(Serialize)]
struct Listed {
    sections: Vec<Shown>,
}

#[derive(Serialize)]
struct Shown {
    name: String,
    path: String,
    dated: Option<String>,
    today: Option<String>,
    /// The link to today's directory.
    link: Option<String>,
}

fn sections(cx: &Cx) -> Outcome {
    let config = cx.config();
    let view = cx.view()?;
    let now = cx.of.clock.unix();
    let seen = config.sections.list.iter();
    let seen = seen.filter(|section| view.sees(&section.path));
    let show = |section: &Section| Shown {
        name: section.name.clone(),
        path: section.path.to_string(),
        dated: section.dated.as_ref().map(|dated| dated.text().to_owned()),
        today: section.of_day(now).map(|path| path.to_string()),
        link: section
            .today
            .as_ref()
            .filter(|link| view.sees(link))
            .map(ToString::to_string),
    };
    Answer::of(&Listed {
        sections: seen.map(show).collect(),
    })
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.sections.is_empty() {
            return write!(f, "sections.list has none: each directory of / is one");
        }
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let row = |it: &Shown| {
            let (today, link) = (or_none(&it.today), or_none(&it.link));
            [it.name.clone(), it.path.clone(), today, link]
        };
        let rows: Vec<_> = self.sections.iter().map(row).collect();
        table::write(f, ["SECTION", "PATH", "TODAY", "LINK"], &rows)
    }
}

/// Where new directories come.
struct Place {
    section: String,
    path: VfsPath,
    dated: bool,
}

#[derive(Serialize)]
struct Newest {
    directories: Vec<Dir>,
}

#[derive(Serialize)]
struct Dir {
    section: String,
    path: String,
    made: i64,
    user: String,
    group: String,
    /// Not where something below is hidden from the caller.
    size: Option<u64>,
    files: Option<u64>,
}

async fn new(cx: Cx, args: Args) -> Outcome {
    let (section, count) = asked(&args)?;
    let view = cx.view()?;
    let vfs = &cx.online()?.vfs;
    let failed = |why: VfsError| refused("section", why);
    let mut newest = Vec::new();
    for place in places(&cx, &view, section.as_deref()).await? {
        let dirs = newest_of(vfs, &view, &place, count).await.map_err(failed)?;
        newest.extend(dirs);
    }
    newest.sort_by(|a, b| b.made.cmp(&a.made).then_with(|| a.path.cmp(&b.path)));
    newest.truncate(count);
    Answer::of(&Newest {
        directories: newest,
    })
}

/// The section and the number, whichever comes first.
fn asked(args: &Args) -> Result<(Option<String>, usize), AdminError> {
    let said = [args.text("section"), args.text("count")];
    let (mut section, mut count) = (None, None);
    for word in said.into_iter().flatten() {
        match word.parse::<usize>() {
            Ok(number) if count.is_none() => count = Some(number),
            _ if section.is_none() => section = Some(word.to_owned()),
            _ => return Err(AdminError::argument("count", "must be a number")),
        }
    }
    match count {
        Some(0) => Err(AdminError::argument("count", "must be 1 or more")),
        count => Ok((section, count.unwrap_or(USUAL).min(MOST))),
    }
}

/// The places of a section, or of all of them; without any configured the directories of the root.
async fn places(cx: &Cx, view: &View<'_>, wanted: Option<&str>) -> Result<Vec<Place>, AdminError> {
    let config = cx.config();
    let is = |name: &str| wanted.is_none_or(|wanted| wanted.eq_ignore_ascii_case(name));
    let place = |section: &Section| Place {
        section: section.name.clone(),
        path: section.path.clone(),
        dated: section.dated.is_some(),
    };
    let mut places = match config.sections.list.is_empty() {
        false => config.sections.list.iter().map(place).collect(),
        true => top(cx).await.map_err(|why| refused("section", why))?,
    };
    places.retain(|place| is(&place.section) && view.sees(&place.path));
    match wanted.filter(|_| places.is_empty()) {
        Some(wanted) => Err(AdminError {
            code: Code::NotFound,
            ..AdminError::argument("section", format!("there is no section {wanted}"))
        }),
        None => Ok(places),
    }
}

async fn top(cx: &Cx) -> Result<Vec<Place>, VfsError> {
    let Ok(online) = cx.online() else {
        return Ok(Vec::new());
    };
    let dirs = online
        .vfs
        .newest_dirs(drftpd_protocol::NodeId::ROOT, 0, PLACES)
        .await?;
    let place = |dir: Entry| {
        let name = dir.name?;
        Some(Place {
            section: name.to_string(),
            path: VfsPath::root().join(name).ok()?,
            dated: false,
        })
    };
    Ok(dirs.into_iter().filter_map(place).collect())
}

async fn newest_of(
    vfs: &vfs::VfsClient,
    view: &View<'_>,
    place: &Place,
    count: usize,
) -> Result<Vec<Dir>, VfsError> {
    let Ok(there) = view.target(&place.path, Action::View).await else {
        return Ok(Vec::new()); // not made yet
    };
    if there.entry.kind != vfs::Kind::Dir {
        return Ok(Vec::new());
    }
    let top = (there.path, there.entry);
    let of_days = match place.dated {
        true => seen(vfs, view, &top, DAYS).await?,
        false => vec![top],
    };
    let mut newest = Vec::new();
    for dir in of_days {
        let made = seen(vfs, view, &dir, count).await?;
        newest.extend(made.into_iter().map(|(path, entry)| {
            let sums = view.sees_all_below(&path);
            Dir {
                section: place.section.clone(),
                path: path.to_string(),
                made: entry.created,
                user: entry.owner,
                group: entry.group,
                size: sums.then_some(entry.size),
                files: sums.then_some(entry.files),
            }
        }));
    }
    Ok(newest)
}

/// The newest directories of one that the caller sees.
async fn seen(
    vfs: &vfs::VfsClient,
    view: &View<'_>,
    (top, dir): &(VfsPath, Entry),
    count: usize,
) -> Result<Vec<(VfsPath, Entry)>, VfsError> {
    let mut found = Vec::new();
    for skip in (0..READ).step_by(PAGE) {
        let page = vfs.newest_dirs(dir.id, skip, PAGE).await?;
        let more = page.len() == PAGE;
        for entry in page {
            let Some(name) = entry.name.clone() else {
                continue;
            };
            let path = top.join(name)?;
            if view.sees(&path) {
                found.push((path, entry));
                if found.len() >= count {
                    return Ok(found);
                }
            }
        }
        if !more {
            break;
        }
    }
    Ok(found)
}

impl fmt::Display for Newest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |dir: &Dir| {
            let files = dir
                .files
                .map_or_else(|| "-".to_owned(), |files| files.to_string());
            [
                table::moment(dir.made),
                dir.section.clone(),
                format!("{}/{}", dir.user, dir.group),
                files,
                dir.size.map_or_else(|| "-".to_owned(), table::size),
                dir.path.clone(),
            ]
        };
        let rows: Vec<_> = self.directories.iter().map(row).collect();
        let heading = ["MADE", "SECTION", "BY", "FILES", "SIZE", "DIRECTORY"];
        table::write(f, heading, &rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_and_section_may_stand_in_either_order() {
        let read = |words: &[&str]| {
            let args = Args::from_words(NEW.params, words, &VfsPath::root()).unwrap();
            asked(&args).map_err(|why| why.field.unwrap())
        };
        assert_eq!(read(&[]), Ok((None, USUAL)));
        assert_eq!(read(&["5"]), Ok((None, 5)));
        assert_eq!(read(&["mp3"]), Ok((Some("mp3".to_owned()), USUAL)));
        for words in [["5", "mp3"], ["mp3", "5"]] {
            assert_eq!(read(&words), Ok((Some("mp3".to_owned()), 5)));
        }
        // A section may be called so.
        assert_eq!(read(&["5", "0daily"]), Ok((Some("0daily".to_owned()), 5)));
        assert_eq!(read(&["7", "2024"]), Ok((Some("2024".to_owned()), 7)));
        assert_eq!(read(&["5000"]), Ok((None, MOST)));
        assert_eq!(read(&["0"]), Err("count".to_owned()));
        assert_eq!(read(&["a", "b"]), Err("count".to_owned()));
    }
}
