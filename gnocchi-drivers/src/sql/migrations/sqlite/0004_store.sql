-- Which store this is the indexer of: one row. The directory of the store holds the same, and both are compared when it is opened, so that
-- an indexer of another store, or of the same one at another time, is noticed.
CREATE TABLE store (
    identity BLOB NOT NULL,
    -- How often the store was opened.
    pairing INTEGER NOT NULL
) STRICT;
