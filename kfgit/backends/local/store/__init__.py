"""What a local environment remembers: one SQLite file, `.kfgit/ENV/state.db`, shared by every kfgit process.

`Database` lends transactions; the modules are the tables by group, plain functions over an open transaction, so that a
caller can put intent and effect into one: `with store.write() as db: ledger.put(db, …); pipelines.upload(db, …)`.
"""

from __future__ import annotations

from kfgit.backends.local.store.database import Database

__all__ = ["Database"]
