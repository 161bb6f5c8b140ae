//! Everything said to a Postgres server: sessions, catalog, COPY, replication, dump and restore.
