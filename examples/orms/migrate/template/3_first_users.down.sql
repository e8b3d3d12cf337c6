DELETE FROM {{tables.users}};
