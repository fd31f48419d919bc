"""The embedded backend: objects in SQLite, runs as processes of this machine."""
