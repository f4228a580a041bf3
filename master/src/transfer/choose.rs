//! Chooses a slave, and a root on it: the chain judges, the most points win. Pure.

use super::chart::{Ask, Chain, Row};
use super::filters::Filters;
use super::ledger::Ledger;
use super::types::Want;

/// Rejections that are named in the log.
const NAMED: usize = 5;

/// Lets every filter of a chain judge the rows.
pub fn judge(filters: &Filters, rows: &mut [Row], want: &Want, chain: Chain) {
    let ask = Ask {
        path: &want.path,
        chain,
        bytes: want.bytes,
    };
    for filter in filters {
        filter.apply(rows, &ask);
    }
}

/// The row to take: of the slave with the most points; of its roots the one that took the
/// directory's last file if it is as good as any, else the one with the most room.
pub fn choose<'r>(rows: &'r [Row], ledger: &Ledger, want: &Want, chain: Chain) -> Option<&'r Row> {
    let fits = |row: &&Row| row.is_in() && (!chain.receives() || row.free >= want.bytes);
    let best = rows.iter().filter(fits).map(|row| row.score).max()?;
    let top = |row: &&Row| fits(row) && row.score == best;
    let slave = &rows.iter().find(top)?.slave;
    let its: Vec<&Row> = rows
        .iter()
        .filter(|row| top(row) && row.slave == *slave)
        .collect();
    let directory = want.path.parent();
    let last = directory.and_then(|directory| ledger.root_of(slave, &directory));
    let together = its.iter().find(|row| Some(row.root) == last);
    let roomy = its.iter().rev().max_by_key(|row| row.free);
    together.or(roomy).copied()
}

/// Why nothing was chosen, for the log.
pub fn why_none(rows: &[Row], want: &Want, slaves: usize) -> String {
    if slaves == 0 {
        return "no slave is online".to_owned();
    }
    if rows.is_empty() {
        return match &want.roots {
            Some(roots) if roots.is_empty() => "nobody holds it".to_owned(),
            Some(_) => "no root that holds it is present".to_owned(),
            None => "no slave has a root that can be written".to_owned(),
        };
    }
    let reasons: Vec<String> = rows
        .iter()
        .take(NAMED)
        .map(|row| {
            let why = row.rejected.as_deref().unwrap_or("too little free space");
            format!("{} {}: {why}", row.slave, row.folder)
        })
        .collect();
    match rows.len().saturating_sub(NAMED) {
        0 => reasons.join("; "),
        more => format!("{}; and {more} more", reasons.join("; ")),
    }
}
