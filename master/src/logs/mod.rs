//! Logs in files of their own, beside the log of the program: transfers ([`xferlog`]), everything that happens as JSON
//! lines ([`events`]), and lines as glftpd writes them ([`glftpd`]).
//!
//! What happens to the tree comes from the outbox: it is written before it is forgotten there, in its order, and once more
//! after a crash. Logins, transfers and what slaves report come from the bus; where the disk is too slow such lines are
//! dropped and counted. Each file is opened anew when the configuration is read again (SIGHUP), for log rotation.

mod events;
mod file;
mod glftpd;
mod start;
mod xferlog;

pub use file::LogFile;
pub(crate) use start::{NAMES, start};

use std::time::{Duration, UNIX_EPOCH};

/// `Thu Jan  1 00:00:00 1970`, UTC.
fn ctime(unix: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let text = rfc3339(unix);
    let number = |from: usize, to: usize| text.get(from..to).and_then(|part| part.parse().ok());
    let month: usize = number(5, 7).unwrap_or(1);
    let day: usize = number(8, 10).unwrap_or(1);
    let clock = text.get(11..19).unwrap_or("00:00:00");
    let year = text.get(..4).unwrap_or("1970");
    let days = u64::try_from(unix).unwrap_or(0) / 86_400;
    let weekday = usize::try_from(days % 7).unwrap_or(0);
    let month = MONTHS.get(month.saturating_sub(1)).unwrap_or(&"Jan");
    format!("{} {month} {day:2} {clock} {year}", DAYS[weekday])
}

/// `1970-01-01T00:00:00Z`.
fn rfc3339(unix: i64) -> String {
    let at = UNIX_EPOCH + Duration::from_secs(u64::try_from(unix).unwrap_or(0));
    humantime::format_rfc3339_seconds(at).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(ctime(0), "Thu Jan  1 00:00:00 1970");
        assert_eq!(ctime(951_782_400), "Tue Feb 29 00:00:00 2000");
        assert_eq!(rfc3339(951_782_400), "2000-02-29T00:00:00Z");
    }
}
