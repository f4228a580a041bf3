//! What the files of users and of groups take.

pub(super) const V18: &str = "
-- Files that are no running uploads, by their owner (whose 0) and by their group (whose 1), with their bytes. Made from the
-- tree by whatever changes the tree, so it is in no dump.
CREATE TABLE owned (
    whose INTEGER NOT NULL,
    name TEXT NOT NULL,
    files INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (whose, name)
) STRICT, WITHOUT ROWID;
INSERT INTO owned SELECT 0, owner, count(*), sum(size) FROM node WHERE kind = 1 AND state <> 0 GROUP BY owner;
INSERT INTO owned SELECT 1, grp, count(*), sum(size) FROM node WHERE kind = 1 AND state <> 0 GROUP BY grp;

CREATE TRIGGER owned_came AFTER INSERT ON node WHEN NEW.kind = 1 AND NEW.state <> 0 BEGIN
    INSERT INTO owned VALUES (0, NEW.owner, 1, NEW.size), (1, NEW.grp, 1, NEW.size)
        ON CONFLICT DO UPDATE SET files = files + excluded.files, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER owned_left AFTER DELETE ON node WHEN OLD.kind = 1 AND OLD.state <> 0 BEGIN
    INSERT INTO owned VALUES (0, OLD.owner, -1, -OLD.size), (1, OLD.grp, -1, -OLD.size)
        ON CONFLICT DO UPDATE SET files = files + excluded.files, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER owned_was AFTER UPDATE OF kind, state, size, owner, grp ON node
    WHEN OLD.kind = 1 AND OLD.state <> 0
        AND (OLD.kind, OLD.state, OLD.size, OLD.owner, OLD.grp) IS NOT (NEW.kind, NEW.state, NEW.size, NEW.owner, NEW.grp)
BEGIN
    INSERT INTO owned VALUES (0, OLD.owner, -1, -OLD.size), (1, OLD.grp, -1, -OLD.size)
        ON CONFLICT DO UPDATE SET files = files + excluded.files, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER owned_is AFTER UPDATE OF kind, state, size, owner, grp ON node
    WHEN NEW.kind = 1 AND NEW.state <> 0
        AND (OLD.kind, OLD.state, OLD.size, OLD.owner, OLD.grp) IS NOT (NEW.kind, NEW.state, NEW.size, NEW.owner, NEW.grp)
BEGIN
    INSERT INTO owned VALUES (0, NEW.owner, 1, NEW.size), (1, NEW.grp, 1, NEW.size)
        ON CONFLICT DO UPDATE SET files = files + excluded.files, bytes = bytes + excluded.bytes;
END;
";
