//! Credits and statistics.

pub(super) const V17: &str = "
-- Credits. allotted: the begin of the week in which credits were last set to the allotment. Ratios had no effect before:
-- whoever has the one that everybody got goes on without.
ALTER TABLE account ADD COLUMN allotted INTEGER NOT NULL DEFAULT 0;
UPDATE account SET ratio = 0 WHERE ratio = 3000 AND credits = 0;

-- Credits that were given or taken for another reason than a transfer, in that order.
CREATE TABLE credit_change (
    n INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    at INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    author TEXT NOT NULL,
    why TEXT NOT NULL
) STRICT;
CREATE INDEX credit_change_account ON credit_change (account);

-- Credits that downloads may take which have begun and whose end is not stored. loss: what a byte costs, in thousandths;
-- slave: who tells the end.
CREATE TABLE credit_hold (
    transfer INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    slave TEXT NOT NULL,
    held INTEGER NOT NULL,
    loss INTEGER NOT NULL,
    counts INTEGER NOT NULL,
    since INTEGER NOT NULL
) STRICT;
CREATE INDEX credit_hold_account ON credit_hold (account);

-- What somebody has moved in a day (period 0), week (1), month (2), year (3) since its begin, and ever (4); of each period
-- only the last in which something was moved.
CREATE TABLE tally (
    account TEXT NOT NULL,
    period INTEGER NOT NULL,
    since INTEGER NOT NULL,
    up_files INTEGER NOT NULL,
    up_bytes INTEGER NOT NULL,
    up_ms INTEGER NOT NULL,
    down_files INTEGER NOT NULL,
    down_bytes INTEGER NOT NULL,
    down_ms INTEGER NOT NULL,
    PRIMARY KEY (account, period)
) STRICT, WITHOUT ROWID;

-- Whose bytes a file has: a row for each upload to it, in the order of the bytes; one that goes on with the bytes of the
-- same account on the same day has none of its own. files: how many of them made the file complete; paid, paid_files: of
-- them; at: when. ratio: in thousandths. Of an account that is gone for ever nobody is the earner.
CREATE TABLE earner (id INTEGER PRIMARY KEY, account TEXT UNIQUE) STRICT;
CREATE TABLE earned (
    node INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    earner INTEGER NOT NULL,
    ratio INTEGER NOT NULL,
    counts INTEGER NOT NULL,
    start INTEGER NOT NULL,         -- its first byte
    bytes INTEGER NOT NULL,
    files INTEGER NOT NULL,
    paid INTEGER NOT NULL,
    paid_files INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (node, seq)
) STRICT, WITHOUT ROWID;
ALTER TABLE upload ADD COLUMN earner INTEGER;
ALTER TABLE upload ADD COLUMN ratio INTEGER NOT NULL DEFAULT 0;
ALTER TABLE upload ADD COLUMN counts INTEGER NOT NULL DEFAULT 0;
-- Bytes that were there before it.
ALTER TABLE upload ADD COLUMN keep INTEGER NOT NULL DEFAULT 0;
";
