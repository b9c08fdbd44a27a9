ALTER TABLE sessions DROP COLUMN sighting_device;
ALTER TABLE sessions DROP COLUMN sighting_address;
ALTER TABLE sessions DROP COLUMN sighting_at;
ALTER TABLE sessions DROP COLUMN sighting_generation;
ALTER TABLE sessions DROP COLUMN seen_address;
ALTER TABLE sessions DROP COLUMN seen_at;
ALTER TABLE sessions DROP COLUMN agent;
