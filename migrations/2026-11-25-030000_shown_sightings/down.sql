ALTER TABLE sessions DROP COLUMN shown_sighting_device;
ALTER TABLE sessions DROP COLUMN shown_sighting_address;
ALTER TABLE sessions DROP COLUMN shown_sighting_at;
