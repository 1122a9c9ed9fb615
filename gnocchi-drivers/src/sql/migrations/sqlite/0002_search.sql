-- Which resources have a value of an attribute: an index over the documents in resource.attributes, for searches that few resources
-- match. Triggers keep it, so nothing that writes resources knows of it. What it finds is compared with the document again.
-- Flags are 0 and 1, as everywhere; past revisions are not in it.
CREATE TABLE resource_attribute (
    type TEXT NOT NULL,
    attribute TEXT NOT NULL,
    value ANY NOT NULL,
    resource_id BLOB NOT NULL,
    PRIMARY KEY (type, attribute, value, resource_id)
) STRICT, WITHOUT ROWID;

-- A document that cannot be read has no entries: readers complain about it with the name of the column.
INSERT INTO resource_attribute (type, attribute, value, resource_id)
SELECT resource.resource_type, entry.key, entry.value, resource.id
FROM resource, json_each(iif(json_valid(resource.attributes), resource.attributes, '{}')) AS entry
WHERE entry.value IS NOT NULL;

CREATE TRIGGER resource_attribute_appears AFTER INSERT ON resource
WHEN new.attributes <> '{}' BEGIN
    INSERT INTO resource_attribute (type, attribute, value, resource_id)
    SELECT new.resource_type, key, value, new.id
    FROM json_each(iif(json_valid(new.attributes), new.attributes, '{}'))
    WHERE value IS NOT NULL;
END;

CREATE TRIGGER resource_attribute_changes AFTER UPDATE OF id, resource_type, attributes ON resource
WHEN (old.id, old.resource_type, old.attributes) IS NOT (new.id, new.resource_type, new.attributes) BEGIN
    DELETE FROM resource_attribute
    WHERE type = old.resource_type AND resource_id = old.id AND (attribute, value) IN (
        SELECT key, value FROM json_each(iif(json_valid(old.attributes), old.attributes, '{}'))
    );
    INSERT INTO resource_attribute (type, attribute, value, resource_id)
    SELECT new.resource_type, key, value, new.id
    FROM json_each(iif(json_valid(new.attributes), new.attributes, '{}'))
    WHERE value IS NOT NULL;
END;

CREATE TRIGGER resource_attribute_vanishes AFTER DELETE ON resource
WHEN old.attributes <> '{}' BEGIN
    DELETE FROM resource_attribute
    WHERE type = old.resource_type AND resource_id = old.id AND (attribute, value) IN (
        SELECT key, value FROM json_each(iif(json_valid(old.attributes), old.attributes, '{}'))
    );
END;

-- The resources of one project in the default order, and those that somebody gave a name to.
CREATE INDEX resource_by_project ON resource (project_id, revision_start, started_at, id);
CREATE INDEX resource_by_original_id ON resource (original_resource_id);
