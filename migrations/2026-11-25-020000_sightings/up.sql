-- What a retry from elsewhere is told by, and what the user's list may show of a session's use.

-- The user agent of the last rotation or log-in; NULL where the version before wrote the row.
ALTER TABLE sessions ADD COLUMN agent TEXT;
-- The last use that the list may show while the latest is too fresh to be shown.
ALTER TABLE sessions ADD COLUMN seen_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN seen_address TEXT NOT NULL DEFAULT '';
-- The last retry from another network or user agent than the rotation's; generation 0 for none.
ALTER TABLE sessions ADD COLUMN sighting_generation BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN sighting_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN sighting_address TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN sighting_device TEXT NOT NULL DEFAULT '';

UPDATE sessions SET seen_at = rotated_at, seen_address = address;
