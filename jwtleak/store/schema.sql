-- The state of jwtleak, version 1. STRICT tables need SQLite 3.37. Nothing in here can hold a token: ids and fingerprints
-- are digests, bodies are redacted alerts. Paths are bytes, since a file name need not be UTF-8. Device and inode numbers
-- are unsigned 64 bits and are kept as signed ones. Times are Unix milliseconds where a name ends in _ms.

-- How far each stream has been judged (jwtleak.types.Cursor).
CREATE TABLE streams (
    stream        TEXT    NOT NULL PRIMARY KEY,
    path          BLOB    NOT NULL,
    device        INTEGER NOT NULL,
    inode         INTEGER NOT NULL,
    generation    INTEGER,
    head_length   INTEGER NOT NULL,
    head          BLOB    NOT NULL,
    anchor_length INTEGER NOT NULL,
    anchor        BLOB    NOT NULL,
    offset        INTEGER NOT NULL,
    lines         INTEGER NOT NULL,
    line_start    INTEGER NOT NULL,
    size          INTEGER NOT NULL,
    mtime_ns      INTEGER NOT NULL,
    state         TEXT    NOT NULL,
    provisional   TEXT,
    at_ms         INTEGER NOT NULL,
    CONSTRAINT streams_name_is_short CHECK (length(stream) BETWEEN 1 AND 64),
    CONSTRAINT streams_digests_are_digests CHECK (length(head) IN (0, 32) AND length(anchor) IN (0, 32)),
    CONSTRAINT streams_counts_are_not_negative CHECK (
        head_length >= 0 AND anchor_length >= 0 AND offset >= 0 AND lines >= 0 AND line_start >= 0 AND size >= 0
    ),
    CONSTRAINT streams_state_is_known CHECK (state IN ('followed', 'rotated', 'finished')),
    CONSTRAINT streams_provisional_is_an_id CHECK (length(provisional) = 40)
) STRICT, WITHOUT ROWID;

CREATE INDEX streams_by_age ON streams (state, at_ms);

-- One token in one stream.
CREATE TABLE sightings (
    stream        TEXT    NOT NULL,
    sha256        TEXT    NOT NULL,
    first_id      TEXT    NOT NULL,
    last_id       TEXT    NOT NULL,
    since         INTEGER NOT NULL,
    total         INTEGER NOT NULL,
    first_offset  INTEGER NOT NULL,
    last_offset   INTEGER NOT NULL,
    first_ms      INTEGER NOT NULL,
    last_ms       INTEGER NOT NULL,
    severity      TEXT    NOT NULL,
    window_end_ms INTEGER NOT NULL,
    body          BLOB    NOT NULL,
    PRIMARY KEY (stream, sha256),
    CONSTRAINT sightings_fingerprint_is_a_digest CHECK (length(sha256) = 64),
    CONSTRAINT sightings_ids_are_ids CHECK (length(first_id) = 40 AND length(last_id) = 40),
    CONSTRAINT sightings_counts_fit CHECK (since >= 0 AND total >= 1 AND since <= total),
    CONSTRAINT sightings_severity_is_known CHECK (severity IN ('critical', 'high', 'medium', 'low', 'info'))
) STRICT, WITHOUT ROWID;

CREATE INDEX sightings_by_window ON sightings (window_end_ms) WHERE since > 0;
CREATE INDEX sightings_by_age ON sightings (last_ms);

-- Where alerts go. A sink that is no longer configured stays, switched off, for its count of dropped letters.
CREATE TABLE sinks (
    name       TEXT    NOT NULL PRIMARY KEY,
    registered INTEGER NOT NULL,
    dropped    INTEGER NOT NULL DEFAULT 0,
    CONSTRAINT sinks_registered_is_yes_or_no CHECK (registered IN (0, 1)),
    CONSTRAINT sinks_dropped_is_not_negative CHECK (dropped >= 0)
) STRICT, WITHOUT ROWID;

-- Alerts that a sink has yet to take. AUTOINCREMENT: an acknowledgement that comes late must not meet a newer letter.
CREATE TABLE outbox (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT    NOT NULL,
    event       TEXT    NOT NULL,
    severity    TEXT    NOT NULL,
    fingerprint TEXT    NOT NULL,
    body        BLOB    NOT NULL,
    at_ms       INTEGER NOT NULL,
    CONSTRAINT outbox_letter_comes_once UNIQUE (id, event),
    CONSTRAINT outbox_id_is_an_id CHECK (length(id) = 40),
    CONSTRAINT outbox_event_is_known CHECK (event IN ('leak', 'repeat', 'heartbeat', 'test')),
    CONSTRAINT outbox_severity_is_known CHECK (severity IN ('critical', 'high', 'medium', 'low', 'info'))
) STRICT;

-- Which sink has yet to take which letter. A letter that no row points to is gone.
CREATE TABLE queue (
    sink TEXT    NOT NULL REFERENCES sinks (name),
    seq  INTEGER NOT NULL REFERENCES outbox (seq) ON DELETE CASCADE,
    PRIMARY KEY (sink, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX queue_by_letter ON queue (seq);

-- Alerts that a sink refused for good, whole, so that they can be sent again.
CREATE TABLE dead_letters (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    sink        TEXT    NOT NULL,
    id          TEXT    NOT NULL,
    event       TEXT    NOT NULL,
    severity    TEXT    NOT NULL,
    fingerprint TEXT    NOT NULL,
    body        BLOB    NOT NULL,
    status      INTEGER,
    reason      TEXT    NOT NULL,
    attempts    INTEGER NOT NULL,
    at_ms       INTEGER NOT NULL,
    CONSTRAINT dead_letters_letter_is_dead_once UNIQUE (sink, id, event),
    CONSTRAINT dead_letters_reason_is_short CHECK (length(reason) <= 512),
    CONSTRAINT dead_letters_attempts_are_not_negative CHECK (attempts >= 0)
) STRICT;

CREATE INDEX dead_letters_by_age ON dead_letters (at_ms);

-- Bytes of all bodies in a table: summing them up anew for each round would read the whole spool.
CREATE TABLE totals (
    name  TEXT    NOT NULL PRIMARY KEY,
    bytes INTEGER NOT NULL,
    CONSTRAINT totals_are_not_negative CHECK (bytes >= 0)
) STRICT, WITHOUT ROWID;

INSERT INTO totals VALUES ('outbox', 0), ('dead_letters', 0);

CREATE TRIGGER outbox_grows AFTER INSERT ON outbox BEGIN
    UPDATE totals SET bytes = bytes + length(new.body) WHERE name = 'outbox';
END;

CREATE TRIGGER outbox_shrinks AFTER DELETE ON outbox BEGIN
    UPDATE totals SET bytes = bytes - length(old.body) WHERE name = 'outbox';
END;

CREATE TRIGGER dead_letters_grow AFTER INSERT ON dead_letters BEGIN
    UPDATE totals SET bytes = bytes + length(new.body) WHERE name = 'dead_letters';
END;

CREATE TRIGGER dead_letters_shrink AFTER DELETE ON dead_letters BEGIN
    UPDATE totals SET bytes = bytes - length(old.body) WHERE name = 'dead_letters';
END;

-- Files that a scan has finished, for `scan --resume`. `scan` is a digest of what was scanned and how.
CREATE TABLE scanned_files (
    scan     TEXT    NOT NULL,
    device   INTEGER NOT NULL,
    inode    INTEGER NOT NULL,
    size     INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    head     BLOB    NOT NULL,
    notices  BLOB    NOT NULL,
    at_ms    INTEGER NOT NULL,
    PRIMARY KEY (scan, device, inode),
    CONSTRAINT scanned_files_head_is_a_digest CHECK (length(head) = 32),
    CONSTRAINT scanned_files_size_is_not_negative CHECK (size >= 0)
) STRICT, WITHOUT ROWID;

CREATE INDEX scanned_files_by_age ON scanned_files (at_ms);

-- Alerts that were given of files that are not finished: a scan that goes on does not give them again. `part` is the
-- number of the task that they came from, -1 those of an earlier run.
CREATE TABLE given_alerts (
    scan  TEXT    NOT NULL,
    id    TEXT    NOT NULL,
    part  INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (scan, id),
    CONSTRAINT given_alerts_id_is_an_id CHECK (length(id) = 40)
) STRICT, WITHOUT ROWID;

CREATE INDEX given_alerts_by_part ON given_alerts (scan, part);
CREATE INDEX given_alerts_by_age ON given_alerts (at_ms);
