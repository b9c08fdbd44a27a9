-- The last retry from elsewhere that the user's list may show while the latest is too fresh to be shown; at 0 for none.
ALTER TABLE sessions ADD COLUMN shown_sighting_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN shown_sighting_address TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN shown_sighting_device TEXT NOT NULL DEFAULT '';
