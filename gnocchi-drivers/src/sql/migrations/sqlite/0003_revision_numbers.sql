-- The revisions of each resource are numbered by themselves: a number that all resources share would tell how many revisions the
-- resources of others have. `revision` stays as the key of the row, `number` is what clients see.
ALTER TABLE resource_revision ADD COLUMN number INTEGER NOT NULL DEFAULT 0;

UPDATE resource_revision SET number = counted.number
FROM (
    SELECT revision, row_number() OVER (PARTITION BY id ORDER BY revision) AS number FROM resource_revision
) AS counted
WHERE counted.revision = resource_revision.revision;

DROP INDEX resource_revision_by_id;
CREATE UNIQUE INDEX resource_revision_by_id ON resource_revision (id, number);
