//! `dump` and `load`: the store as JSON lines; `backup`: its file; `import`: accounts of other daemons.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use clap::ValueEnum;
use drftpd_actors::{Clock, Dice};

use super::arguments::{At, ImportFormat};
use super::ctl::{Found, ask, connect, ctl};
use super::{Failure, absolute, say, words};
use crate::extend::Extensions;
use crate::store::dump;

/// `dump [FILE]`.
pub(super) fn dump(of: &Extensions, at: &At, to: Option<&Path>) -> Result<(), Failure> {
    let said = words(&["dump"]);
    let answer = match to {
        None => {
            let mut out = BufWriter::new(io::stdout().lock());
            let answer = ask(of, at, &said, &mut out)??;
            out.flush()
                .map_err(|why| Failure::failed(format!("stdout: {why}")))?;
            answer
        }
        Some(file) => {
            let failed = |why: io::Error| Failure::failed(format!("{}: {why}", file.display()));
            let mut fresh = file.as_os_str().to_owned();
            fresh.push(".new");
            let mut options = OpenOptions::new();
            let options = options.write(true).create(true).truncate(true).mode(0o600);
            let mut out = BufWriter::new(options.open(&fresh).map_err(failed)?);
            let answer = ask(of, at, &said, &mut out)??;
            let out = out.into_inner().map_err(|why| failed(why.into_error()))?;
            out.sync_all().map_err(failed)?;
            fs::rename(&fresh, file).map_err(failed)?;
            answer
        }
    };
    say(&answer.text);
    Ok(())
}

/// `backup --to FILE`: whoever has the store writes it, here or in the master.
pub(super) fn backup(of: &Extensions, at: &At, to: &Path) -> Result<(), Failure> {
    let to = absolute(to)?;
    let text = to.to_str();
    let text = text.ok_or_else(|| Failure::wrong("the file's path must be UTF-8"))?;
    ctl(of, at, false, &words(&["backup", text]))
}

/// `import FORMAT FROM [--apply]`.
pub(super) fn import(
    of: &Extensions,
    at: &At,
    (format, from): (ImportFormat, &Path),
    apply: bool,
    json: bool,
) -> Result<(), Failure> {
    let format = format.to_possible_value();
    let format = format.ok_or_else(|| Failure::wrong("no such format"))?;
    let from = absolute(from)?;
    let text = from.to_str();
    let text = text.ok_or_else(|| Failure::wrong("the path must be UTF-8"))?;
    let said = ["import", format.get_name(), text, "apply"];
    let said = if apply { &said[..] } else { &said[..3] };
    ctl(of, at, json, &words(said))
}

/// `load [FILE]`.
pub(super) fn load(of: &Extensions, at: &At, from: Option<&Path>) -> Result<(), Failure> {
    let Found::Store(config) = connect(of, at)? else {
        return Err(Failure::failed("a master runs there; end it first"));
    };
    let mut input: Box<dyn BufRead> = match from {
        None => Box::new(io::stdin().lock()),
        Some(file) => {
            let open = File::open(file);
            let open = open.map_err(|why| Failure::wrong(format!("{}: {why}", file.display())))?;
            Box::new(BufReader::new(open))
        }
    };
    let folder = config.master.store();
    let (clock, dice) = (Clock::system(), Dice::system());
    let loaded = dump::load(&folder, &config.store, &mut input, &clock, &dice);
    let loaded = loaded.map_err(|why| Failure::of(&why))?;
    let identity = loaded.identity;
    say(&format!(
        "{} rows; the store is {} of epoch {}",
        loaded.rows, identity.store, identity.epoch
    ));
    Ok(())
}
