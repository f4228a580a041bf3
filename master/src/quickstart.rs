//! `quickstart`: a complete cluster in one process, for trying it out and for small machines.
//!
//! The first run writes `DIR/master.toml`, and each slave joins over the network like any other and has its files under
//! `DIR/slave-N`. Later runs obey what stands there; `--set` gives keys other values for one run.

mod embedded;
mod files;
mod overrides;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use drftpd_actors::ConfigError;
use tokio::sync::oneshot;

use crate::accounts::Administrator;
use crate::cli::{Failure, Process, QuickstartOrder, give, ready_line, say, tell_password};
use crate::config::MasterConfig;
use crate::deps::Serving;
use crate::extend::Extensions;
use crate::root::run;
use crate::setup::{self, PASSWORD, make_folder};
use crate::tls::own;

use embedded::Embedded;
use files::Files;
use overrides::Overrides;

/// How long the slaves may take to come online.
const ONLINE_WITHIN: Duration = Duration::from_secs(60);

/// Everything that a run needs.
struct Plan {
    files: Files,
    overrides: Overrides,
    config: MasterConfig,
    user: String,
    administrator: Administrator,
}

/// Runs a cluster until it is told to end.
pub(crate) fn quickstart(of: &Extensions, order: &QuickstartOrder) -> Result<(), Failure> {
    let plan = plan(of, order)?;
    let (file, set) = (plan.files.config.clone(), plan.overrides.master.clone());
    let again = of.clone();
    let process = Process::begin(&plan.config, move || read(&again, &file, &set))?;
    let embedded = Embedded::new(&plan.files, &plan.overrides)?;
    let done = process.run(async |process: &Process| serve(process, &plan, &embedded).await);
    embedded.end();
    done
}

fn plan(of: &Extensions, order: &QuickstartOrder) -> Result<Plan, Failure> {
    let files = Files::of(&order.dir)?;
    make_folder(&files.dir)?;
    let overrides = Overrides::sort(&order.set)?;
    let first = !files.config.exists();
    if first {
        files.write(order)?;
    }
    let config = read(of, &files.config, &overrides.master)?;
    if !first {
        files.say_differences(order, &config);
    }
    let password = std::env::var(PASSWORD).ok();
    let made = setup::make(&config, &order.user, password.as_deref());
    let made = drftpd_actors::block_on(made).map_err(|why| Failure::failed(why.to_string()))?;
    let (user, administrator) = made?;
    if user != order.user {
        note(&format!(
            "there is an administrator, {user}: none is made for --user"
        ));
    }
    Ok(Plan {
        files,
        overrides,
        config,
        user,
        administrator,
    })
}

fn read(of: &Extensions, file: &Path, set: &[String]) -> Result<MasterConfig, Vec<ConfigError>> {
    MasterConfig::read_for(of, file, set)
}

/// The master, and the slaves beside it: they begin when it serves, and end after it.
async fn serve(process: &Process, plan: &Plan, embedded: &Embedded) -> Result<(), Failure> {
    let mut deps = process.deps();
    deps.weak = embedded.weak_settings();
    let (ready, serving) = oneshot::channel();
    deps.ready = Some(Box::new(move |serving| drop(ready.send(serving))));
    let master = async { Ok(run(process.config.clone(), deps).await?) };
    let slaves = async {
        let Ok(serving) = serving.await else {
            return Ok(()); // the master says why
        };
        let began = begin(plan, embedded, &serving).await;
        let ended = match began {
            Ok(()) => embedded.until_one_fails().await,
            Err(failure) => Err(failure),
        };
        if ended.is_err() {
            process.drain.begin(Duration::ZERO);
        }
        ended
    };
    let mut slaves = std::pin::pin!(slaves);
    let mut failed = Ok(());
    let mut master = std::pin::pin!(master);
    let mut over = false;
    let done = loop {
        tokio::select! {
            done = &mut master => break done,
            ended = &mut slaves, if !over => {
                over = true;
                failed = ended;
            }
        }
    };
    embedded.drain().await;
    failed.and(done)
}

/// Brings the slaves online and says that everything is ready.
async fn begin(plan: &Plan, embedded: &Embedded, serving: &Serving) -> Result<(), Failure> {
    plan.files.keep_ports(&plan.overrides, serving)?;
    embedded.begin(plan, serving).await?;
    embedded.online(&serving.slaves, ONLINE_WITHIN).await?;
    tell_password(&plan.user, &plan.administrator)?;
    if let Some(at) = serving.ftp.first() {
        let certificate = shown_by(&plan.config);
        let lines = examples(&plan.user, &plan.administrator, *at, &certificate);
        give(&lines)?;
    }
    give(&ready_line(serving))
}

/// The certificate that clients have to believe.
fn shown_by(config: &MasterConfig) -> PathBuf {
    let file = own::of(config).certificate;
    // Without `.` on the way, for people.
    file.canonicalize().unwrap_or(file)
}

/// Lines to copy: over TLS, with the certificate that no client knows by itself; and in clear.
fn examples(
    user: &str,
    administrator: &Administrator,
    at: SocketAddr,
    certificate: &Path,
) -> String {
    let reach = match at.ip() {
        ip if ip.is_unspecified() && ip.is_ipv4() => "127.0.0.1".to_owned(),
        ip if ip.is_unspecified() => "[::1]".to_owned(),
        std::net::IpAddr::V6(ip) => format!("[{ip}]"),
        ip => ip.to_string(),
    };
    let port = at.port();
    let password = match administrator {
        Administrator::Generated(password) => password.clone(),
        Administrator::Made => format!("${PASSWORD}"),
        Administrator::Kept => "PASSWORD".to_owned(),
    };
    let file = certificate.display();
    // No slash behind lftp's: it would go there before it has heard of the certificate.
    format!(
        "try: lftp -e \"set ssl:ca-file '{file}'\" -u \"{user},{password}\" ftp://{reach}:{port}\n\
         try: curl --ssl-reqd --cacert \"{file}\" -u \"{user}:{password}\" ftp://{reach}:{port}/\n\
         try: curl -u \"{user}:{password}\" ftp://{reach}:{port}/    # in clear"
    )
}

/// Says something about the start that was not asked for.
fn note(text: &str) {
    say(&format!("quickstart: {text}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn example_lines_name_an_address_that_can_be_reached() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let kept = Administrator::Kept;
        let file = Path::new("/a b/c.pem");
        let lines = examples("admin", &kept, at("0.0.0.0:2121"), file);
        assert!(lines.contains("ftp://127.0.0.1:2121/"), "{lines}");
        assert!(lines.contains("ssl:ca-file '/a b/c.pem'"), "{lines}");
        assert!(lines.contains("--cacert \"/a b/c.pem\""), "{lines}");
        let lines = examples("admin", &kept, at("[::]:21"), file);
        assert!(
            lines.contains("curl -u \"admin:PASSWORD\" ftp://[::1]:21/"),
            "{lines}"
        );
    }

    #[test]
    fn a_password_that_was_given_is_not_repeated() {
        let at = SocketAddr::from(([127, 0, 0, 1], 1));
        let file = Path::new("c.pem");
        let lines = examples("admin", &Administrator::Made, at, file);
        assert!(lines.contains("admin,$DRFTPD_PASSWORD"), "{lines}");
        let generated = Administrator::Generated("abc".to_owned());
        let lines = examples("admin", &generated, at, file);
        assert!(lines.contains("admin:abc"), "{lines}");
    }
}
