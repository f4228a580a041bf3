//! Stores that are damaged on purpose: each way is found, in its area, and nothing else is.

use rusqlite::Connection;

use super::*;
use crate::store::{StoreError, look};
use crate::vfs::check::{Checked, check};

/// A tree in which every kind of row occurs: `/d/e/f` and `/g` on A, `/h` on B, and all about them.
async fn full(fx: &Fixture) {
    fx.dir("/d").await;
    fx.dir("/d/e").await;
    fx.dir("/empty").await;
    fx.put("/d/e/f", A, 10).await;
    fx.put("/g", A, 5).await;
    fx.put("/h", B, 7).await;
    fx.put("/old", A, 1).await;
    fx.put("/old", B, 2).await;
    fx.put("/gone", A, 3).await;
    fx.vfs.delete(&path("/gone"), None).await.unwrap();
    fx.rename("/d/e", "/d/e2").await.unwrap();
    let half = fx.begin("/half", UploadMode::Store, A).await.unwrap();
    let kept = fx.vfs.break_upload(half.file, A, Some(4)).await;
    kept.unwrap();
    fx.begin("/runs", UploadMode::Store, B).await.unwrap();
    fx.begin("/h", UploadMode::Store, A).await.unwrap();
}

/// What a check says of a store after `sql` was done to it behind everybody's back.
fn after(sql: &str) -> Checked {
    let dir = TempDir::new().unwrap();
    sim(async {
        let fx = Fixture::open(dir.path(), Case::Sensitive, NOW).await;
        full(&fx).await;
    });
    let conn = Connection::open(dir.path().join("store.db")).unwrap();
    conn.execute_batch(sql).unwrap();
    drop(conn);
    let looked = look(dir.path(), &StoreConfig::DEFAULT, |sql| {
        Ok::<_, StoreError>(check(sql))
    });
    looked.unwrap()
}

#[test]
fn a_sound_store_is_sound_and_everything_in_it_is_counted() {
    let checked = after("");
    assert_eq!(checked.findings, []);
    let counts = (checked.directories, checked.files, checked.copies);
    assert_eq!(counts, (4, 6, 4), "{checked}");
    assert_eq!(checked.orders, 9, "{checked}");
    assert!(
        checked.to_string().ends_with("9 orders: 0 wrong"),
        "{checked}"
    );
}

/// What is done, the area where it is found, and words of the finding.
type Damage = (&'static str, &'static str, &'static str);

fn find(ways: &[Damage]) {
    for (sql, area, words) in ways {
        let checked = after(sql);
        let mut told = checked.findings.iter();
        let told = told.any(|it| it.area == *area && it.what.contains(words));
        assert!(told, "{sql}: {checked}");
        assert_eq!(checked.wrong, checked.findings.len() as u64);
    }
}

#[test]
fn damage_of_the_tree_is_found() {
    find(&[
        (
            "DELETE FROM node WHERE key = x'6532'",
            "tree",
            "which is not there",
        ),
        (
            "DELETE FROM node WHERE id = 1",
            "tree",
            "the root directory is not there",
        ),
        (
            "UPDATE node SET parent = (SELECT id FROM node WHERE key = x'67') WHERE key = x'66'",
            "tree",
            "which is no directory",
        ),
        (
            "UPDATE node SET kind = 7 WHERE key = x'67'",
            "tree",
            "cannot be read",
        ),
        (
            "UPDATE node SET parent = id WHERE key = x'64'",
            "tree",
            "does not end at the root",
        ),
        (
            "UPDATE node SET state = 0 WHERE key = x'64'",
            "tree",
            "/d is no file and not complete",
        ),
        (
            "UPDATE node SET size = 9 WHERE key = x'6532'",
            "totals",
            "/d/e2: 1 files of 9 bytes; its entries come to 1 of 10",
        ),
        (
            "UPDATE node SET files = 1 WHERE key = CAST('empty' AS BLOB)",
            "totals",
            "/empty: 1 files",
        ),
        (
            "UPDATE incarnation SET issued = 1",
            "identities",
            "never given out",
        ),
        ("DELETE FROM incarnation", "identities", "/g has number"),
        (
            "PRAGMA writable_schema = 1; UPDATE sqlite_schema
             SET sql = 'CREATE UNIQUE INDEX node_id ON node (generation)' WHERE name = 'node_id'",
            "database",
            "node_id",
        ),
    ]);
}

#[test]
fn damage_of_uploads_is_found() {
    find(&[
        (
            "UPDATE upload SET root = 99 WHERE state = 1",
            "uploads",
            "names root 99",
        ),
        (
            "DELETE FROM upload WHERE state = 1",
            "uploads",
            "/half is not complete, and there is no",
        ),
        (
            "UPDATE upload SET generation = 1 WHERE node = (SELECT id FROM node WHERE key = x'68')",
            "uploads",
            "the file is complete",
        ),
        (
            "UPDATE upload SET generation = 77 WHERE state = 1",
            "uploads",
            "another generation",
        ),
        (
            "UPDATE upload SET state = 0",
            "uploads",
            "it runs, and the file is shown as partial",
        ),
        (
            "UPDATE upload SET state = 1",
            "uploads",
            "it broke off, and the file is shown as",
        ),
        (
            "INSERT INTO upload (node, generation, root, state, size, since) VALUES (77, 1, 1, 1, 4, 0)",
            "uploads",
            "there is no such file",
        ),
    ]);
}

#[test]
fn an_upload_that_no_transfer_owns_is_found_while_a_master_runs() {
    let dir = TempDir::new().unwrap();
    sim(async {
        let fx = Fixture::open(dir.path(), Case::Sensitive, NOW).await;
        full(&fx).await;
        assert_eq!(fx.vfs.check().await.unwrap().findings, []);
        let conn = Connection::open(dir.path().join("store.db")).unwrap();
        let sql = "UPDATE upload SET state = 0 WHERE state = 1;
                   UPDATE node SET state = 0 WHERE key = CAST('half' AS BLOB)";
        conn.execute_batch(sql).unwrap();
        let checked = fx.vfs.check().await.unwrap();
        assert_eq!(checked.wrong, 1, "{checked}");
        assert_eq!(checked.findings[0].what, "/half uploads without a transfer");
    });
}

#[test]
fn damage_of_what_roots_hold_is_found() {
    const DIR: &str = "INSERT INTO root_dir (dir, root, digest, touched) ";
    let insert = |rest: &str| -> &'static str { format!("{DIR}{rest}").leak() };
    find(&[
        (
            "INSERT INTO copy (node, root, state) SELECT id, 99, 1 FROM node WHERE key = x'67'",
            "copies",
            "root 99 holds /g: the root is not there",
        ),
        (
            "INSERT INTO copy (node, root, state) VALUES (77, 1, 0)",
            "copies",
            "there is no such complete file",
        ),
        (
            "UPDATE root_dir SET digest = zeroblob(16) WHERE dir = 1 AND root = 1",
            "digests",
            "root 1, /: the digest is another",
        ),
        (
            insert(
                "SELECT id, 1, CAST(x'01' || zeroblob(15) AS BLOB), 0 FROM node WHERE key = CAST('empty' AS BLOB)",
            ),
            "digests",
            "/empty: there is a digest, and nothing in it",
        ),
        (
            "DELETE FROM root_dir WHERE root = 2",
            "digests",
            "there are copies, and no digest",
        ),
        (
            "DELETE FROM root_dir WHERE root = 1
             AND dir = (SELECT id FROM node WHERE key = x'64')",
            "digests",
            "/d/e2: the directory above it is not known there",
        ),
        (
            insert("VALUES (77, 1, zeroblob(16), 0)"),
            "digests",
            "there is no such directory",
        ),
        (
            insert("VALUES (1, 99, zeroblob(16), 0)"),
            "digests",
            "the root is not there",
        ),
        (
            "UPDATE root_dir SET touched = 99 WHERE root = 1 AND dir = 1",
            "digests",
            "behind the end of the root's log",
        ),
    ]);
}

#[test]
fn damage_of_logs_is_found() {
    find(&[
        (
            "INSERT INTO root_log SELECT 99, seq, op FROM root_log LIMIT 1",
            "logs",
            "1 orders are for root 99",
        ),
        (
            "DELETE FROM root_log WHERE root = 2; UPDATE root SET done = 99 WHERE key = 2",
            "logs",
            "acknowledged up to 99, and the last is 2",
        ),
        (
            "UPDATE root SET done = 1 WHERE key = 2",
            "logs",
            "1 orders are kept that were acknowledged",
        ),
        (
            "UPDATE root SET newest = 1 WHERE key = 2; UPDATE root_dir SET touched = 0",
            "logs",
            "1 orders lie behind the last, 1",
        ),
        (
            "DELETE FROM root_log WHERE root = 2 AND seq = 1",
            "logs",
            "1 orders are missing between 0 and 2",
        ),
        (
            "UPDATE root_log SET op = x'c0' WHERE root = 2 AND seq = 1",
            "logs",
            "(0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b of beta): order 1 cannot be read",
        ),
        // The order that deletes /gone becomes another one: what brought it is left.
        (
            "UPDATE root_log SET op = (SELECT op FROM root_log WHERE root = 1 AND seq = 2)
             WHERE root = 1 AND seq = 6",
            "logs",
            "to its place, which is not there",
        ),
        ("DELETE FROM incarnation", "logs", "order 1 is about"),
    ]);
}
