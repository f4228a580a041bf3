//! Every table with its columns, for dumps.

use super::brought::BROUGHT;

/// What a column holds, for dumps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// A number.
    Number,
    /// Text.
    Text,
    /// Bytes that are mostly text: a name.
    Name,
    /// Bytes that are none: an identity, a hash, a message.
    Bytes,
}

/// A table as dumps have it.
pub struct Table {
    pub name: &'static str,
    /// In the order of the table; the first `key` of them are its key.
    pub columns: &'static [(&'static str, Holds)],
    /// Columns to order by.
    pub key: &'static str,
}

impl Table {
    /// As a dump of that version has it: columns that came later are the last ones.
    pub fn of_version(&self, version: u64) -> Self {
        let later = BROUGHT
            .iter()
            .filter(|brought| brought.version > version && brought.table == self.name);
        let missing: usize = later.map(|brought| brought.columns.len()).sum();
        Self {
            columns: &self.columns[..self.columns.len() - missing],
            ..*self
        }
    }
}

/// Every table but `meta`, in the order of a dump.
pub const TABLES: &[Table] = {
    use Holds::{Bytes, Name, Number, Text};
    &[
        Table {
            name: "incarnation",
            columns: &[("n", Number), ("issued", Number)],
            key: "n",
        },
        Table {
            name: "account",
            columns: &[
                ("name", Text),
                ("grp", Text),
                ("password", Text),
                ("admin", Number),
                ("home", Name),
                ("disabled", Number),
                ("created", Number),
                ("deleted", Number),
                ("deleted_why", Text),
                ("banned", Number),
                ("banned_why", Text),
                ("expires", Number),
                ("must_change", Number),
                ("anonymous", Number),
                ("jail", Number),
                ("certificate", Bytes),
                ("ratio", Number),
                ("credits", Number),
                ("allotment", Number),
                ("tagline", Text),
                ("comment", Text),
                ("created_by", Text),
                ("seen", Number),
                ("logins", Number),
                ("allotted", Number),
            ],
            key: "name",
        },
        Table {
            name: "grp",
            columns: &[
                ("name", Text),
                ("created", Number),
                ("slots", Number),
                ("leech_slots", Number),
                ("least_ratio", Number),
                ("most_ratio", Number),
            ],
            key: "name",
        },
        Table {
            name: "member",
            columns: &[("account", Text), ("grp", Text)],
            key: "account, grp",
        },
        Table {
            name: "grp_admin",
            columns: &[("account", Text), ("grp", Text)],
            key: "account, grp",
        },
        Table {
            name: "mask",
            columns: &[("account", Text), ("mask", Text), ("added", Number)],
            key: "account, mask",
        },
        Table {
            name: "account_limit",
            columns: &[("account", Text), ("what", Text), ("value", Number)],
            key: "account, what",
        },
        Table {
            name: "grp_limit",
            columns: &[("grp", Text), ("what", Text), ("value", Number)],
            key: "grp, what",
        },
        Table {
            name: "account_note",
            columns: &[
                ("account", Text),
                ("n", Number),
                ("written", Number),
                ("author", Text),
                ("text", Text),
            ],
            key: "account, n",
        },
        Table {
            name: "message",
            columns: &[
                ("account", Text),
                ("n", Number),
                ("at", Number),
                ("author", Text),
                ("text", Text),
                ("unread", Number),
            ],
            key: "account, n",
        },
        Table {
            name: "account_moved",
            columns: &[
                ("account", Text),
                ("period", Number),
                ("since", Number),
                ("up", Number),
                ("down", Number),
            ],
            key: "account, period",
        },
        Table {
            name: "credit_change",
            columns: &[
                ("n", Number),
                ("account", Text),
                ("at", Number),
                ("bytes", Number),
                ("author", Text),
                ("why", Text),
            ],
            key: "n",
        },
        Table {
            name: "credit_hold",
            columns: &[
                ("transfer", Number),
                ("account", Text),
                ("slave", Text),
                ("held", Number),
                ("loss", Number),
                ("counts", Number),
                ("since", Number),
            ],
            key: "transfer",
        },
        Table {
            name: "tally",
            columns: &[
                ("account", Text),
                ("period", Number),
                ("since", Number),
                ("up_files", Number),
                ("up_bytes", Number),
                ("up_ms", Number),
                ("down_files", Number),
                ("down_bytes", Number),
                ("down_ms", Number),
            ],
            key: "account, period",
        },
        Table {
            name: "network_ban",
            columns: &[
                ("network", Text),
                ("since", Number),
                ("until", Number),
                ("author", Text),
                ("why", Text),
            ],
            key: "network",
        },
        Table {
            name: "slave",
            columns: &[
                ("name", Text),
                ("certificate", Bytes),
                ("joined", Number),
                ("revoked", Number),
                ("drained", Number),
                ("maintenance", Number),
                ("evacuated", Number),
            ],
            key: "name",
        },
        Table {
            name: "slave_token",
            columns: &[
                ("hash", Bytes),
                ("slave", Text),
                ("expires", Number),
                ("used", Number),
            ],
            key: "hash",
        },
        Table {
            name: "api_token",
            columns: &[
                ("name", Text),
                ("hash", Bytes),
                ("scopes", Text),
                ("created", Number),
                ("expires", Number),
                ("used", Number),
                ("creator", Text),
            ],
            key: "name",
        },
        Table {
            name: "root",
            columns: &[
                ("key", Number),
                ("id", Bytes),
                ("slave", Text),
                ("state", Number),
                ("newest", Number),
                ("done", Number),
                ("shown", Number),
                ("missing", Number),
                ("walks", Number),
            ],
            key: "key",
        },
        Table {
            name: "node",
            columns: &[
                ("parent", Number),
                ("key", Name),
                ("id", Number),
                ("kind", Number),
                ("state", Number),
                ("generation", Number),
                ("size", Number),
                ("files", Number),
                ("modified", Number),
                ("mode", Number),
                ("crc32", Number),
                ("owner", Text),
                ("grp", Text),
                ("name", Name),
                ("target", Name),
                ("blake3", Bytes),
                ("deep", Number),
                ("long", Number),
                ("created", Number),
            ],
            key: "parent, key",
        },
        Table {
            name: "upload",
            columns: &[
                ("node", Number),
                ("generation", Number),
                ("root", Number),
                ("state", Number),
                ("size", Number),
                ("since", Number),
                ("owner", Text),
                ("grp", Text),
                ("earner", Number),
                ("ratio", Number),
                ("counts", Number),
                ("keep", Number),
            ],
            key: "node",
        },
        Table {
            name: "earner",
            columns: &[("id", Number), ("account", Text)],
            key: "id",
        },
        Table {
            name: "earned",
            columns: &[
                ("node", Number),
                ("seq", Number),
                ("earner", Number),
                ("ratio", Number),
                ("counts", Number),
                ("start", Number),
                ("bytes", Number),
                ("files", Number),
                ("paid", Number),
                ("paid_files", Number),
                ("at", Number),
            ],
            key: "node, seq",
        },
        Table {
            name: "copy",
            columns: &[
                ("node", Number),
                ("root", Number),
                ("state", Number),
                ("since", Number),
            ],
            key: "node, root",
        },
        Table {
            name: "root_dir",
            columns: &[
                ("dir", Number),
                ("root", Number),
                ("digest", Bytes),
                ("touched", Number),
                ("placed", Number),
            ],
            key: "dir, root",
        },
        Table {
            name: "difference",
            columns: &[
                ("root", Number),
                ("path", Name),
                ("why", Number),
                ("node", Number),
                ("generation", Number),
                ("size", Number),
                ("walk", Number),
            ],
            key: "root, path",
        },
        Table {
            name: "root_log",
            columns: &[("root", Number), ("seq", Number), ("op", Bytes)],
            key: "root, seq",
        },
        Table {
            name: "copy_job",
            columns: &[
                ("node", Number),
                ("asked", Number),
                ("since", Number),
                ("due", Number),
                ("tries", Number),
                ("why", Text),
            ],
            key: "node",
        },
        Table {
            name: "scrub_pass",
            columns: &[
                ("root", Number),
                ("below", Number),
                ("state", Number),
                ("began", Number),
                ("ended", Number),
                ("at", Number),
                ("files", Number),
                ("bytes", Number),
                ("damaged", Number),
            ],
            key: "root, below",
        },
        Table {
            name: "scrub_finding",
            columns: &[
                ("id", Number),
                ("root", Number),
                ("node", Number),
                ("generation", Number),
                ("since", Number),
                ("path", Name),
                ("why", Text),
            ],
            key: "id",
        },
        Table {
            name: "outbox",
            columns: &[("seq", Number), ("at", Number), ("body", Text)],
            key: "seq",
        },
        Table {
            name: "outbox_reader",
            columns: &[("name", Text), ("after", Number)],
            key: "name",
        },
        Table {
            name: "plugin_row",
            columns: &[("plugin", Text), ("key", Text), ("value", Text)],
            key: "plugin, key",
        },
        Table {
            name: "audit",
            columns: &[
                ("seq", Number),
                ("at", Number),
                ("door", Text),
                ("who", Text),
                ("peer", Text),
                ("command", Text),
                ("args", Text),
                ("result", Text),
            ],
            key: "seq",
        },
    ]
};
