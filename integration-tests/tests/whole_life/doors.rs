//! The doors that operators come by, each with the program that people use there, and with which users move files meanwhile.

use std::path::PathBuf;
use std::process::Command as Program;

use anyhow::{Context, Result, ensure};
use drftpd_integration_tests::cluster::{PASSWORD, USER};
use drftpd_integration_tests::process::program;
use drftpd_integration_tests::{Cluster, Tool};
use drftpd_master::Extensions;
use drftpd_master::admin::{Command, Kind, Param};
use serde_json::{Map, Value};

/// Where a life is lived.
pub struct Place {
    pub cluster: Cluster,
    /// The clients' files.
    pub dir: PathBuf,
    /// The API's token.
    pub token: String,
}

/// What came of a command.
pub struct Said {
    pub done: bool,
    pub text: String,
}

/// A door with its program.
pub trait Door {
    fn name(&self) -> &'static str;
    /// Carries out lines of commands, one after the other.
    fn act(&self, place: &Place, lines: &[&str]) -> Result<Vec<Said>>;

    /// Stores a file of `dir` for a user.
    fn store(&self, place: &Place, user: &str, file: &str, to: &str) -> Result<()> {
        let url = format!("ftp://{}{to}", place.cluster.ftp);
        let curl = Tool::new("curl", &place.dir).args(["-sS", "-u", user, "-T", file, &url]);
        curl.run().map(drop)
    }

    /// Fetches a file into `dir` for a user.
    fn fetch(&self, place: &Place, user: &str, from: &str, to: &str) -> Result<()> {
        let url = format!("ftp://{}{from}", place.cluster.ftp);
        let curl = Tool::new("curl", &place.dir).args(["-sS", "-u", user, "-o", to, &url]);
        curl.run().map(drop)
    }
}

/// The command that a line says, and its other words.
fn command<'w>(words: &'w [&'w str]) -> Result<(&'static Command, &'w [&'w str])> {
    // Those of plugins too.
    let commands = Extensions::default().commands().clone();
    let found = commands.find(words);
    found.with_context(|| format!("no command {words:?}"))
}

/// lftp, which says SITE with the names that DrFTPD has.
pub struct Site;

/// Stands between the replies of lftp.
const END: &str = "=end=";

impl Site {
    fn lftp(place: &Place, user: &str, script: &str) -> Result<String> {
        let script = format!(
            "set ssl:verify-certificate no; set net:max-retries 1; open -u {user} ftp://{}; {script}",
            place.cluster.ftp
        );
        Tool::new("lftp", &place.dir)
            .args(["--norc", "-c", &script])
            .run()
    }
}

impl Door for Site {
    fn name(&self) -> &'static str {
        "SITE with lftp"
    }

    fn act(&self, place: &Place, lines: &[&str]) -> Result<Vec<Said>> {
        let mut script = String::new();
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            let (command, rest) = command(&words)?;
            let name = command.site.first().copied().unwrap_or(command.name);
            script += &format!("site {name} {}; echo {END};", rest.join(" "));
        }
        let printed = Self::lftp(place, &format!("'{USER},{PASSWORD}'"), &script)?;
        let all: Vec<&str> = printed.split_terminator(&format!("{END}\n")).collect();
        ensure!(all.len() == lines.len(), "{lines:?}: {printed}");
        let said = |text: &&str| Said {
            done: text
                .lines()
                .last()
                .is_some_and(|line| line.starts_with("200 ") || line.starts_with("214 ")),
            text: (*text).to_owned(),
        };
        Ok(all.iter().map(said).collect())
    }

    fn store(&self, place: &Place, user: &str, file: &str, to: &str) -> Result<()> {
        let user = user.replace(':', ",");
        Self::lftp(place, &user, &format!("put {file} -o {to}")).map(drop)
    }

    fn fetch(&self, place: &Place, user: &str, from: &str, to: &str) -> Result<()> {
        let user = user.replace(':', ",");
        Self::lftp(place, &user, &format!("get {from} -o {to}")).map(drop)
    }
}

/// `drftpd-master ctl`.
pub struct Ctl;

impl Door for Ctl {
    fn name(&self) -> &'static str {
        "ctl"
    }

    fn act(&self, place: &Place, lines: &[&str]) -> Result<Vec<Said>> {
        let act = |line: &&str| {
            let mut ctl = Program::new(program("drftpd-master")?);
            ctl.arg("ctl").args(line.split(' '));
            let output = ctl
                .arg("--config")
                .arg(place.cluster.master_config())
                .output()?;
            let text = [output.stdout, output.stderr].concat();
            Ok(Said {
                done: output.status.success(),
                text: String::from_utf8(text)?,
            })
        };
        lines.iter().map(act).collect()
    }
}

/// curl, which posts JSON to the API.
pub struct Api;

impl Door for Api {
    fn name(&self) -> &'static str {
        "the API with curl"
    }

    fn act(&self, place: &Place, lines: &[&str]) -> Result<Vec<Said>> {
        let authorization = format!("Authorization: Bearer {}", place.token);
        let mut arguments: Vec<String> = Vec::new();
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            let (command, rest) = command(&words)?;
            let at = command.name.replace(' ', "/");
            let url = format!("http://{}/api/v1/{at}", place.cluster.at("admin")?);
            let body = Value::Object(json(command.params, rest)?).to_string();
            if !arguments.is_empty() {
                arguments.push("--next".to_owned());
            }
            let one = [
                "-sS",
                "-H",
                &authorization,
                "--json",
                &body,
                "-w",
                "\n%{http_code}\n",
                &url,
            ];
            arguments.extend(one.map(str::to_owned));
        }
        let printed = Tool::new("curl", &place.dir).args(arguments).run()?;
        let all: Vec<&str> = printed.lines().collect();
        ensure!(all.len() == 2 * lines.len(), "{lines:?}: {printed}");
        let said = |pair: &[&str]| Said {
            done: pair[1] == "200",
            text: pair[0].to_owned(),
        };
        Ok(all.chunks(2).map(said).collect())
    }
}

/// Words as the JSON object that says the same.
fn json(params: &[Param], words: &[&str]) -> Result<Map<String, Value>> {
    let mut object = Map::new();
    let mut plain = Vec::new();
    for word in words {
        let pair = word.split_once('=');
        let named = pair.filter(|(name, _)| params.iter().any(|param| param.name == *name));
        let is_switch = |param: &&Param| param.kind == Kind::Switch && param.name == *word;
        match named {
            None if params.iter().any(|param| is_switch(&param)) => {
                object.insert((*word).to_owned(), true.into());
            }
            Some((name, value)) => drop(object.insert(name.to_owned(), value.into())),
            None => plain.push(*word),
        }
    }
    let mut plain = plain.into_iter();
    for param in params
        .iter()
        .filter(|param| !param.named && param.kind != Kind::Switch)
    {
        let value = match (param.kind, plain.next()) {
            (_, None) => break,
            (Kind::Rest, Some(first)) => {
                let all: Vec<&str> = std::iter::once(first).chain(plain.by_ref()).collect();
                all.join(" ").into()
            }
            (_, Some(word)) => word.into(),
        };
        object.insert(param.name.to_owned(), value);
    }
    ensure!(plain.next().is_none(), "too many words: {words:?}");
    Ok(object)
}
