-- name: create_extension :execute
-- Bring TimescaleDB into this database.
CREATE EXTENSION timescaledb;

-- name: is_hypertable :value
-- Whether a table is a hypertable.
SELECT EXISTS (SELECT 1 FROM timescaledb_information.hypertables WHERE hypertable_name = :name);

-- name: create_hypertable :execute
-- Make a table a hypertable and move its rows. The default index on time would cost a third of the loading rate, and no
-- query here needs it.
SELECT create_hypertable(:name::regclass, 'time', chunk_time_interval => :chunk::interval,
    create_default_indexes => false, migrate_data => true, if_not_exists => true);

-- name: chunk_interval :value
-- The length of chunks that are yet to come.
SELECT time_interval FROM timescaledb_information.dimensions WHERE hypertable_name = :name;

-- name: set_chunk_interval :execute
-- Set that length.
SELECT set_chunk_time_interval(:name::regclass, :chunk::interval);

-- name: drop_chunks :execute
-- Drop the chunks whose every row is older than a time.
SELECT drop_chunks(:name::regclass, older_than => :before::timestamptz);

-- name: old_chunks :many
-- The chunks whose every row is older than a time.
SELECT chunk_schema AS schema, chunk_name AS name, range_start, range_end FROM timescaledb_information.chunks
WHERE hypertable_name = :name AND range_end <= :before;

-- name: drop_chunks_between :execute
-- Drop the chunks that lie within two times.
SELECT drop_chunks(:name::regclass, older_than => :end::timestamptz, newer_than => :start::timestamptz);

-- name: compression_enabled :value
-- Whether the chunks of a table may be compressed.
SELECT compression_enabled FROM timescaledb_information.hypertables WHERE hypertable_name = :name;
