-- Ids are 16 bytes, most significant first. Moments are microseconds since 1970-01-01T00:00:00Z.
-- Text is compared byte by byte, which is what SQLite does unless told otherwise.

CREATE TABLE archive_policy (
    name TEXT NOT NULL PRIMARY KEY,
    back_window INTEGER NOT NULL,
    -- [{"granularity": nanoseconds, "points": number or null}, ...]
    definition TEXT NOT NULL,
    -- ["mean", "rate:max", ...]
    aggregation_methods TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE archive_policy_rule (
    name TEXT NOT NULL PRIMARY KEY,
    archive_policy_name TEXT NOT NULL REFERENCES archive_policy (name),
    metric_pattern TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE resource_type (
    name TEXT NOT NULL PRIMARY KEY,
    -- {"name": {"type": "string", "required": true, "min_length": 0, "max_length": 255}, ...}
    attributes TEXT NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO resource_type (name, attributes) VALUES ('generic', '{}');

-- Resources and metrics are rowid tables: rows are appended, and only the index of their random ids is written all over the place.

CREATE TABLE resource (
    id BLOB NOT NULL PRIMARY KEY,
    resource_type TEXT NOT NULL REFERENCES resource_type (name),
    creator TEXT,
    original_resource_id TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    revision_start INTEGER NOT NULL,
    user_id TEXT,
    project_id TEXT,
    -- {"name": value, ...}, values as the type of the resource says; moments are numbers, UUIDs are text.
    attributes TEXT NOT NULL
) STRICT;

-- The default order of listings, of everything and of one type.
CREATE INDEX resource_by_revision ON resource (revision_start, started_at, id);
CREATE INDEX resource_by_type ON resource (resource_type, revision_start, started_at, id);

-- Past revisions. Numbers are never used again.
CREATE TABLE resource_revision (
    revision INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL REFERENCES resource (id) ON DELETE CASCADE,
    resource_type TEXT NOT NULL REFERENCES resource_type (name),
    creator TEXT,
    original_resource_id TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    revision_start INTEGER NOT NULL,
    revision_end INTEGER NOT NULL,
    user_id TEXT,
    project_id TEXT,
    attributes TEXT NOT NULL
) STRICT;

CREATE INDEX resource_revision_by_id ON resource_revision (id);
CREATE INDEX resource_revision_by_type ON resource_revision (resource_type);

CREATE TABLE metric (
    id BLOB NOT NULL PRIMARY KEY,
    creator TEXT,
    name TEXT,
    unit TEXT,
    resource_id BLOB REFERENCES resource (id),
    archive_policy_name TEXT NOT NULL REFERENCES archive_policy (name),
    -- 0: active, 1: deleted. Deleted metrics have no resource.
    status INTEGER NOT NULL
) STRICT;

-- Partial, because many metrics have no resource.
CREATE UNIQUE INDEX metric_by_resource ON metric (resource_id, name) WHERE resource_id IS NOT NULL;
-- With the id: the metrics of one creator are listed by id.
CREATE INDEX metric_by_creator ON metric (creator, id);
CREATE INDEX metric_deleted ON metric (id) WHERE status = 1;
-- There is no index of archive policies: every new metric would pay for it, and only deleting a policy needs it.
