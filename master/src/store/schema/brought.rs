//! What versions of the store brought to tables of before.

/// Columns that a version of the store brought, so that dumps of older ones can be loaded: their rows get the
/// column's default, and then what `fill` says.
pub struct Brought {
    pub version: u64,
    pub table: &'static str,
    pub columns: &'static [&'static str],
    pub fill: &'static str,
}

/// Every column that was not there from the beginning, in the order of versions.
pub const BROUGHT: &[Brought] = &[
    Brought {
        version: 2,
        table: "node",
        columns: &["deep", "long"],
        fill: "",
    },
    Brought {
        version: 3,
        table: "node",
        columns: &["created"],
        fill: "UPDATE node SET created = modified",
    },
    Brought {
        version: 4,
        table: "copy",
        columns: &["since"],
        fill: "",
    },
    Brought {
        version: 4,
        table: "root",
        columns: &["missing"],
        fill: "",
    },
    Brought {
        version: 4,
        table: "root_dir",
        columns: &["placed"],
        fill: "",
    },
    Brought {
        version: 5,
        table: "root",
        columns: &["walks"],
        fill: "",
    },
    Brought {
        version: 7,
        table: "slave",
        columns: &["drained", "maintenance"],
        fill: "",
    },
    Brought {
        version: 9,
        table: "slave",
        columns: &["evacuated"],
        fill: "",
    },
    Brought {
        version: 10,
        table: "account",
        columns: &[
            "deleted",
            "deleted_why",
            "banned",
            "banned_why",
            "expires",
            "must_change",
            "anonymous",
            "jail",
            "certificate",
            "ratio",
            "credits",
            "allotment",
            "tagline",
            "comment",
            "created_by",
            "seen",
            "logins",
        ],
        fill: "INSERT INTO grp SELECT grp, min(created), 0, 0, 0, 0 FROM account GROUP BY grp",
    },
    Brought {
        version: 17,
        table: "account",
        columns: &["allotted"],
        fill: "UPDATE account SET ratio = 0 WHERE ratio = 3000 AND credits = 0",
    },
    Brought {
        version: 17,
        table: "upload",
        columns: &["earner", "ratio", "counts", "keep"],
        fill: "",
    },
];
