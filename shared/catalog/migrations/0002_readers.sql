-- Readers, and who of them has borrowed which copy, as in the Django tutorial, part 8.

-- AUTOINCREMENT: a number is never given a second time. A program that keeps the number of a reader
-- who is gone must not find another reader under it.
CREATE TABLE reader (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    -- What the reader types to sign in. The same in any case, A to Z.
    name          TEXT NOT NULL COLLATE NOCASE UNIQUE CHECK (length(name) BETWEEN 1 AND 50),
    -- A PHC string: algorithm, parameters, salt and hash.
    password_hash TEXT NOT NULL,
    is_librarian  INTEGER NOT NULL DEFAULT 0 CHECK (is_librarian IN (0, 1)),
    -- Grows by one when all that was issued to this reader before is to end.
    epoch         INTEGER NOT NULL DEFAULT 0
) STRICT;

-- The column of names was never filled. A borrower is a reader. One who has books cannot be deleted.
DROP INDEX book_instance_by_borrower;
ALTER TABLE book_instance DROP COLUMN borrower;
ALTER TABLE book_instance ADD COLUMN borrower_id INTEGER REFERENCES reader (id);
CREATE INDEX book_instance_by_borrower ON book_instance (borrower_id, due_back);
