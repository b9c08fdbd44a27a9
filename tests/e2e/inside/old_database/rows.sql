-- What the version before wrote: a user, a blocked one, sessions that live, one that has ended, counters and records.
-- Both databases take it. Times that must not come while the tests run are of the year 2100.
CREATE TABLE __diesel_schema_migrations (
    version VARCHAR(50) PRIMARY KEY NOT NULL,
    run_on  TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);
INSERT INTO __diesel_schema_migrations (version) VALUES ('20261121000000');

INSERT INTO users VALUES
    ('7b1f6c1e-52a4-4d0c-9d8e-3c2f1a9b0e01', 'Ada@example.com', 'ada@example.com', 'Ada',
     '$argon2id$v=19$m=19456,t=2,p=1$4/CGjxUkJIyynPKwbRwanQ$n3ZQ3gtiwssAsQ50Wnc08fkB0CIOos2HVG5ykTxj2fU',
     3, '["admin"]', 1780000000, 1790000000, NULL),
    ('7b1f6c1e-52a4-4d0c-9d8e-3c2f1a9b0e02', 'bob@example.com', 'bob@example.com', 'Bob',
     '$argon2id$v=19$m=19456,t=2,p=1$4/CGjxUkJIyynPKwbRwanQ$n3ZQ3gtiwssAsQ50Wnc08fkB0CIOos2HVG5ykTxj2fU',
     1, '[]', 1780000000, NULL, 1785000000);

INSERT INTO sessions VALUES
    ('11111111-aaaa-4bbb-8ccc-000000000001', '7b1f6c1e-52a4-4d0c-9d8e-3c2f1a9b0e01', 'AQEBAQEBAQEBAQEBAQEBAQ',
     1, 1790000000, 1790000000, 4102444800, 4102444800, 0, 0, NULL, NULL, 'Firefox', '198.51.100.7'),
    ('22222222-aaaa-4bbb-8ccc-000000000002', '7b1f6c1e-52a4-4d0c-9d8e-3c2f1a9b0e01', 'AgICAgICAgICAgICAgICAg',
     7, 1780000000, 1790000000, 4102444800, 4102444800, 5, 1, NULL, NULL, 'Safari', '2001:db8::7'),
    ('33333333-aaaa-4bbb-8ccc-000000000003', '7b1f6c1e-52a4-4d0c-9d8e-3c2f1a9b0e01', 'AwMDAwMDAwMDAwMDAwMDAw',
     4, 1780000000, 1790000000, 4102444800, 4102444800, 0, 0, 1790000100, 'logout', 'curl', '198.51.100.7');

INSERT INTO login_failures VALUES
    ('u:7b1f6c1e-52a4-4d0c-9d8e-3c2f1a9b0e01', '', '7b1f6c1e-52a4-4d0c-9d8e-3c2f1a9b0e01', 2, 1790000000);

INSERT INTO audit VALUES
    ('01996c1e-0000-7000-8000-000000000001', 1790000000, 'logged_in', '7b1f6c1e-52a4-4d0c-9d8e-3c2f1a9b0e01',
     '22222222-aaaa-4bbb-8ccc-000000000002', NULL, NULL, '2001:db8::7', 'Safari', 'r-1');
