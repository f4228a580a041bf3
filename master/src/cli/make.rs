//! `init` and `config check`.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

use drftpd_actors::block_on;
use toml::Value;

use super::arguments::InitOrder;
use super::profile;
use super::serve::absolute;
use super::{Failure, give, say};
use crate::accounts::Administrator;
use crate::config::MasterConfig;
use crate::config::document::{Setting, fill};
use crate::extend::Extensions;
use crate::setup::{self, PASSWORD, make_folder};

/// `init`.
pub(super) fn init(of: &Extensions, order: &InitOrder) -> Result<(), Failure> {
    let file = absolute(&order.config)?;
    let sheet = profile::sheet(order.profile).map_err(no_key)?;
    let text = fill(&sheet.config, &settings(order)?).map_err(no_key)?;
    let mut files = vec![(file.clone(), text)];
    if let Some(permissions) = sheet.permissions {
        files.insert(0, (file.with_file_name(profile::PERMISSIONS), permissions));
    }
    if let Some((there, _)) = files.iter().find(|(file, _)| file.exists()) {
        return Err(exists(there));
    }
    if let Some(folder) = file.parent() {
        make_folder(folder)?;
    }
    for (file, text) in &files {
        write_new(file, text)?;
    }
    let config = MasterConfig::read_for(of, &file, &[])?;
    let password = std::env::var(PASSWORD).ok();
    let made = block_on(setup::make(&config, &order.user, password.as_deref()));
    let made = made.map_err(|why| Failure::failed(why.to_string()))?;
    let (user, made) = made.inspect_err(|_| {
        // So that the next try does not find them.
        for (file, _) in &files {
            drop(std::fs::remove_file(file));
        }
    })?;
    tell(&user, &made)?;
    say(&format!(
        "now: drftpd-master run --config {}",
        order.config.display()
    ));
    Ok(())
}

/// Prints a password that was made: this once.
pub(crate) fn tell(user: &str, made: &Administrator) -> Result<(), Failure> {
    match made {
        Administrator::Generated(password) => give(&format!("user {user} password {password}")),
        Administrator::Made => give(&format!("user {user} password from {PASSWORD}")),
        Administrator::Kept => give(&format!("user {user} password as it was")),
    }
}

fn no_key(key: String) -> Failure {
    Failure::failed(format!("no key {key}"))
}

/// What differs from the profile.
fn settings(order: &InitOrder) -> Result<Vec<Setting>, Failure> {
    let mut settings: Vec<Setting> = Vec::new();
    if let Some(dir) = &order.dir {
        let dir = absolute(dir)?;
        let dir = dir
            .to_str()
            .ok_or_else(|| Failure::wrong("--dir: must be UTF-8"))?;
        settings.push(("master", "dir", Value::String(dir.to_owned())));
    }
    Ok(settings)
}

fn exists(file: &Path) -> Failure {
    Failure::wrong(format!("{} exists and is not overwritten", file.display()))
}

fn write_new(file: &Path, text: &str) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    let new = options.write(true).create_new(true).open(file);
    let written = new.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|why| match why.kind() {
        ErrorKind::AlreadyExists => exists(file),
        _ => Failure::failed(format!("{}: {why}", file.display())),
    })
}

/// `config check`.
pub(super) fn check(of: &Extensions, file: &Path) -> Result<(), Failure> {
    MasterConfig::read_for(of, file, &[])?;
    Ok(())
}
