-- Version 3: how far a stream was read behind its offset, and told of (jwtleak.types.Cursor). The anchor stands before `read`
-- from now on; until then it stood before the offset.
ALTER TABLE streams ADD COLUMN told INTEGER NOT NULL DEFAULT 0
    CONSTRAINT streams_told_is_not_negative CHECK (told >= 0);
ALTER TABLE streams ADD COLUMN read INTEGER NOT NULL DEFAULT 0
    CONSTRAINT streams_read_is_not_negative CHECK (read >= 0);
UPDATE streams SET told = offset, read = offset;
