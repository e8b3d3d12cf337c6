pg_dump "$DATABASE_URL" --schema-only --no-owner --no-privileges --schema=public \
    --exclude-table='*.schema_migrations*' --exclude-table='*.goose_db_version*' |
  sed -e '/^CREATE SCHEMA /d' -e '/^COMMENT ON SCHEMA /d' -e 's/public\./{{schema}}./g' \
    > migrations/001_initial.sql
