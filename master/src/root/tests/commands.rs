//! Commands on the file list in a whole master: by SITE, for an operator, and for a user to whom they are granted and
//! from whom something is hidden.

use super::*;
use crate::rights::read;
use crate::store::Case;

const RULES: &str = "
privpath /staff* =siteop
privpath /pub/secret* =siteop
download * *
upload * *
makedir * *
rename * *
delete /pub/open* *
delete * =siteop
settime * *
command find *
command vfsstat *
command du *
command wipe *
command mv *
command rm *
command mkdir *
command link *
command touch *
command chown *
command lost *
command fixlinks *
command check *
command rescan *
command forgetlost *
";

struct Site {
    world: World,
    _dir: tempfile::TempDir,
}

impl Site {
    async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut world = World::at(dir.path()).await;
        let rules = RULES.replace("vfsstat", "file");
        world.config.rights.rules = Arc::new(read::lines(&rules, Case::Sensitive).unwrap());
        world.config.sections = drftpd_actors::parse::<MasterConfig>(
            "[[sections.list]]\nname = \"PUB\"\npath = \"/pub\"\n\
             [[sections.list]]\nname = \"DAY\"\npath = \"/day\"\ndated = \"yyyy-MM-dd\"\ntoday = \"/today\"",
            None,
        )
        .unwrap()
        .sections;
        let _master = world.run();
        settle().await;
        let site = Self { world, _dir: dir };
        let mut admin = site.log_in("admin", "secret").await;
        admin.ask("SITE ADDUSER carl word", "200").await;
        for dir in [
            "/pub",
            "/pub/open.one",
            "/pub/open.one/deep",
            "/pub/open.two",
            "/pub/secret.one",
            "/pub/secret.one/deep",
            "/staff",
            "/staff/open.three",
        ] {
            site.world.clock.advance(Duration::from_secs(60));
            admin.ask(&format!("MKD {dir}"), "257").await;
        }
        admin.ask("SITE LINK /staff /pub/way", "200").await;
        site
    }

    async fn log_in(&self, name: &str, password: &str) -> User {
        let mut user = User(self.world.client().await);
        user.ask(&format!("USER {name}"), "331").await;
        user.ask(&format!("PASS {password}"), "230").await;
        user
    }
}

struct User(BoxIo);

impl User {
    /// Says a line and hears its whole reply.
    async fn ask(&mut self, line: &str, code: &str) -> String {
        self.0
            .write_all(format!("{line}\r\n").as_bytes())
            .await
            .unwrap();
        let mut reply = String::new();
        loop {
            let mut last = Vec::new();
            while !last.ends_with(b"\n") {
                last.push(self.0.read_u8().await.unwrap());
            }
            let last = String::from_utf8(last).unwrap();
            reply += &last;
            if last.as_bytes()[..3].iter().all(u8::is_ascii_digit) && last.as_bytes()[3] == b' ' {
                break;
            }
        }
        assert!(reply.starts_with(code), "{line}: {reply}");
        reply
    }
}

#[test]
fn users_to_whom_commands_are_granted_see_and_touch_what_the_rules_let_them() {
    sim(async {
        let site = Site::start().await;
        let mut admin = site.log_in("admin", "secret").await;
        let mut carl = site.log_in("carl", "word").await;
        let hidden = |text: &str| text.contains("staff") || text.contains("secret");
        for line in [
            "SITE FIND",
            "SITE FIND type=dir",
            "SITE DUPE deep",
            "SITE SEARCH open",
            "SITE SEARCH deep",
            "SITE NEW 50",
            "SITE DU /",
            "SITE DU /pub",
            "SITE FIND /pub -name *e",
        ] {
            let all = admin.ask(line, "200").await;
            let his = carl.ask(line, "200").await;
            assert!(!hidden(&his), "{line}: {his}");
            assert!(his.len() <= all.len(), "{line}");
        }
        let all = admin.ask("SITE FIND /", "200").await;
        assert!(
            hidden(&all) && all.contains("/pub/secret.one/deep"),
            "{all}"
        );
        let his = carl.ask("SITE FIND /", "200").await;
        assert!(
            his.contains("/pub/open.one/deep") && his.contains("/pub/way"),
            "{his}"
        );
        let found = carl.ask("SITE SEARCH open", "200").await;
        assert!(
            found.contains("open.one") && found.contains("open.two"),
            "{found}"
        );
        // Whatever names something hidden hears what is heard of nothing.
        for line in [
            "FILE @",
            "DU @",
            "WIPE -r @",
            "MV @ /pub/open.one",
            "RM @",
            "LINK @ /pub/l",
            "TOUCH @",
            "CHOWN carl @",
            "LOST @",
            "FIXLINKS @",
            "RESCAN @",
            "FORGETLOST @",
            "FIND @",
        ] {
            let with = carl
                .ask(
                    &format!("SITE {}", line.replace('@', "/pub/secret.one")),
                    "550",
                )
                .await;
            let none = carl
                .ask(
                    &format!("SITE {}", line.replace('@', "/pub/secret.two")),
                    "550",
                )
                .await;
            assert_eq!(
                with.replace("secret.one", "N"),
                none.replace("secret.two", "N"),
                "{line}"
            );
            let way = carl
                .ask(
                    &format!("SITE {}", line.replace('@', "/pub/way/open.three")),
                    "550",
                )
                .await;
            assert!(!way.contains("staff"), "{line}: {way}");
        }
        // And sums, and what a check finds, do not tell of it either.
        let stat = carl.ask("SITE FILE /pub", "200").await;
        assert!(!stat.contains("size"), "{stat}");
        assert!(admin.ask("SITE FILE /pub", "200").await.contains("size"));
        carl.ask("SITE CHECK", "200").await;
        carl.ask("SITE WIPE -r /pub/open.one", "200").await;
        // More lies there than he may delete, or see.
        carl.ask("SITE WIPE -r /pub", "550").await;
        carl.ask("SITE MKDIR /staff/x", "550").await;
        carl.ask("SITE LINK /pub /staff/x", "550").await;
        carl.ask("SITE CHOWN -r carl /pub", "550").await;
        admin.ask("CWD /pub/secret.one/deep", "250").await;
    });
}

#[test]
fn an_operator_changes_the_tree_by_site() {
    sim(async {
        let site = Site::start().await;
        let mut admin = site.log_in("admin", "secret").await;
        admin.ask("CWD /pub", "250").await;
        admin.ask("SITE MKDIR a", "200").await;
        admin.ask("SITE MKDIR a", "550").await;
        admin.ask("SITE MKDIR a/b", "200").await;
        admin.ask("SITE MV a/b open.two", "200").await;
        admin.ask("CWD open.two/b", "250").await;
        admin.ask("CWD /pub", "250").await;
        admin.ask("SITE TOUCH a 20200102030405", "200").await;
        assert!(admin.ask("MDTM a", "213").await.contains("20200102030405"));
        admin.ask("SITE CHOWN carl a", "200").await;
        assert!(admin.ask("SITE FILE a", "200").await.contains("of carl:"));
        admin.ask("SITE CHOWN nobody a", "550").await;
        admin.ask("SITE CHOWN -r carl /pub", "200").await;
        assert!(
            admin
                .ask("SITE FILE secret.one/deep", "200")
                .await
                .contains("of carl:")
        );
        let refused = admin.ask("SITE WIPE open.two", "550").await;
        assert!(refused.contains("-r"), "{refused}");
        let gone = admin.ask("SITE WIPE -r open.two", "200").await;
        assert!(gone.contains("2 directories"), "{gone}");
        admin.ask("SITE WIPE -r /", "550").await;
        // A link is what it is called: what it leads to stays.
        admin.ask("SITE WIPE -r way", "200").await;
        admin.ask("CWD /staff", "250").await;
        admin.ask("SITE LINK /pub/none /pub/l", "550").await;
        admin.ask("SITE LINK /pub/a /pub/l", "200").await;
        admin.ask("SITE RM /pub/a", "200").await;
        let links = admin.ask("SITE FIXLINKS -dry", "200").await;
        assert!(
            links.contains("/pub/l") && links.contains("found"),
            "{links}"
        );
        admin.ask("SITE FIXLINKS", "200").await;
        admin.ask("SITE FILE /pub/l", "550").await;
        assert!(admin.ask("SITE FIXSIZE", "200").await.contains("0 wrong"));
    });
}

#[test]
fn sections_have_their_day_and_show_what_is_new() {
    sim(async {
        let site = Site::start().await;
        let mut admin = site.log_in("admin", "secret").await;
        let mut carl = site.log_in("carl", "word").await;
        let shown = carl.ask("SITE SECTIONS", "200").await;
        assert!(
            shown.contains("/day/2027-01-15") && shown.contains("/today"),
            "{shown}"
        );
        carl.ask("CWD /today", "250").await;
        carl.ask("MKD Some.Thing-GRP", "257").await;
        let new = carl.ask("SITE NEW", "200").await;
        let at = |text: &str| new.find(text).unwrap_or_else(|| panic!("{text}: {new}"));
        assert!(
            at("/day/2027-01-15/Some.Thing-GRP") < at("/pub/open.two"),
            "{new}"
        );
        assert!(at("/pub/open.two") < at("/pub/open.one"), "{new}");
        assert!(!new.contains("deep") && !new.contains("secret"), "{new}");
        let one = carl.ask("SITE NEW 1 pub", "200").await;
        assert!(
            one.contains("open.two") && !one.contains("open.one"),
            "{one}"
        );
        assert!(
            admin
                .ask("SITE NEW 1 pub", "200")
                .await
                .contains("secret.one")
        );
        carl.ask("SITE NEW none", "550").await;
        // The next day, while the master runs.
        site.world.clock.advance(Duration::from_secs(86_400));
        tokio::time::sleep(Duration::from_secs(120)).await;
        assert!(
            carl.ask("SITE SECTIONS", "200")
                .await
                .contains("2027-01-16")
        );
        carl.ask("CWD /today", "250").await;
        let listed = carl.ask("STAT /", "213").await;
        assert!(listed.contains("today -> /day/2027-01-16"), "{listed}");
    });
}
