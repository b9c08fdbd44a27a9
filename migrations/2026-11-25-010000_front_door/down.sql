ALTER TABLE sessions DROP COLUMN wrong_passwords;
DROP INDEX login_failures_failed_at;
DROP TABLE login_budgets;
