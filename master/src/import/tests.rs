//! Files as other daemons write them, and what is made of them.

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::accounts::limits::Limit;
use crate::accounts::password::Hasher;
use crate::accounts::{AccountsConfig, legacy::Legacy};

/// PBKDF2 of `secret`, as glftpd has it.
const GLFTPD: &str = "$c1ac9ded$5d2b3c3bb93260de4bd735b1b93a4d79a4662782";

fn folder(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

/// What was found, and the findings without the folder.
fn found(format: Format, dir: &TempDir, file: &str) -> (Found, Vec<String>) {
    let found = read(format, &dir.path().join(file), "users", 1_000).unwrap();
    let below = format!("{}/", dir.path().display());
    let findings = found.findings.iter();
    let findings = findings
        .map(|it| it.to_string().replace(&below, ""))
        .collect();
    (found, findings)
}

const ANN: &str = r#"{"@type":"org.drftpd.master.usermanager.encryptedjavabeans.EncryptedBeanUser",
 "_encryption":3, "_password":"e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4",
 "_data":{"@type":"org.drftpd.common.dynamicdata.KeyedMap","@keys":[
   {"@type":"org.drftpd.common.dynamicdata.Key","_key":"tagline","_owner":{"@type":"class","value":"x"}},
   {"_key":"ratio"},{"_key":"created"},{"_key":"maxlogins"},{"_key":"maxsimup"},{"_key":"wkly_allotment"},
   {"_key":"lastseen"},{"_key":"ircident"},{"_key":"reason"}],
  "@items":["fine", {"@type":"float","value":2.5}, {"@type":"date","value":1500000000000},
   {"@type":"int","value":3}, {"@type":"int","value":0}, 1073741824, {"@type":"date","value":"1600000000000"},
   "bot|ann", "was loud"]},
 "_lastReset":0, "_credits":-5, "_group":"staff", "_groups":["siteop","deleted","crew","bad name"],
 "_hostMasks":[{"@type":"org.drftpd.common.util.HostMask","_hostMask":"10.0.0.*","_identMask":"ann"},
   {"_hostMask":"*.example.net","_identMask":"*"}],
 "_idleTime":300, "_username":"ann"}"#;

#[test]
fn users_and_groups_of_drftpd_come_with_all_they_have() {
    let dir = folder(&[
        ("userdata/users/javabeans/ann.json", ANN),
        (
            "userdata/users/javabeans/bob.json",
            r#"{"_username":"bob","_password":"word","_group":"staff"}"#,
        ),
        (
            "userdata/users/javabeans/broken.json",
            "{\n\"_username\": \n",
        ),
        ("userdata/users/javabeans/old.xml", ""),
        (
            "userdata/groups/javabeans/staff.json",
            r#"{"_groupname":"staff","_admins":["bob","gone"],"_data":{"@keys":[{"_key":"groupslots"},{"_key":"minratio"}],
                "@items":[{"value":5},{"value":1.0}]}}"#,
        ),
        (
            "userdata/groups/javabeans/siteop.json",
            r#"{"_groupname":"siteop","_admins":[]}"#,
        ),
    ]);
    let (found, findings) = found(Format::Drftpd, &dir, "");
    assert_eq!(
        findings,
        [
            "userdata/users/javabeans/ann.json: user ann: group \"bad name\" is not taken: it is no name",
            "userdata/users/javabeans/ann.json: user ann: mask \"*@*.example.net\" is not taken: must be ident@address: 192.0.2.1, 192.0.2.*, 192.0.2.0/24, 2001:db8::1, 2001:db8:* or 2001:db8::/32; no names of hosts",
            "userdata/users/javabeans/ann.json: user ann: not taken: ircident",
            "userdata/users/javabeans/broken.json:3: is not taken: it is no JSON",
            "userdata/users/javabeans/old.xml: is not taken: its name does not end in .json",
            "userdata/users/javabeans: gone administers staff, and is no user",
        ]
    );
    let [ann, bob] = found.users.as_slice() else {
        panic!("{:?}", found.users)
    };
    let account = &ann.stored.account;
    assert!(account.admin && account.deleted && account.is_in("staff"));
    assert_eq!(
        (account.groups.as_slice(), account.ratio),
        (&["crew".to_owned()][..], Ratio(2500))
    );
    let limit = |limit| account.limits.get(limit);
    assert_eq!(
        [
            limit(Limit::Logins),
            limit(Limit::Uploads),
            limit(Limit::Idle)
        ],
        [Some(3), None, Some(300)]
    );
    let stored = &ann.stored;
    assert_eq!(
        (stored.credits, stored.allotment, stored.created),
        (-5, 1 << 30, 1_500_000_000)
    );
    assert_eq!(
        (stored.tagline.as_str(), stored.seen),
        ("fine", Some(1_600_000_000))
    );
    assert_eq!(
        (stored.masks.as_slice(), stored.deleted_why.as_deref()),
        (&["ann@10.0.0.*".to_owned()][..], Some("was loud"))
    );
    assert!(
        Legacy::read(stored.password.as_deref().unwrap())
            .unwrap()
            .matches(b"secret")
    );
    assert_eq!(
        (bob.clear.as_deref(), &bob.stored.password),
        (Some("word"), &None)
    );
    assert_eq!(bob.stored.account.administers, ["staff"]);
    let names: Vec<&str> = found
        .groups
        .iter()
        .map(|group| group.name.as_str())
        .collect();
    assert_eq!(names, ["staff", "crew"]);
    assert_eq!(
        (found.groups[0].slots, found.groups[0].least_ratio),
        (5, Ratio(1000))
    );
}

#[test]
fn users_and_groups_of_glftpd_come_with_all_they_have() {
    let dir = folder(&[
        (
            "etc/passwd",
            &format!(
                "ann:{GLFTPD}:100:300:0:/site:/bin/false\nbob:$1$salt$md5crypt:0:0:0:/:/\nbroken\n"
            ),
        ),
        (
            "ftp-data/users/ann",
            "USER Added by root\nGENERAL 0,120 5 100 0\nLOGINS 3 0 -1 2\nTIMEFRAME 0 0\nFLAGS 136A\nTAGLINE fine\n\
             DIR /home\nADDED 1712306777 root\nEXPIRES 0\nCREDITS 2048 7\nRATIO 3 0\nALLUP 1 2 3\nTIME 5 1602990000 0 0\n\
             GROUP iND 1\nGROUP Friends 0\nIP *@10.0.0.* *@host.example\nWISDOM 7\n",
        ),
        ("ftp-data/users/bob", "FLAGS 8\n"),
        ("ftp-data/users/default.user", "RATIO x\n"),
        ("ftp-data/groups/iND", "GROUP nice\nSLOTS -1 2 0 0\n"),
    ]);
    let (found, findings) = found(Format::Glftpd, &dir, "");
    let starts: Vec<String> = findings
        .iter()
        .map(|it| it.chars().take(60).collect())
        .collect();
    assert_eq!(
        starts,
        [
            "etc/passwd:3: is not taken: it has no name and hash with : b",
            "ftp-data/users/ann:2: user ann: the weekly allotment 120 is ",
            "ftp-data/users/ann:5: user ann: flags A are not taken: comma",
            "ftp-data/users/ann:10: user ann: CREDITS of other sections i",
            "ftp-data/users/ann:16: user ann: mask \"*@host.example\" is no",
            "ftp-data/users/ann:17: user ann: \"WISDOM\" is not taken: it h",
            "etc/passwd:2: user bob: the password is hashed in a way that",
        ]
    );
    let [ann, bob] = found.users.as_slice() else {
        panic!("{:?}", found.users)
    };
    let (stored, account) = (&ann.stored, &ann.stored.account);
    assert!(account.admin && account.deleted && bob.stored.account.anonymous);
    assert_eq!(
        (account.group.as_str(), account.groups.as_slice()),
        ("iND", &["Friends".to_owned()][..])
    );
    assert_eq!(
        (
            account.administers.as_slice(),
            bob.stored.account.group.as_str()
        ),
        (&["iND".to_owned()][..], "users")
    );
    let limit = |limit| account.limits.get(limit);
    assert_eq!(
        [
            Limit::Idle,
            Limit::RateDown,
            Limit::RateUp,
            Limit::Logins,
            Limit::Downloads,
            Limit::Uploads
        ]
        .map(limit),
        [Some(300), Some(102_400), None, Some(3), None, Some(2)]
    );
    assert_eq!(
        (stored.credits, stored.logins, stored.seen),
        (2 << 20, 5, Some(1_602_990_000))
    );
    assert_eq!(
        (stored.created, stored.created_by.as_str()),
        (1_712_306_777, "root")
    );
    assert_eq!(stored.masks, ["*@10.0.0.*"]);
    assert_eq!(stored.password.as_deref(), Some(GLFTPD));
    assert_eq!(
        (found.groups[0].slots, found.groups[0].leech_slots),
        (i32::MAX.cast_unsigned(), 2)
    );
}

#[test]
fn lines_of_passwd_are_names_with_hashes() {
    let text = format!(
        "# users\nann:{GLFTPD}:1:1::/home/ann:/bin/sh\nbob:x:2:2\nann:{GLFTPD}\na b:{GLFTPD}\n"
    );
    let dir = folder(&[("passwd", &text)]);
    let (found, findings) = found(Format::Passwd, &dir, "passwd");
    assert_eq!(
        findings,
        [
            "passwd:4: user ann is there twice",
            "passwd:5: user \"a b\" is not taken: must be 1 to 64 letters, digits or one of . _ - @, and begin with a letter or a digit",
            "passwd:3: user bob: the password is hashed in a way that is not known here",
        ]
    );
    let names: Vec<&str> = found
        .users
        .iter()
        .map(|user| user.stored.account.name.as_str())
        .collect();
    assert_eq!(names, ["ann", "bob"]);
    assert!(found.users[0].stored.account.home.is_root() && found.groups[0].name == "users");
}

#[test]
fn csv_has_the_fields_that_users_have() {
    let dir = folder(&[(
        "u.csv",
        "\u{feff}user,Password,hash,group,groups,masks,ratio,tagline,admin,deleted,logins\r\n\
        ann,\"wo\"\"rd,1\",,staff,crew,*@10.0.0.1 nonsense,2.5,\"a, b\",yes,,3\r\n\
        \r\n\
        bob,,{MD5}5ebe2294ecd0e0f08eab7690d2a6ee69,,,,often,,,yes,\r\n\
        \"open,,,,,,,,,,\r\n\
        too,few\r\n\
        cat,,,,,,,,,,",
    )]);
    let (found, findings) = found(Format::Csv, &dir, "u.csv");
    let starts: Vec<String> = findings
        .iter()
        .map(|it| it.chars().take(44).collect())
        .collect();
    assert_eq!(
        starts,
        [
            "u.csv:2: user ann: mask \"nonsense\" is not ta",
            "u.csv:4: user bob: ratio is not taken: must ",
            "u.csv:5: is not taken: a quote is not closed",
        ]
    );
    let [ann, bob] = found.users.as_slice() else {
        panic!("{:?}", found.users)
    };
    let account = &ann.stored.account;
    assert_eq!(ann.clear.as_deref(), Some("wo\"rd,1"));
    assert!(account.admin && account.is_in("staff") && account.is_in("crew"));
    assert_eq!(
        (account.ratio, account.limits.get(Limit::Logins)),
        (Ratio(2500), Some(3))
    );
    assert_eq!(
        (ann.stored.tagline.as_str(), ann.stored.masks.as_slice()),
        ("a, b", &["*@10.0.0.1".to_owned()][..])
    );
    assert!(bob.stored.account.deleted && bob.stored.password.is_some());
    assert!(read(Format::Csv, &dir.path().join("none.csv"), "users", 0).is_err());
}

#[test]
fn hashes_are_taken_that_can_be_checked_in_good_time() {
    let ours = Hasher::new(&AccountsConfig {
        hash_memory_kib: 8,
        hash_rounds: 1,
        ..AccountsConfig::default()
    });
    let ours = ours.unwrap().hash(b"secret", &[7; 16]).unwrap();
    let bcrypt = bcrypt::hash("secret", 4).unwrap();
    for good in [GLFTPD, &ours, &bcrypt] {
        assert_eq!(hash(good).as_deref(), Ok(good));
    }
    let dear = ours.replace("m=8,", "m=4194304,");
    for bad in [
        "",
        "x",
        "*",
        "!",
        "{PLAIN}secret",
        "$6$salt$hash",
        &dear,
        &bcrypt.replace("$04$", "$31$"),
        "$2a$04$short",
    ] {
        assert!(hash(bad).is_err(), "{bad}");
    }
}
