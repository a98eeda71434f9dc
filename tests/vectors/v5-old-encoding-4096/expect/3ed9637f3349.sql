PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE seed(x);
CREATE TABLE _litestream_seq (id INTEGER PRIMARY KEY, seq INTEGER);
CREATE TABLE _litestream_lock (id INTEGER);
CREATE TABLE t(a integer primary key, b blob);
COMMIT;
