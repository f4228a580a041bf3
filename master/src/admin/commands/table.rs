//! Tables for people: columns as wide as their widest cell.

use std::fmt;

/// Writes a heading and rows, two blanks between columns; the last column is not padded.
pub(crate) fn write<const N: usize>(
    f: &mut fmt::Formatter<'_>,
    heading: [&str; N],
    rows: &[[String; N]],
) -> fmt::Result {
    let mut wide = heading.map(|cell| cell.chars().count());
    for row in rows {
        for (wide, cell) in wide.iter_mut().zip(row) {
            *wide = (*wide).max(cell.chars().count());
        }
    }
    let line = |f: &mut fmt::Formatter<'_>, cells: &[&str]| {
        let mut text = String::new();
        for (wide, cell) in wide.iter().zip(cells) {
            text += &format!("{cell:<wide$}  ", wide = *wide);
        }
        writeln!(f, "{}", text.trim_end())
    };
    line(f, &heading)?;
    for row in rows {
        let cells: Vec<&str> = row.iter().map(String::as_str).collect();
        line(f, &cells)?;
    }
    Ok(())
}

/// A size for people.
pub(crate) fn size(bytes: u64) -> String {
    bytesize::ByteSize(bytes).display().iec().to_string()
}

/// Seconds for people.
pub(crate) fn seconds(seconds: u64) -> String {
    humantime::format_duration(std::time::Duration::from_secs(seconds)).to_string()
}

/// A moment for people, UTC.
pub(crate) fn moment(unix: i64) -> String {
    let Ok(secs) = u64::try_from(unix) else {
        return "-".to_owned();
    };
    let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(secs);
    humantime::format_rfc3339_seconds(at).to_string()
}
