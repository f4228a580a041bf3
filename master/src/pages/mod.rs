//! What users are shown beside the plain replies: pages (welcome, goodbye, rules, messages of directories), the words of some
//! replies, and the line with credits, ratio and speed at the ends of transfers and listings.
//!
//! All of it is read with the configuration, checked by line, and kept in memory: a CWD reads no file. It goes out as inner
//! lines of the reply it belongs to, which no client can take for another reply; the code stays what it is.

mod load;
mod template;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use drftpd_actors::ConfigError;
use drftpd_protocol::VfsPath;
use serde::Deserialize;
use tokio::sync::watch;

pub use template::{Template, Variable};

use crate::accounts::Account;
use crate::accounts::limits::Unit;
use crate::config::MasterConfig;
use crate::rights::Rules;

/// `[pages]`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PagesConfig {
    /// The folder in which the texts are; without it there are none.
    pub folder: Option<PathBuf>,
    /// At whose ends the user line is shown.
    pub user_line: UserLine,
    /// What is in the folder.
    #[serde(skip)]
    pub loaded: Arc<Loaded>,
}

/// Where the user line is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserLine {
    /// Nowhere.
    #[default]
    Never,
    /// At the ends of downloads and uploads.
    Transfers,
    /// At the ends of listings, too.
    Always,
}

/// The words of a reply that can be others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Themed {
    /// 230.
    LoggedIn,
    /// 221.
    Goodbye,
    /// 250 of CWD and CDUP.
    Directory,
    /// 226 of a transfer.
    Transfer,
    /// The user line after a transfer.
    TransferLine,
    /// The user line after a listing.
    ListingLine,
}

/// Each with its name, and whether it may tell of a transfer.
const THEME: [(&str, Themed, bool); 6] = [
    ("logged_in", Themed::LoggedIn, false),
    ("goodbye", Themed::Goodbye, false),
    ("directory", Themed::Directory, false),
    ("transfer", Themed::Transfer, true),
    ("transfer_line", Themed::TransferLine, true),
    ("listing_line", Themed::ListingLine, false),
];

/// The user line where the theme has none.
const LINE: &str = "[Credits: ${credits}] [Ratio: ${ratio}]";
/// The same after a transfer.
const LINE_OF_TRANSFER: &str = "[Credits: ${credits}] [Ratio: ${ratio}] [Speed: ${speed}]";

/// A page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page(Vec<Template>);

/// What was read.
#[derive(Debug, PartialEq, Default)]
pub struct Loaded {
    welcome: Page,
    goodbye: Page,
    rules: Page,
    /// Of directories.
    messages: BTreeMap<VfsPath, Page>,
    /// Of lines of the permissions, by the name in them.
    named: BTreeMap<String, Page>,
    theme: BTreeMap<Themed, Template>,
}

impl PagesConfig {
    /// Reads the folder, and the pages that lines of the permissions name.
    ///
    /// # Errors
    /// Everything that is wrong, each with file and line.
    pub fn read(&mut self, rules: &Rules) -> Result<(), Vec<ConfigError>> {
        let named: Vec<&str> = rules.messages().collect();
        self.loaded = match &self.folder {
            Some(folder) if !folder.is_dir() => {
                let why = format!("{}: is no folder", folder.display());
                return Err(vec![ConfigError::new("pages.folder", why)]);
            }
            Some(folder) => Arc::new(load::folder(folder, &named)?),
            // Their lines show nothing: there is nowhere to look for their pages.
            None => Arc::default(),
        };
        Ok(())
    }
}

/// Whom and what values are of.
pub struct Facts<'f> {
    /// Who is logged in, if anybody is.
    pub account: Option<&'f Account>,
    /// The client's address.
    pub client: Option<IpAddr>,
    /// Unix seconds.
    pub now: i64,
    /// Where they are.
    pub path: &'f VfsPath,
    /// Credits and tagline, looked up only where they are shown.
    pub more: &'f dyn Fn() -> (i64, String),
    /// What was moved: bytes, speed, and all of it.
    pub moved: Option<&'f [String; 3]>,
}

impl Facts<'_> {
    fn value(&self, variable: Variable) -> String {
        let of = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let moment = || {
            let at = std::time::Duration::from_secs(u64::try_from(self.now).unwrap_or(0));
            humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + at).to_string()
        };
        match variable {
            Variable::User => of(self.account.map(|account| account.name.clone())),
            Variable::Group => of(self.account.map(|account| account.group.clone())),
            Variable::Ratio => of(self.account.map(|account| format!("1:{}", account.ratio))),
            Variable::Credits => of(self.account.map(|_| Unit::show_signed((self.more)().0))),
            Variable::Tagline => of(self.account.map(|_| (self.more)().1)),
            Variable::Client => of(self.client.map(|client| client.to_string())),
            Variable::Date => moment().get(..10).unwrap_or_default().to_owned(),
            Variable::Time => moment().get(11..19).unwrap_or_default().to_owned(),
            Variable::Path => String::from_utf8_lossy(&self.path.to_bytes()).into_owned(),
            Variable::Bytes => of(self.moved.map(|moved| moved[0].clone())),
            Variable::Speed => of(self.moved.map(|moved| moved[1].clone())),
            Variable::Figures => of(self.moved.map(|moved| moved[2].clone())),
        }
    }
}

/// Which page.
#[derive(Debug, Clone, Copy)]
pub enum Which<'p> {
    /// After login.
    Welcome,
    /// At the end.
    Goodbye,
    /// `SITE RULES`.
    Rules,
    /// Of a directory that is entered, its path resolved.
    Entered(&'p VfsPath, &'p Rules),
}

/// The pages that count now. Cheap to clone.
#[derive(Clone)]
pub struct Pages(watch::Receiver<Arc<MasterConfig>>);

impl Pages {
    /// Those of a configuration that may be read again.
    pub fn of(current: watch::Receiver<Arc<MasterConfig>>) -> Self {
        Self(current)
    }

    /// None.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self(watch::channel(Arc::new(MasterConfig::default())).1)
    }

    fn config(&self) -> Arc<MasterConfig> {
        Arc::clone(&self.0.borrow())
    }

    /// The lines of a page.
    pub fn page(&self, which: Which<'_>, facts: &Facts<'_>) -> Vec<String> {
        self.config().pages.page(which, facts)
    }

    /// The words of a reply, where a theme has others.
    pub fn words(&self, themed: Themed, facts: &Facts<'_>) -> Option<String> {
        let config = self.config();
        let template = config.pages.loaded.theme.get(&themed)?;
        Some(template.line(&mut |variable| facts.value(variable)))
    }

    /// The user line, where it is shown.
    pub fn user_line(&self, facts: &Facts<'_>) -> Option<String> {
        let config = self.config();
        let (themed, otherwise, from) = match facts.moved {
            Some(_) => (Themed::TransferLine, LINE_OF_TRANSFER, UserLine::Transfers),
            None => (Themed::ListingLine, LINE, UserLine::Always),
        };
        if config.pages.user_line < from {
            return None;
        }
        self.words(themed, facts).or_else(|| {
            let template = Template::read(otherwise, facts.moved.is_some()).ok()?;
            Some(template.line(&mut |variable| facts.value(variable)))
        })
    }
}

impl PagesConfig {
    /// The lines of a page.
    pub fn page(&self, which: Which<'_>, facts: &Facts<'_>) -> Vec<String> {
        let loaded = &self.loaded;
        let pages = match which {
            Which::Welcome => [Some(&loaded.welcome), None],
            Which::Goodbye => [Some(&loaded.goodbye), None],
            Which::Rules => [Some(&loaded.rules), None],
            Which::Entered(path, rules) => {
                let of_line = facts.account.and_then(|who| rules.message(who, path));
                let of_line = of_line.and_then(|name| loaded.named.get(name));
                [loaded.messages.get(path), of_line]
            }
        };
        let templates = pages.into_iter().flatten().flat_map(|page| &page.0);
        let lines = templates.map(|it| it.line(&mut |variable| facts.value(variable)));
        lines.collect()
    }
}

#[cfg(test)]
mod tests;
