//! The end of the audit log.

pub(super) const V19: &str = "
-- Rows stay until their time is over: the moment before which they may go is said in meta first.
DROP TRIGGER audit_stays;
CREATE TRIGGER audit_stays BEFORE DELETE ON audit
    WHEN OLD.at >= coalesce((SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'audit_end'), OLD.at)
    BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
";
