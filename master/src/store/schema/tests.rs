//! What dumps and older stores need of the tables.

use super::*;

#[test]
fn dumps_know_every_table_and_every_column() {
    let mut conn = Connection::open_in_memory().unwrap();
    migrate(&mut conn).unwrap();
    // The index is made from the tree, as what everybody owns is.
    let sql = "SELECT name FROM sqlite_schema
               WHERE type = 'table' AND name NOT IN ('meta', 'owned') AND name NOT LIKE 'search%'";
    let mut tables = conn.prepare(sql).unwrap();
    let names = tables.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let mut names: Vec<String> = names.map(Result::unwrap).collect();
    names.sort();
    let mut known: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
    known.sort_unstable();
    assert_eq!(names, known);
    for table in TABLES {
        let sql = format!("SELECT name, type FROM pragma_table_info('{}')", table.name);
        let mut info = conn.prepare(&sql).unwrap();
        let columns = info
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        let columns: Vec<(String, String)> = columns.map(Result::unwrap).collect();
        let known: Vec<(String, String)> = table
            .columns
            .iter()
            .map(|(name, holds)| {
                let of = match holds {
                    Holds::Number => "INTEGER",
                    Holds::Text => "TEXT",
                    Holds::Name | Holds::Bytes => "BLOB",
                };
                ((*name).to_owned(), of.to_owned())
            })
            .collect();
        assert_eq!(columns, known, "{}", table.name);
    }
}

#[test]
fn columns_that_came_later_are_the_last_ones_of_their_tables() {
    for (at, step) in MIGRATIONS.iter().enumerate().skip(1) {
        let version = u64::try_from(at + 1).unwrap();
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch(&MIGRATIONS[..at].concat()).unwrap();
        let of = |conn: &Connection, table: &Table| -> Vec<String> {
            let sql = format!("SELECT name FROM pragma_table_info('{}')", table.name);
            let mut info = conn.prepare(&sql).unwrap();
            let names = info.query_map([], |row| row.get(0)).unwrap();
            names.map(Result::unwrap).collect()
        };
        for table in TABLES {
            let then = table.of_version(version - 1);
            let known: Vec<&str> = then.columns.iter().map(|(name, _)| *name).collect();
            let there = of(&conn, table);
            assert!(
                there.is_empty() || there == known,
                "{} before {step}",
                table.name
            );
        }
    }
}

#[test]
fn entries_of_an_older_store_were_made_when_they_were_last_changed() {
    let mut conn = Connection::open_in_memory().unwrap();
    conn.execute_batch(&MIGRATIONS[..2].concat()).unwrap();
    let sql = "UPDATE node SET modified = 77; PRAGMA user_version = 2";
    conn.execute_batch(sql).unwrap();
    migrate(&mut conn).unwrap();
    let sql = "SELECT created FROM node";
    let created: i64 = conn.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(created, 77);
}

#[test]
fn a_store_of_a_newer_version_is_refused() {
    let mut conn = Connection::open_in_memory().unwrap();
    migrate(&mut conn).unwrap();
    migrate(&mut conn).unwrap();
    conn.execute_batch("PRAGMA user_version = 9999").unwrap();
    let refused = migrate(&mut conn);
    assert!(matches!(refused, Err(StoreError::Unusable(why)) if why.contains("9999")));
}

#[test]
fn groups_of_accounts_of_an_older_store_are_groups() {
    let mut conn = Connection::open_in_memory().unwrap();
    conn.execute_batch(&MIGRATIONS[..9].concat()).unwrap();
    let sql = "INSERT INTO account VALUES ('a', 'staff', NULL, 1, x'2f', 0, 7), ('b', 'staff', NULL, 0, x'2f', 0, 9);
        PRAGMA user_version = 9";
    conn.execute_batch(sql).unwrap();
    migrate(&mut conn).unwrap();
    let sql = "SELECT name, created FROM grp";
    let group: (String, i64) = conn
        .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    assert_eq!(group, ("staff".to_owned(), 7));
}

#[test]
fn the_audit_log_is_only_added_to() {
    let mut conn = Connection::open_in_memory().unwrap();
    migrate(&mut conn).unwrap();
    let sql = "INSERT INTO audit (seq, at, door, who, command, args) VALUES (1, 7, 'site', 'ann', 'kick', '{}')";
    conn.execute_batch(sql).unwrap();
    for (refused, sql) in [
        (true, "DELETE FROM audit"),
        (true, "UPDATE audit SET who = 'bob'"),
        (true, "UPDATE audit SET result = 'ok', args = '[]'"),
        (true, "UPDATE audit SET peer = '192.0.2.1'"),
        (false, "UPDATE audit SET result = 'ok'"),
        (true, "UPDATE audit SET result = 'failed'"),
        (true, "DELETE FROM audit"),
        (false, "INSERT INTO meta VALUES ('audit_end', '7')"),
        (true, "DELETE FROM audit"),
        (false, "UPDATE meta SET value = '8' WHERE key = 'audit_end'"),
        (false, "DELETE FROM audit"),
    ] {
        assert_eq!(conn.execute_batch(sql).is_err(), refused, "{sql}");
    }
}

/// What the table says that files of somebody take, and what the tree says, with whose it is.
fn owned(conn: &Connection) -> (Vec<String>, Vec<String>) {
    let texts = |sql: &str| -> Vec<String> {
        let mut query = conn.prepare(sql).unwrap();
        let rows = query.query_map([], |row| row.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let kept = "SELECT whose || ' ' || name || ' ' || files || ' ' || bytes FROM owned WHERE (files, bytes) <> (0, 0) ORDER BY 1";
    let counted = "SELECT whose || ' ' || name || ' ' || count(*) || ' ' || sum(size) FROM (
            SELECT 0 AS whose, owner AS name, * FROM node UNION ALL SELECT 1, grp, * FROM node)
        WHERE kind = 1 AND state <> 0 GROUP BY whose, name ORDER BY 1";
    (texts(kept), texts(counted))
}

#[test]
fn what_everybody_owns_is_what_the_tree_says_whatever_happens_to_it() {
    let mut conn = Connection::open_in_memory().unwrap();
    conn.execute_batch(&MIGRATIONS[..17].concat()).unwrap();
    let file = |id: i64, state: i64, size: i64, owner: &str| {
        format!(
            "INSERT INTO node (parent, key, id, kind, state, generation, size, files, modified, mode, owner, grp)
             VALUES (1, x'{id:02x}', {id}, 1, {state}, 1, {size}, 1, 0, 0, '{owner}', 'crew')"
        )
    };
    conn.execute_batch(&file(2, 2, 10, "ann")).unwrap();
    conn.execute_batch("PRAGMA user_version = 17").unwrap();
    migrate(&mut conn).unwrap();
    assert_eq!(owned(&conn).0, ["0 ann 1 10", "1 crew 1 10"]);
    for sql in [
        file(3, 0, 0, "bob"),
        file(4, 2, 5, "bob"),
        "UPDATE node SET state = 2, size = 7 WHERE id = 3".to_owned(),
        "UPDATE node SET size = 20, owner = 'bob' WHERE id = 2".to_owned(),
        "UPDATE node SET grp = 'staff' WHERE id = 4".to_owned(),
        "UPDATE node SET state = 0 WHERE id = 4".to_owned(),
        "UPDATE node SET modified = 9, state = 2 WHERE id IN (2, 3)".to_owned(),
        "DELETE FROM node WHERE id IN (2, 4)".to_owned(),
        "DELETE FROM node WHERE id = 3".to_owned(),
    ] {
        conn.execute_batch(&sql).unwrap();
        let (kept, counted) = owned(&conn);
        assert_eq!(kept, counted, "{sql}");
    }
    assert_eq!(owned(&conn).0, [""; 0]);
}
