-- Version 2: the bytes that wait for each sink, since a sink may have a bound of its own. As in `totals`, they are kept by
-- triggers. A letter's size stands in the queue too: when its last row goes the letter may be gone before.
CREATE TABLE sized (
    sink TEXT    NOT NULL REFERENCES sinks (name),
    seq  INTEGER NOT NULL REFERENCES outbox (seq) ON DELETE CASCADE,
    size INTEGER NOT NULL,
    PRIMARY KEY (sink, seq),
    CONSTRAINT queue_size_is_not_negative CHECK (size >= 0)
) STRICT, WITHOUT ROWID;

INSERT INTO sized SELECT sink, seq, length(body) FROM queue JOIN outbox USING (seq);
DROP TABLE queue;
ALTER TABLE sized RENAME TO queue;
CREATE INDEX queue_by_letter ON queue (seq);

ALTER TABLE sinks ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0 CONSTRAINT sinks_bytes_are_not_negative CHECK (bytes >= 0);
UPDATE sinks SET bytes = (SELECT coalesce(sum(size), 0) FROM queue WHERE sink = name);

CREATE TRIGGER queue_grows AFTER INSERT ON queue BEGIN
    UPDATE sinks SET bytes = bytes + new.size WHERE name = new.sink;
END;

CREATE TRIGGER queue_shrinks AFTER DELETE ON queue BEGIN
    UPDATE sinks SET bytes = bytes - old.size WHERE name = old.sink;
END;
