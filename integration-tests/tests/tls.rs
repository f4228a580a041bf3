//! FTP over TLS with the clients that people have: lftp (GnuTLS), curl and Python (OpenSSL), explicit and implicit, with
//! and without resuming the session; what they say without the certificate; what becomes of cut uploads; certificates
//! that change; rules for networks.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use drftpd_integration_tests::client::folder;
use drftpd_integration_tests::cluster::{PASSWORD, USER};
use drftpd_integration_tests::data::first_difference;
use drftpd_integration_tests::process::program;
use drftpd_integration_tests::{Bytes, Cluster, ClusterSpec, Mode, Running, Tool};
use rustix::process::Signal;

const SIZE: usize = 3_000_000;
const HALF: usize = 1_234_567;
/// As many small uploads by each client, all of them whole.
const MANY: usize = 50;

/// A cluster that listens for implicit TLS too, with these settings.
fn cluster(settings: &[&str]) -> Result<Cluster> {
    let mut master = vec!["tls.listen_implicit=[\"127.0.0.1:0\"]".to_owned()];
    master.extend(settings.iter().map(|setting| (*setting).to_owned()));
    Cluster::with(ClusterSpec {
        master,
        ..ClusterSpec::default()
    })
}

/// The certificate that the master made for itself.
fn certificate(cluster: &Cluster) -> String {
    let file = cluster.path().join("master/tls/certificate.pem");
    file.to_string_lossy().into_owned()
}

/// A folder with `whole.bin` and its beginning, `half.bin`.
fn files(dir: &Path, seed: u64) -> Result<Vec<u8>> {
    let whole = Bytes::vec(seed, SIZE);
    fs::write(dir.join("whole.bin"), &whole)?;
    fs::write(dir.join("half.bin"), &whole[..HALF])?;
    Ok(whole)
}

fn same(got: &[u8], wanted: &[u8], what: &str) -> Result<()> {
    let difference = first_difference(got, wanted);
    ensure!(
        difference.is_none(),
        "{what}: {}",
        difference.unwrap_or_default()
    );
    Ok(())
}

fn same_file(file: &Path, wanted: &[u8]) -> Result<()> {
    let got = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    same(&got, wanted, &file.display().to_string())
}

/// What the cluster has under a name, read by our own client, in clear.
fn stored(cluster: &Cluster, path: &str, wanted: &[u8]) -> Result<()> {
    let got = cluster.login()?.get(Mode::Pret, path)?;
    same(&got, wanted, path)
}

/// What `who` says of the only session.
fn who(cluster: &Cluster) -> Result<serde_json::Value> {
    Ok(cluster.ctl(&["who"])?["sessions"][0].clone())
}

// --- lftp ---------------------------------------------------------------------------------------

/// Where lftp connects, and its settings.
struct Lftp {
    cluster: Cluster,
    open: String,
}

impl Lftp {
    fn explicit(cluster: Cluster) -> Self {
        let open = format!("ftp://{}", cluster.ftp);
        Self { open, cluster }
    }

    fn implicit(cluster: Cluster) -> Result<Self> {
        let open = format!("ftps://{}", cluster.at("ftps")?);
        Ok(Self { open, cluster })
    }

    fn run(&self, dir: &Path, settings: &str, script: &str) -> Result<String> {
        let script = format!(
            "set cmd:fail-exit yes; set net:max-retries 2; set ssl:ca-file {}; set ftp:ssl-force yes; \
             set ftp:ssl-protect-data yes; set ftp:ssl-protect-list yes; {settings} \
             open -u {USER},\"{PASSWORD}\" {}; {script}",
            certificate(&self.cluster),
            self.open
        );
        Tool::new("lftp", dir).args(["-c", &script]).run()
    }

    fn does_everything(&self, settings: &str) -> Result<()> {
        let (_gone, dir) = folder()?;
        let whole = files(&dir, 21)?;
        let run = |script: &str| self.run(&dir, settings, script);
        run("mkdir l; cd l; put whole.bin; put half.bin -o part.bin")?;
        stored(&self.cluster, "l/whole.bin", &whole)?;
        let list = run("ls l")?;
        ensure!(
            list.contains("whole.bin") && list.contains(&SIZE.to_string()),
            "{list}"
        );
        run("put -c whole.bin -o l/part.bin")?;
        stored(&self.cluster, "l/part.bin", &whole)?;
        run("get l/whole.bin -o back.bin")?;
        same_file(&dir.join("back.bin"), &whole)?;
        fs::copy(dir.join("half.bin"), dir.join("cont.bin"))?;
        run("get -c l/whole.bin -o cont.bin")?;
        same_file(&dir.join("cont.bin"), &whole)?;
        run("mirror l mirrored")?;
        same_file(&dir.join("mirrored/part.bin"), &whole)?;
        run("rm -r l")?;
        Ok(())
    }
}

#[test]
fn lftp_does_everything_over_explicit_tls() -> Result<()> {
    Lftp::explicit(cluster(&[])?).does_everything("")
}

#[test]
fn lftp_does_everything_over_implicit_tls() -> Result<()> {
    Lftp::implicit(cluster(&[])?)?.does_everything("")
}

#[test]
fn lftp_does_everything_over_tls_in_active_mode_and_through_the_relay() -> Result<()> {
    let lftp = Lftp::explicit(cluster(&["tls.data=\"required\""])?);
    lftp_in(&lftp, "set ftp:passive-mode no;")?;
    lftp_in(&lftp, "set ftp:use-pret no; set ftp:prefer-epsv yes;")
}

fn lftp_in(lftp: &Lftp, settings: &str) -> Result<()> {
    let (_gone, dir) = folder()?;
    let whole = files(&dir, 22)?;
    lftp.run(
        &dir,
        settings,
        "put whole.bin; get whole.bin -o back.bin; rm whole.bin",
    )?;
    same_file(&dir.join("back.bin"), &whole)
}

#[test]
fn lftp_resumes_its_session_where_that_is_required() -> Result<()> {
    let lftp = Lftp::explicit(cluster(&["tls.data_resumption=\"required\""])?);
    lftp.does_everything("")
}

// --- curl ---------------------------------------------------------------------------------------

fn curl_does_everything(cluster: &Cluster, url: &str, options: &[&str]) -> Result<()> {
    let (_gone, dir) = folder()?;
    let whole = files(&dir, 23)?;
    let authority = certificate(cluster);
    let curl = |args: &[&str]| {
        Tool::new("curl", &dir)
            .args(["-sS", "--fail", "--ssl-reqd", "--cacert", &authority])
            .args(options)
            .args(args)
            .run()
    };
    let at = |path: &str| format!("{url}/{path}");
    curl(&["-T", "whole.bin", "--ftp-create-dirs", &at("c/whole.bin")])?;
    curl(&[&at("c/whole.bin"), "-o", "once.bin"])?;
    same_file(&dir.join("once.bin"), &whole)?;
    let list = curl(&[&at("c/")])?;
    ensure!(list.contains("whole.bin"), "{list}");
    curl(&[&at("c/whole.bin"), "-o", "back.bin"])?;
    same_file(&dir.join("back.bin"), &whole)?;
    fs::copy(dir.join("half.bin"), dir.join("cont.bin"))?;
    curl(&["-C", "-", &at("c/whole.bin"), "-o", "cont.bin"])?;
    same_file(&dir.join("cont.bin"), &whole)?;
    curl(&["-T", "half.bin", &at("c/part.bin")])?;
    curl(&["-C", "-", "-T", "whole.bin", &at("c/part.bin")])?;
    curl(&[&at("c/part.bin"), "-o", "twice.bin"])?;
    same_file(&dir.join("twice.bin"), &whole)?;
    curl(&[
        "-Q",
        "DELE c/part.bin",
        "-Q",
        "DELE c/whole.bin",
        "-Q",
        "RMD c",
        "-l",
        &at(""),
    ])?;
    Ok(())
}

fn with_password(scheme: &str, at: &str) -> String {
    format!("{scheme}://{USER}:{}@{at}", PASSWORD.replace(' ', "%20"))
}

#[test]
fn curl_does_everything_over_explicit_tls_of_both_versions() -> Result<()> {
    let cluster = cluster(&[])?;
    let url = with_password("ftp", cluster.at("ftp")?);
    curl_does_everything(&cluster, &url, &[])?;
    curl_does_everything(&cluster, &url, &["--tls-max", "1.2"])?;
    curl_does_everything(&cluster, &url, &["--ftp-pret"])
}

#[test]
fn curl_does_everything_over_implicit_tls() -> Result<()> {
    // Not in active mode: curl 7.87 and 7.88 send in clear there whatever PROT was (curl issue 10666).
    let cluster = cluster(&[])?;
    let url = with_password("ftps", cluster.at("ftps")?);
    curl_does_everything(&cluster, &url, &[])
}

#[test]
fn curl_resumes_its_session_where_that_is_required_and_is_refused_where_it_must_not() -> Result<()>
{
    let cluster = cluster(&["tls.data_resumption=\"required\"", "tls.login=\"required\""])?;
    let (_gone, dir) = folder()?;
    let url = with_password("ftp", cluster.at("ftp")?);
    let authority = certificate(&cluster);
    let curl = |args: &[&str]| {
        Tool::new("curl", &dir)
            .args(["-sS", "--fail", "--cacert", &authority])
            .args(args)
            .output()
    };
    let listed = curl(&["--ssl-reqd", &format!("{url}/")])?;
    ensure!(listed.status.success(), "{listed:?}");
    let without = curl(&["--ssl-reqd", "--no-sessionid", &format!("{url}/")])?;
    ensure!(!without.status.success(), "{without:?}");
    curl_does_everything(&cluster, &url, &[])?;
    let clear = curl(&[&format!("{url}/")])?;
    ensure!(
        clear.status.code() == Some(67),
        "a login in clear: {clear:?}"
    );
    Ok(())
}

// --- what they say without the certificate ------------------------------------------------------

#[test]
fn without_the_certificate_lftp_and_curl_say_that_they_do_not_trust_it() -> Result<()> {
    let cluster = cluster(&[])?;
    let (_gone, dir) = folder()?;
    let script = format!(
        "set net:max-retries 1; open -u {USER},\"{PASSWORD}\" ftp://{}; ls",
        cluster.ftp
    );
    let lftp = Tool::new("lftp", &dir).args(["-c", &script]).output()?;
    let said = String::from_utf8_lossy(&lftp.stderr);
    ensure!(
        !lftp.status.success() && said.to_lowercase().contains("not trusted"),
        "{said}"
    );
    let url = with_password("ftp", cluster.at("ftp")?);
    let curl = Tool::new("curl", &dir)
        .args(["-sS", "--ssl-reqd", &url])
        .output()?;
    let said = String::from_utf8_lossy(&curl.stderr);
    ensure!(
        curl.status.code() == Some(60) && said.contains("self-signed"),
        "{said}"
    );
    // In clear both still come in: nothing is required here.
    let script = format!("set ftp:ssl-allow no; {script}");
    Tool::new("lftp", &dir).args(["-c", &script]).run()?;
    Tool::new("curl", &dir).args(["-sS", &url]).run()?;
    Ok(())
}

#[test]
fn the_lines_that_quickstart_prints_work_as_they_are() -> Result<()> {
    let (_gone, dir) = folder()?;
    let mut command = std::process::Command::new(program("drftpd-master")?);
    command.env("DRFTPD_PASSWORD", PASSWORD).arg("quickstart");
    command.arg("--dir").arg(dir.join("data"));
    for listen in ["--listen", "--admin-listen", "--slave-listen"] {
        command.args([listen, "127.0.0.1:0"]);
    }
    command.args(["--passive-ports", "0"]);
    let master = Running::start(command, &dir.join("log"))?;
    let mut lines = Vec::new();
    for _ in 0..3 {
        lines.push(master.line("try: ")?["try: ".len()..].to_owned());
    }
    master.line("ready ")?;
    fs::create_dir(dir.join("client"))?;
    for line in &lines {
        let script = format!("export DRFTPD_PASSWORD='{PASSWORD}'; {line}");
        let shell = Tool::new("bash", &dir.join("client")).args(["-c", &script]);
        let output = shell.input("ls; exit\n").output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success() && said.contains("total 0"),
            "{line}: {said} {errors}"
        );
        ensure!(!errors.contains("NOT trusted"), "{line}: {errors}");
    }
    ensure!(
        lines[0].starts_with("lftp ") && lines[1].starts_with("curl --ssl-reqd "),
        "{lines:?}"
    );
    Ok(())
}

// --- Python -------------------------------------------------------------------------------------

/// The beginning of every script: `session(version, reuse, implicit)` gives a client that is logged in, under PROT P.
fn python(cluster: &Cluster, script: &str) -> Result<String> {
    let (_gone, dir) = folder()?;
    files(&dir, 24)?;
    let head = format!(
        r#"
import ftplib, io, os, socket, ssl, struct
HALF = {HALF}
whole = open("whole.bin", "rb").read()
context = ssl.create_default_context(cafile="{authority}")

class Client(ftplib.FTP_TLS):
    reuse = True
    implicit = False
    def ntransfercmd(self, cmd, rest=None):
        conn, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        if self._prot_p:
            session = self.sock.session if self.reuse else None
            conn = self.context.wrap_socket(conn, server_hostname=self.host, session=session)
        return conn, size
    def open(self, host, port):
        if not self.implicit:
            return self.connect(host, port)
        self.host, self.port = host, port
        plain = socket.create_connection((host, port), 60)
        self.af = plain.family
        self.sock = self.context.wrap_socket(plain, server_hostname=host)
        self.file = self.sock.makefile("r", encoding=self.encoding)
        self.welcome = self.getresp()

def session(version=ssl.TLSVersion.TLSv1_3, reuse=True, implicit=False, user="{USER}"):
    context.maximum_version = version
    f = Client(context=context, timeout=60)
    f.reuse, f.implicit = reuse, implicit
    f.open("{host}", {implicit} if implicit else {port})
    f.login(user, "{PASSWORD}")
    f.prot_p()
    return f

def fetch(f, name, rest=None, into=None):
    got = io.BytesIO(into or b""); got.seek(0, 2)
    f.retrbinary("RETR " + name, got.write, rest=rest)
    return got.getvalue()
"#,
        authority = certificate(cluster),
        host = cluster.ftp.ip(),
        port = cluster.ftp.port(),
        implicit = cluster.at("ftps")?.rsplit(':').next().context("a port")?,
    );
    Tool::new("python3", &dir)
        .args(["-c", &format!("{head}{script}")])
        .run()
}

#[test]
fn python_does_everything_with_and_without_its_session_explicit_and_implicit() -> Result<()> {
    let cluster = cluster(&[])?;
    python(
        &cluster,
        r#"
for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
    for reuse in (True, False):
        for implicit in (False, True):
            for passive in (True, False):
                f = session(version, reuse, implicit)
                f.set_pasv(passive)
                f.mkd("py"); f.cwd("py")
                assert f.storbinary("STOR whole.bin", io.BytesIO(whole)).startswith("226")
                assert f.nlst() == ["whole.bin"]
                assert int(dict(f.mlsd())["whole.bin"]["size"]) == len(whole)
                lines = []; f.retrlines("LIST", lines.append)
                assert any(line.endswith(" whole.bin") for line in lines), lines
                assert fetch(f, "whole.bin") == whole
                assert fetch(f, "whole.bin", HALF, whole[:HALF]) == whole
                f.storbinary("STOR part.bin", io.BytesIO(whole[:HALF]))
                f.storbinary("STOR part.bin", io.BytesIO(whole[HALF:]), rest=HALF)
                assert fetch(f, "part.bin") == whole
                f.prot_c()
                assert fetch(f, "part.bin") == whole
                for name in ("part.bin", "whole.bin"): f.delete(name)
                f.cwd("/"); f.rmd("py")
                f.quit()
"#,
    )
    .map(drop)
}

#[test]
fn a_transfer_under_tls_is_aborted_with_and_without_an_urgent_byte() -> Result<()> {
    let cluster = cluster(&[])?;
    python(
        &cluster,
        r#"
f = session()
f.storbinary("STOR big", io.BytesIO(whole * 8))
for urgent in (False, True):
    conn = f.transfercmd("RETR big")
    conn.recv(1000)
    if urgent: socket.socket.send(f.sock, b"\xf2", socket.MSG_OOB)
    f.sock.sendall(b"ABOR\r\n")
    assert f.getmultiline().startswith("426") and f.getmultiline().startswith("226")
    conn.close()
    assert f.nlst() == ["big"]
"#,
    )
    .map(drop)
}

#[test]
fn only_the_session_of_the_control_connection_counts_where_it_is_required() -> Result<()> {
    let cluster = cluster(&["tls.data_resumption=\"required\""])?;
    python(
        &cluster,
        r#"
def refused(work):
    try:
        work(); raise SystemExit("served without its session")
    except ftplib.error_perm as e:
        assert str(e).startswith("522"), e
    except (ssl.SSLError, ConnectionError):
        answer = f.getmultiline()
        assert answer.startswith("522"), answer

for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
    f = session(version)
    for at in range(6):
        f.storbinary("STOR mine", io.BytesIO(whole))
        assert fetch(f, "mine") == whole and f.nlst() == ["mine"]
    f.reuse = False
    refused(f.nlst)
    refused(lambda: fetch(f, "mine"))
    refused(lambda: f.storbinary("STOR other", io.BytesIO(b"x" * 100)))
    # Another control session's ticket is as good as none.
    other = session(version)
    other.nlst()
    f.reuse = True
    plain = ftplib.FTP.ntransfercmd
    def stolen(self, cmd, rest=None):
        conn, size = plain(self, cmd, rest)
        return self.context.wrap_socket(conn, server_hostname=self.host, session=other.sock.session), size
    Client.ntransfercmd, kept = stolen, Client.ntransfercmd
    refused(f.nlst)
    refused(lambda: fetch(f, "mine"))
    Client.ntransfercmd = kept
    assert fetch(f, "mine") == whole
    f.delete("mine")
"#,
    )
    .map(drop)
}

// --- uploads that are cut -----------------------------------------------------------------------

#[test]
fn an_upload_without_the_last_word_of_tls_is_partial_and_can_be_resumed() -> Result<()> {
    let cluster = cluster(&[])?;
    python(
        &cluster,
        r#"
def fin(conn):
    conn.shutdown(socket.SHUT_RDWR)          # of the socket: TLS says nothing
    conn.close()
def rst(conn):
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    os.close(conn.detach())

for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
    for way in ("relay", "active"):
        for cut in (fin, rst):
            f = session(version)
            f.set_pasv(way == "relay")
            conn = f.transfercmd("STOR cut.bin")
            conn.sendall(whole[:HALF])
            cut(conn)
            try:
                f.voidresp(); raise SystemExit("a stump was taken for a file")
            except ftplib.error_temp as e:
                assert str(e).startswith("426"), e
            try:
                fetch(f, "cut.bin"); raise SystemExit("a stump was served")
            except ftplib.error_temp as e:
                assert str(e).startswith("450"), e
            there = f.size("cut.bin")
            assert 0 <= there <= HALF, there
            f.storbinary("STOR cut.bin", io.BytesIO(whole[there:]), rest=there)
            assert fetch(f, "cut.bin") == whole
            f.delete("cut.bin")
            f.quit()
"#,
    )
    .map(drop)
}

#[test]
fn fifty_uploads_by_each_client_are_all_whole() -> Result<()> {
    let lftp = Lftp::explicit(cluster(&[])?);
    let (cluster, (_gone, dir)) = (&lftp.cluster, folder()?);
    let mut all = Vec::new();
    for number in 1..=MANY {
        let bytes = Bytes::vec(1000 + number as u64, 1 << 20);
        fs::write(dir.join(format!("f{number}.bin")), &bytes)?;
        all.push(bytes);
    }
    lftp.run(&dir, "", "mkdir by-lftp; cd by-lftp; mput f*.bin")?;
    let url = with_password("ftp", cluster.at("ftp")?);
    let authority = certificate(cluster);
    Tool::new("curl", &dir)
        .args(["-sS", "--fail", "--ssl-reqd", "--cacert", &authority])
        .args(["--ftp-create-dirs", "-T", &format!("f[1-{MANY}].bin")])
        .args([&format!("{url}/by-curl/")])
        .run()?;
    python(
        cluster,
        &format!(
            "f = session()\nf.mkd('by-python'); f.cwd('by-python')\n\
             for number in range(1, {MANY} + 1):\n    \
             f.storbinary(f'STOR f{{number}}.bin', open(f'{}/f{{number}}.bin', 'rb'))\n",
            dir.display()
        ),
    )?;
    for by in ["by-lftp", "by-curl", "by-python"] {
        let mut ftp = cluster.login()?;
        for (number, bytes) in (1..).zip(&all) {
            let path = format!("{by}/f{number}.bin");
            same(&ftp.get(Mode::Pret, &path)?, bytes, &path)?;
        }
    }
    Ok(())
}

// --- certificates and rules ---------------------------------------------------------------------

#[test]
fn a_new_certificate_is_shown_after_sighup_on_slaves_too_and_a_bad_one_is_not() -> Result<()> {
    let cluster = cluster(&[])?;
    let (_gone, dir) = folder()?;
    let whole = files(&dir, 25)?;
    let url = with_password("ftp", cluster.at("ftp")?);
    let old = dir.join("old.pem");
    fs::copy(certificate(&cluster), &old)?;
    let own = cluster.path().join("master/tls");
    let curl = |authority: &Path, args: &[&str]| {
        let authority = authority.to_string_lossy().into_owned();
        let curl = Tool::new("curl", &dir).args(["-sS", "--ssl-reqd", "--cacert", &authority]);
        curl.args(args).run()
    };
    let hang_up = || {
        cluster
            .master
            .as_ref()
            .context("a master")?
            .signal(Signal::HUP)
    };
    curl(&old, &["-T", "whole.bin", &format!("{url}/whole.bin")])?;

    fs::write(own.join("certificate.pem"), "no certificate")?;
    hang_up()?;
    let logged = |text: &'static str| {
        cluster.wait_until(text, move |cluster| {
            let master = cluster.master.as_ref().context("a master")?;
            Ok(master.log().contains(text))
        })
    };
    logged("new certificate is of no use")?;
    curl(&old, &[&format!("{url}/whole.bin"), "-o", "back.bin"])?;

    let made = Tool::new("openssl", &own).args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "9",
        "-subj",
        "/CN=new",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-keyout",
        "key.pem",
        "-out",
        "certificate.pem",
    ]);
    made.run()?;
    hang_up()?;
    logged("new certificate for ftp clients")?;
    ensure!(curl(&old, &[&url]).is_err(), "the old one is still shown");
    // Straight to the slaves, which show it on data connections.
    let new = own.join("certificate.pem");
    cluster.wait_until("the slaves have the new certificate", |_| {
        let got = curl(
            &new,
            &[
                "--ftp-pret",
                "--disable-epsv",
                &format!("{url}/whole.bin"),
                "-o",
                "b.bin",
            ],
        );
        Ok(got.is_ok())
    })?;
    same_file(&dir.join("b.bin"), &whole)
}

#[test]
fn a_network_may_be_let_in_without_tls_where_all_others_need_it() -> Result<()> {
    let strict = "tls.login=\"required\"";
    let files = "tls.data=\"required\"";
    let closed = cluster(&[strict, files])?;
    let mut ftp = drftpd_integration_tests::Ftp::connect(closed.ftp)?;
    let said = ftp.ask(&format!("USER {USER}"), 530)?;
    ensure!(said.contains("AUTH TLS"), "{said}");
    let scanners =
        "tls.networks=[{ from = [\"127.0.0.0/8\"], login = \"allowed\", data = \"allowed\" }]";
    let open = cluster(&[strict, files, scanners])?;
    let mut ftp = open.login()?;
    ftp.put(Mode::Pret, "scan.pdf", b"%PDF")?;
    ensure!(ftp.get(Mode::Pasv, "scan.pdf")? == b"%PDF");
    Ok(())
}

#[test]
fn who_shows_what_a_session_has_of_tls() -> Result<()> {
    let cluster = cluster(&[])?;
    let (_gone, dir) = folder()?;
    let script = format!(
        "set ssl:ca-file {}; set ftp:ssl-protect-list yes; open -u {USER},\"{PASSWORD}\" ftp://{}; ls; \
         site WHO",
        certificate(&cluster),
        cluster.ftp
    );
    let said = Tool::new("lftp", &dir).args(["-c", &script]).run()?;
    ensure!(said.contains("1.3, data resumed"), "{said}");
    ensure!(who(&cluster)?.is_null());
    Ok(())
}

#[test]
fn between_servers_one_side_begins_the_handshake_and_ours_know_each_other() -> Result<()> {
    let cluster = cluster(&["accounts.administrators_fxp=true", "tls.data=\"required\""])?;
    python(
        &cluster,
        r#"
def pasv(f, verb): return ftplib.parse227(f.sendcmd(verb))
def port(f, at):
    host, number = at
    f.sendcmd("PORT " + ",".join(host.split(".") + [str(number >> 8), str(number & 255)]))

source, target = session(), session()
source.storbinary("STOR x", io.BytesIO(whole))
for number, (pret, client) in enumerate([(True, "CPSV"), (True, "SSCN"), (False, "CPSV"), (False, "SSCN"), (True, "SSCN target")]):
    name = f"y{number}"
    if pret: source.sendcmd("PRET RETR x")
    if client == "SSCN": source.sendcmd("SSCN ON")
    if client == "SSCN target": target.sendcmd("SSCN ON")
    at = pasv(source, "CPSV" if client == "CPSV" else "PASV")
    port(target, at)
    assert target.sendcmd("STOR " + name).startswith("150")
    assert source.sendcmd("RETR x").startswith("150")
    assert target.getresp().startswith("226") and source.getresp().startswith("226")
    source.sendcmd("SSCN OFF"); target.sendcmd("SSCN OFF")
    assert fetch(source, name) == whole
# The other way round: the target listens.
target.sendcmd("PRET STOR z")
port(source, pasv(target, "CPSV"))
assert source.sendcmd("RETR x").startswith("150")
assert target.sendcmd("STOR z").startswith("150")
assert target.getresp().startswith("226") and source.getresp().startswith("226")
assert fetch(source, "z") == whole
"#,
    )
    .map(drop)
}
