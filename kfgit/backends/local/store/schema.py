"""The tables of `state.db` as an ordered tuple of migrations; a released one is never edited, only followed.

Times are RFC 3339 texts in UTC of equal length, so that they sort as they stand. `runs_by_time` and its sisters
are what paging walks: they end in `id`, the tie-break, and a page never sorts or counts.
"""

from __future__ import annotations

# "kfgt": tells kfgit's files from other programs' SQLite files (sqlite.org/pragma.html#pragma_application_id).
APPLICATION_ID = 0x6B666774

_FIRST = (
    # Content-addressed: a thousand runs of one pipeline hold its IR once.
    """CREATE TABLE packages (
        digest TEXT PRIMARY KEY NOT NULL,
        name TEXT NOT NULL,
        document TEXT NOT NULL)""",
    """CREATE TABLE runs (
        id TEXT PRIMARY KEY NOT NULL,
        name TEXT NOT NULL,
        pipeline TEXT NOT NULL,
        version TEXT,
        experiment TEXT NOT NULL,
        environment TEXT NOT NULL,
        schedule TEXT,
        package TEXT NOT NULL REFERENCES packages (digest),
        inputs TEXT NOT NULL,
        options TEXT NOT NULL,
        state TEXT NOT NULL,
        created_at TEXT NOT NULL,
        started_at TEXT,
        finished_at TEXT,
        scheduled_at TEXT,
        outputs TEXT NOT NULL DEFAULT '{}',
        error TEXT,
        notes TEXT NOT NULL DEFAULT '[]',
        owner TEXT,
        folder TEXT NOT NULL UNIQUE)""",
    "CREATE INDEX runs_by_time ON runs (created_at, id)",
    "CREATE INDEX runs_by_state ON runs (state, created_at, id)",
    "CREATE INDEX runs_by_pipeline ON runs (pipeline, created_at, id)",
    "CREATE INDEX runs_by_experiment ON runs (experiment, created_at, id)",
    "CREATE INDEX runs_by_schedule ON runs (schedule, created_at, id) WHERE schedule IS NOT NULL",
    "CREATE INDEX runs_by_package ON runs (package)",
    # `ord` is the place among the run's tasks, `seq` the batch that wrote the row last: a follower asks for newer ones.
    """CREATE TABLE tasks (
        run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
        key TEXT NOT NULL,
        ord INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        path TEXT NOT NULL,
        component TEXT,
        state TEXT NOT NULL,
        cached INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        started_at TEXT,
        finished_at TEXT,
        inputs TEXT NOT NULL,
        outputs TEXT NOT NULL,
        error TEXT,
        folder TEXT,
        PRIMARY KEY (run, key))""",
    """CREATE TABLE artifacts (
        id TEXT PRIMARY KEY NOT NULL,
        run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
        task TEXT NOT NULL,
        output TEXT NOT NULL,
        name TEXT NOT NULL,
        type TEXT NOT NULL,
        uri TEXT NOT NULL,
        metadata TEXT NOT NULL,
        version TEXT NOT NULL,
        custom_path TEXT NOT NULL,
        created_at TEXT NOT NULL)""",
    "CREATE INDEX artifacts_by_time ON artifacts (created_at, id)",
    "CREATE INDEX artifacts_by_run ON artifacts (run, created_at, id)",
    "CREATE INDEX artifacts_by_uri ON artifacts (uri)",
    # Scoped by pipeline name as in KFP (backend/src/v2/driver/cache.go). A hit needs all `files` to be there still.
    """CREATE TABLE cache (
        pipeline TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        outputs TEXT NOT NULL,
        files TEXT NOT NULL,
        run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
        created_at TEXT NOT NULL,
        PRIMARY KEY (pipeline, fingerprint))""",
    "CREATE INDEX cache_by_run ON cache (run)",
    """CREATE TABLE experiments (
        id TEXT PRIMARY KEY NOT NULL,
        name TEXT NOT NULL UNIQUE,
        description TEXT,
        created_at TEXT NOT NULL)""",
    """CREATE TABLE pipelines (
        id TEXT PRIMARY KEY NOT NULL,
        name TEXT NOT NULL UNIQUE,
        display_name TEXT,
        description TEXT,
        created_at TEXT NOT NULL,
        tags TEXT NOT NULL DEFAULT '{}')""",
    """CREATE TABLE versions (
        id TEXT PRIMARY KEY NOT NULL,
        pipeline TEXT NOT NULL REFERENCES pipelines (id) ON DELETE CASCADE,
        name TEXT NOT NULL,
        digest TEXT NOT NULL,
        package TEXT NOT NULL REFERENCES packages (digest),
        created_at TEXT NOT NULL,
        UNIQUE (pipeline, name))""",
    "CREATE INDEX versions_by_time ON versions (pipeline, created_at, id)",
    "CREATE INDEX versions_by_package ON versions (package)",
    # Names of schedules are not unique, as those of KFP's recurring runs are not.
    """CREATE TABLE schedules (
        id TEXT PRIMARY KEY NOT NULL,
        name TEXT NOT NULL,
        spec TEXT NOT NULL,
        enabled INTEGER NOT NULL,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        since TEXT NOT NULL,
        last_tick TEXT)""",
    "CREATE INDEX schedules_by_name ON schedules (name)",
    # What a project owns here; `digest` and `spec` are what it last applied.
    """CREATE TABLE inventory (
        project TEXT NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        id TEXT NOT NULL,
        digest TEXT NOT NULL,
        spec TEXT NOT NULL,
        PRIMARY KEY (project, kind, name))""",
    # Outlives the run and its document: a trigger key starts at most one run, ever.
    """CREATE TABLE triggers (
        project TEXT NOT NULL,
        name TEXT NOT NULL,
        key TEXT NOT NULL,
        run TEXT NOT NULL,
        created_at TEXT NOT NULL,
        PRIMARY KEY (project, name, key))""",
    """CREATE TABLE applies (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        project TEXT NOT NULL,
        commit_id TEXT,
        digest TEXT NOT NULL,
        who TEXT NOT NULL,
        started_at TEXT NOT NULL,
        finished_at TEXT,
        result TEXT NOT NULL)""",
)

# What KFP's API tells of objects, and what a scheduler must remember.
_SECOND = (
    "ALTER TABLE experiments ADD COLUMN storage_state TEXT NOT NULL DEFAULT 'AVAILABLE'",
    "ALTER TABLE experiments ADD COLUMN last_run_at TEXT",
    "CREATE INDEX experiments_by_time ON experiments (created_at, id)",
    # KFP's database takes names that differ in case alone for one.
    "CREATE INDEX experiments_by_name ON experiments (name COLLATE NOCASE, id)",
    "CREATE INDEX pipelines_by_time ON pipelines (created_at, id)",
    "CREATE INDEX pipelines_by_name ON pipelines (name COLLATE NOCASE, id)",
    "ALTER TABLE versions ADD COLUMN display_name TEXT",
    "ALTER TABLE versions ADD COLUMN description TEXT",
    "ALTER TABLE versions ADD COLUMN tags TEXT NOT NULL DEFAULT '{}'",
    "ALTER TABLE runs ADD COLUMN description TEXT",
    "ALTER TABLE runs ADD COLUMN experiment_id TEXT",
    "ALTER TABLE runs ADD COLUMN pipeline_id TEXT",
    "ALTER TABLE runs ADD COLUMN version_id TEXT",
    "ALTER TABLE runs ADD COLUMN storage_state TEXT NOT NULL DEFAULT 'AVAILABLE'",
    "ALTER TABLE runs ADD COLUMN service_account TEXT",
    "ALTER TABLE runs ADD COLUMN pipeline_root TEXT",
    # Each state the run came to, with the time: [["PENDING", "2026-…Z"], …].
    "ALTER TABLE runs ADD COLUMN history TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE runs ADD COLUMN retries INTEGER NOT NULL DEFAULT 0",
    "UPDATE runs SET experiment_id = (SELECT id FROM experiments WHERE name = experiment)",
    "UPDATE runs SET pipeline_id = (SELECT id FROM pipelines WHERE name = pipeline)",
    "UPDATE runs SET version_id = (SELECT id FROM versions WHERE versions.pipeline = pipeline_id AND name = version)",
    """UPDATE experiments SET last_run_at =
        (SELECT max(created_at) FROM runs WHERE experiment_id = experiments.id)""",
    "CREATE INDEX runs_by_experiment_id ON runs (experiment_id, created_at, id)",
    # What the pages of KFP's API walk and count (`listing` has these expressions), with what they leave out behind.
    "CREATE INDEX runs_by_storage ON runs (storage_state, created_at, id, state, experiment_id)",
    "CREATE INDEX runs_by_experiment_and_storage ON runs (experiment_id, storage_state, created_at, id, state)",
    """CREATE INDEX runs_by_name ON runs
        (name COLLATE NOCASE, id, created_at, storage_state, state, experiment_id)""",
    """CREATE INDEX runs_by_finish ON runs
        (coalesce(finished_at, '1970-01-01T00:00:00.000000Z'), id, storage_state, state, experiment_id)""",
    "ALTER TABLE schedules ADD COLUMN description TEXT",
    "ALTER TABLE schedules ADD COLUMN experiment_id TEXT",
    "ALTER TABLE schedules ADD COLUMN pipeline_id TEXT",
    "ALTER TABLE schedules ADD COLUMN version_id TEXT",
    "ALTER TABLE schedules ADD COLUMN package TEXT REFERENCES packages (digest)",
    "ALTER TABLE schedules ADD COLUMN service_account TEXT",
    "ALTER TABLE schedules ADD COLUMN pipeline_root TEXT",
    "ALTER TABLE schedules ADD COLUMN written TEXT",
    "ALTER TABLE schedules ADD COLUMN next_at TEXT",
    """UPDATE schedules SET
        experiment_id = (SELECT id FROM experiments WHERE name = spec ->> 'experiment'),
        pipeline_id = (SELECT id FROM pipelines WHERE name = spec ->> 'pipeline')""",
    """UPDATE schedules SET version_id = (SELECT id FROM versions
        WHERE versions.pipeline = pipeline_id AND versions.name = spec ->> 'version')""",
    "UPDATE schedules SET package = (SELECT versions.package FROM versions WHERE versions.id = version_id)",
    "CREATE INDEX schedules_by_time ON schedules (created_at, id)",
    "CREATE INDEX schedules_by_package ON schedules (package)",
    "CREATE INDEX schedules_by_wake ON schedules (next_at) WHERE enabled",
    """CREATE TABLE ticks (
        schedule TEXT NOT NULL REFERENCES schedules (id) ON DELETE CASCADE ON UPDATE CASCADE,
        at TEXT NOT NULL,
        state TEXT NOT NULL,
        reason TEXT,
        run TEXT,
        decided_at TEXT NOT NULL,
        PRIMARY KEY (schedule, at))""",
    # What counts against the concurrency of a schedule; its end gives the tick that waits for it a slot.
    "CREATE INDEX runs_active_by_schedule ON runs (schedule) WHERE state IN ('PENDING', 'RUNNING', 'CANCELING')",
    """CREATE TRIGGER slot_after_end AFTER UPDATE OF state ON runs
        WHEN NEW.schedule IS NOT NULL AND NEW.state NOT IN ('PENDING', 'RUNNING', 'CANCELING')
        BEGIN UPDATE schedules SET next_at = NULL WHERE id = NEW.schedule; END""",
    """CREATE TRIGGER slot_after_deletion AFTER DELETE ON runs
        WHEN OLD.schedule IS NOT NULL AND OLD.state IN ('PENDING', 'RUNNING', 'CANCELING')
        BEGIN UPDATE schedules SET next_at = NULL WHERE id = OLD.schedule; END""",
    # What a retry of the run need not do again; gone once the run has succeeded.
    """CREATE TABLE successes (
        run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
        key TEXT NOT NULL,
        asked TEXT NOT NULL,
        outputs TEXT NOT NULL,
        files TEXT NOT NULL,
        cached INTEGER NOT NULL,
        started_at TEXT,
        finished_at TEXT NOT NULL,
        PRIMARY KEY (run, key)) WITHOUT ROWID""",
    # What runs were given that other runs made; `folder` is where it lies, where that is the folder of a run. It stays
    # until no run is left that was given it.
    """CREATE TABLE loans (
        number INTEGER PRIMARY KEY,
        run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
        artifact TEXT NOT NULL,
        folder TEXT,
        UNIQUE (run, artifact))""",
    "CREATE INDEX loans_by_artifact ON loans (artifact)",
    "CREATE INDEX loans_by_folder ON loans (folder)",
    """INSERT INTO loans (run, artifact, folder)
        SELECT DISTINCT tasks.run, artifacts.id, maker.folder
        FROM tasks, json_tree(tasks.outputs) AS part, artifacts, runs AS maker
        WHERE tasks.cached AND part.key = 'id' AND artifacts.id = part.atom AND artifacts.run <> tasks.run
        AND maker.id = artifacts.run ORDER BY tasks.rowid""",
    # The folders of runs that are forgotten, until they are removed.
    "CREATE TABLE leavings (folder TEXT PRIMARY KEY NOT NULL, run TEXT)",
)

# What a commit ran, for promotion and `history`; whoever executes a run, its end is written down here too.
_THIRD = (
    "ALTER TABLE applies ADD COLUMN branch TEXT",
    # An older kfgit did not say what it had read: perhaps a folder.
    "ALTER TABLE applies ADD COLUMN folder INTEGER NOT NULL DEFAULT 1",
    "ALTER TABLE applies ADD COLUMN verb TEXT NOT NULL DEFAULT 'apply'",
    "ALTER TABLE applies ADD COLUMN changes TEXT NOT NULL DEFAULT '{}'",
    "CREATE INDEX applies_by_project ON applies (project, id)",
    """CREATE TABLE applied_runs (
        apply INTEGER NOT NULL REFERENCES applies (id) ON DELETE CASCADE,
        ord INTEGER NOT NULL,
        name TEXT NOT NULL,
        pipeline TEXT NOT NULL,
        digest TEXT NOT NULL,
        run TEXT NOT NULL,
        state TEXT,
        PRIMARY KEY (apply, ord)) WITHOUT ROWID""",
    "CREATE INDEX applied_runs_by_run ON applied_runs (run)",
    """CREATE TRIGGER applied_run_ends AFTER UPDATE OF state ON runs
        BEGIN UPDATE applied_runs
        SET state = CASE WHEN NEW.state IN ('SUCCEEDED', 'FAILED', 'CANCELED', 'SKIPPED') THEN NEW.state END
        WHERE run = NEW.id; END""",
)

# What tasks got by the names of profiles when a pipeline was applied; NULL for what an older kfgit applied.
_FOURTH = ("ALTER TABLE inventory ADD COLUMN uses TEXT",)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_FIRST, _SECOND, _THIRD, _FOURTH)
