ALTER TABLE schema_migrations RENAME TO golang_migrate_versions;
