-- Version 4: how far the streams of record sources were judged (jwtleak.store.interface.Position). Unlike a file, a record
-- source knows its own positions: `position` is whatever it needs to repeat its records from the offset `start` on.
CREATE TABLE positions (
    source     TEXT    NOT NULL,
    stream     TEXT    NOT NULL,
    position   BLOB    NOT NULL,
    identity   BLOB    NOT NULL,
    start      INTEGER NOT NULL,
    offset     INTEGER NOT NULL,
    lines      INTEGER NOT NULL,
    line_start INTEGER NOT NULL,
    at_ms      INTEGER NOT NULL,
    PRIMARY KEY (source, stream),
    CONSTRAINT positions_position_is_short CHECK (length(position) BETWEEN 1 AND 1024),
    CONSTRAINT positions_identity_is_a_digest CHECK (length(identity) IN (0, 32)),
    CONSTRAINT positions_counts_are_not_negative CHECK (
        start >= 0 AND offset >= start AND lines >= 0 AND line_start >= 0
    )
) STRICT, WITHOUT ROWID;

CREATE INDEX positions_by_age ON positions (at_ms);
