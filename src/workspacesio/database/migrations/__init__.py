"""The history of the schema, one file a step in `versions/`. Run by `database/migrate.py`, never by hand."""
