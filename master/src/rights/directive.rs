//! The kinds of lines: one block each, from which both readers, their errors and the tests derive.

use Argument::{Amount, OneOf, Ratio, Text};

/// A kind of line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Directive {
    /// Who sees what is there; nobody else is told of it in any way.
    PrivPath,
    /// Who may send new files to there.
    Upload,
    /// Who may go on with files, or append to them.
    Resume,
    /// Who may do so with their own.
    ResumeOwn,
    /// Who may fetch.
    Download,
    /// Who may send files that are there already.
    Overwrite,
    /// Who may do so with their own.
    OverwriteOwn,
    /// Who may delete files and remove empty directories.
    Delete,
    /// Who may do so with their own.
    DeleteOwn,
    /// Who may rename.
    Rename,
    /// Who may rename what is their own.
    RenameOwn,
    /// Who may make directories.
    MakeDir,
    /// Who may set times.
    SetTime,
    /// Who may set times of what is their own.
    SetTimeOwn,
    /// Who may have other hosts than their client at the other end of a data connection.
    Fxp,
    /// Who may not send from other hosts.
    DenyUpFxp,
    /// Who may not fetch to other hosts.
    DenyDnFxp,
    /// Who may not fetch files that are still being uploaded.
    DenyDownload,
    /// From whom files are hidden until they are complete.
    HideUploads,
    /// Whose uploads may be empty.
    AllowEmpty,
    /// Who may give nothing a name like that.
    DenyName,
    /// Whom `who` does not show while they are there.
    HideInWho,
    /// Who may publish from there.
    Pre,
    /// Whose uploads there are compared with all others.
    DupeCheck,
    /// What an upload there earns.
    CreditCheck,
    /// What a download from there costs.
    CreditLoss,
    /// How many bytes may be moved there in a time.
    CreditLimit,
    /// Whose uploads there are not counted.
    NoStatsUp,
    /// Whose downloads from there are not counted.
    NoStatsDn,
    /// The text that is shown to those who enter.
    MsgPath,
}

/// What stands between a line's path and its people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    /// A factor, 0 or more.
    Ratio,
    /// Bytes.
    Amount,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A name of a file.
    Text,
}

/// How lines of a kind are written.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    /// Which.
    pub directive: Directive,
    /// Its name in both forms.
    pub name: &'static str,
    /// What stands between path and people, by name.
    pub arguments: &'static [(&'static str, Argument)],
}

const fn plain(directive: Directive, name: &'static str) -> Form {
    Form {
        directive,
        name,
        arguments: &[],
    }
}

const fn with(
    directive: Directive,
    name: &'static str,
    arguments: &'static [(&'static str, Argument)],
) -> Form {
    Form {
        directive,
        name,
        arguments,
    }
}

/// How many directives there are. A number of its own: a type that counts [`FORMS`] makes the compiler go round in circles.
pub const DIRECTIVES: usize = 30;

/// All of them, in the order of [`Directive`].
pub const FORMS: [Form; DIRECTIVES] = [
    plain(Directive::PrivPath, "privpath"),
    plain(Directive::Upload, "upload"),
    plain(Directive::Resume, "resume"),
    plain(Directive::ResumeOwn, "resumeown"),
    plain(Directive::Download, "download"),
    plain(Directive::Overwrite, "overwrite"),
    plain(Directive::OverwriteOwn, "overwriteown"),
    plain(Directive::Delete, "delete"),
    plain(Directive::DeleteOwn, "deleteown"),
    plain(Directive::Rename, "rename"),
    plain(Directive::RenameOwn, "renameown"),
    plain(Directive::MakeDir, "makedir"),
    plain(Directive::SetTime, "settime"),
    plain(Directive::SetTimeOwn, "settimeown"),
    plain(Directive::Fxp, "fxp"),
    plain(Directive::DenyUpFxp, "deny_upfxp"),
    plain(Directive::DenyDnFxp, "deny_dnfxp"),
    plain(Directive::DenyDownload, "denydownload"),
    plain(Directive::HideUploads, "hideuploads"),
    plain(Directive::AllowEmpty, "allowempty"),
    plain(Directive::DenyName, "denyname"),
    plain(Directive::HideInWho, "hideinwho"),
    plain(Directive::Pre, "pre"),
    plain(Directive::DupeCheck, "dupecheck"),
    with(Directive::CreditCheck, "creditcheck", &[("ratio", Ratio)]),
    with(Directive::CreditLoss, "creditloss", &[("ratio", Ratio)]),
    with(
        Directive::CreditLimit,
        "creditlimit",
        &[
            ("direction", OneOf(&["UP", "DN"])),
            ("period", OneOf(&["DAY", "WEEK", "MONTH", "ALL"])),
            ("bytes", Amount),
        ],
    ),
    plain(Directive::NoStatsUp, "nostatsup"),
    plain(Directive::NoStatsDn, "nostatsdn"),
    with(Directive::MsgPath, "msgpath", &[("file", Text)]),
];

/// Lines of DrFTPD's file that are not about paths, and where that is said here.
pub const ELSEWHERE: &[(&str, &str)] = &[
    ("login_prompt", "ftp.greeting in master.toml"),
    (
        "max_users",
        "accounts.max_logins and accounts.exempt_logins in master.toml",
    ),
    ("exempt", "accounts.exempt in master.toml"),
    ("allow_connections", "a firewall's"),
    ("allow_connections_deny_reason", "a firewall's"),
    ("shutdown", "`shutdown` of the commands"),
    (
        "pasv_ports",
        "passive.ports in master.toml, and in slave.toml",
    ),
    ("pasv_addr", "passive.announce_address in master.toml"),
    ("bouncer_ips", "ftp.bouncers in master.toml"),
    ("userrejectsecure", "tls.login and tls.rules in master.toml"),
    (
        "userrejectinsecure",
        "tls.login and tls.rules in master.toml",
    ),
    (
        "denydiruncrypted",
        "tls.listings and tls.rules in master.toml",
    ),
    ("denydatauncrypted", "tls.data and tls.rules in master.toml"),
];

impl Directive {
    /// How it is written.
    pub fn form(self) -> &'static Form {
        &FORMS[self as usize]
    }
}

/// The kind of that name, and whether its lines match by regular expression (`…ex`).
pub fn named(name: &str) -> Option<(Directive, bool)> {
    let is = |name: &str| FORMS.iter().find(|form| form.name == name);
    let plain = is(name).map(|form| (form.directive, false));
    plain.or_else(|| Some((is(name.strip_suffix("ex")?)?.directive, true)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_place_and_one_name() {
        for (at, form) in FORMS.iter().enumerate() {
            assert_eq!(form.directive as usize, at, "{}", form.name);
            assert_eq!(form.directive.form().name, form.name);
            assert_eq!(named(form.name), Some((form.directive, false)));
            let expression = format!("{}ex", form.name);
            assert_eq!(named(&expression), Some((form.directive, true)));
            assert!(ELSEWHERE.iter().all(|(other, _)| *other != form.name));
        }
        for none in ["", "ex", "Upload", "uploadexex", "shutdown"] {
            assert_eq!(named(none), None, "{none}");
        }
    }
}
