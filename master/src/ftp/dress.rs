//! Pages, themed words and the user line, put into the replies that they belong to.

use drftpd_protocol::VfsPath;
use drftpd_protocol::ftp::reply::{Reply, Text};

use super::data::record::Figures;
use super::services::VerbCx;
use crate::accounts::Account;
use crate::pages::{Facts, Themed, Which};

impl VerbCx {
    /// 230 for somebody who has just logged in.
    pub(super) fn logged_in(&self, account: &Account) -> Reply {
        let (plain, whose) = (Reply::logged_in(), (account, &account.home));
        let welcome = self.paged(plain, whose, Which::Welcome, Themed::LoggedIn);
        welcome.comments(self.mail(Some(account)))
    }

    /// 221; whoever is logged in gets the page.
    pub(super) fn goodbye(&self) -> Reply {
        let plain = Reply::goodbye();
        match self.state.account() {
            Some(account) => {
                let whose: (&Account, _) = (account, &self.state.cwd);
                self.paged(plain, whose, Which::Goodbye, Themed::Goodbye)
            }
            None => plain,
        }
    }

    /// A reply with a page in front of it, and other words where the theme has some.
    fn paged(
        &self,
        plain: Reply,
        (account, path): (&Account, &VfsPath),
        which: Which<'_>,
        themed: Themed,
    ) -> Reply {
        let page = |facts: &Facts<'_>| {
            let pages = &self.services.pages;
            (pages.page(which, facts), pages.words(themed, facts))
        };
        let (lines, words) = self.with_facts(Some(account), path, None, page);
        let last = words.map_or_else(|| plain.text().clone(), Text::from);
        Reply::new(plain.code(), last).comments(lines)
    }

    /// Says that somebody has messages which they have not read.
    fn mail(&self, account: Option<&Account>) -> Option<String> {
        match self.services.accounts.unread(&account?.name) {
            0 => None,
            1 => Some("You have a new message: SITE MSGS".to_owned()),
            many => Some(format!("You have {many} new messages: SITE MSGS")),
        }
    }

    /// 250 for who enters a directory: as it is asked for, and resolved.
    pub(super) fn entered(&self, path: &VfsPath, resolved: &VfsPath) -> Reply {
        let rules = self.services.rights.rules();
        let page = |facts: &Facts<'_>| {
            let pages = &self.services.pages;
            let lines = pages.page(Which::Entered(resolved, &rules), facts);
            (lines, pages.words(Themed::Directory, facts))
        };
        let account = self.state.account().map(AsRef::as_ref);
        let (mut lines, words) = self.with_facts(account, path, None, page);
        lines.extend(self.mail(account));
        let plain = || Text::concat(&[b"Directory changed to ", &path.to_bytes()]);
        Reply::new(250, words.map_or_else(plain, Text::from)).comments(lines)
    }

    /// 226 of a transfer.
    pub(super) fn transferred(&self, figures: &Figures) -> Reply {
        let page = |facts: &Facts<'_>| {
            let pages = &self.services.pages;
            (pages.user_line(facts), pages.words(Themed::Transfer, facts))
        };
        let account = self.state.account().map(AsRef::as_ref);
        let moved = figures.shown();
        let (line, words) = self.with_facts(account, &self.state.cwd, Some(&moved), page);
        let words = words.unwrap_or_else(|| format!("Transfer complete, {figures}"));
        Reply::new(226, words).comments(line)
    }

    /// 226 of a listing.
    pub(super) fn listed(&self) -> Reply {
        let account = self.state.account().map(AsRef::as_ref);
        let line = |facts: &Facts<'_>| self.services.pages.user_line(facts);
        let line = self.with_facts(account, &self.state.cwd, None, line);
        Reply::transfer_complete().comments(line)
    }

    fn with_facts<T>(
        &self,
        account: Option<&Account>,
        path: &VfsPath,
        moved: Option<&[String; 3]>,
        of: impl FnOnce(&Facts<'_>) -> T,
    ) -> T {
        let accounts = &self.services.accounts;
        let more = || {
            account
                .map(|who| accounts.credits_and_tagline(&who.name))
                .unwrap_or_default()
        };
        of(&Facts {
            account,
            client: Some(self.client()),
            now: self.services.clock.unix(),
            path,
            more: &more,
            moved,
        })
    }
}
