-- LocalLibrary's data model, as in the Django tutorial, part 3.
--
-- An existing library has run this file and keeps its checksum, so a later change to the model goes
-- into a new file beside it.
--
-- STRICT, since SQLite would otherwise store a text in an integer column without a word.
-- Dates are text, YYYY-MM-DD: they sort as dates do. `date(x) IS x` refuses any other spelling,
-- days that do not exist included, and lets NULL pass.

-- NOCASE makes 'poetry' and 'Poetry' the same name. It folds A to Z only, not 'É'.
CREATE TABLE genre (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL COLLATE NOCASE UNIQUE
) STRICT;

CREATE TABLE language (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL COLLATE NOCASE UNIQUE
) STRICT;

CREATE TABLE author (
    id            INTEGER PRIMARY KEY,
    first_name    TEXT NOT NULL,
    last_name     TEXT NOT NULL,
    date_of_birth TEXT CHECK (date(date_of_birth) IS date_of_birth),
    date_of_death TEXT CHECK (date(date_of_death) IS date_of_death)
) STRICT;

-- A page of authors is read straight from this index, without sorting all of them first.
CREATE INDEX author_by_name ON author (last_name, first_name);

-- A book outlives what we know about its author and language.
CREATE TABLE book (
    id          INTEGER PRIMARY KEY,
    title       TEXT NOT NULL,
    author_id   INTEGER REFERENCES author (id) ON DELETE SET NULL,
    summary     TEXT NOT NULL,
    isbn        TEXT NOT NULL UNIQUE CHECK (length(isbn) = 13),
    language_id INTEGER REFERENCES language (id) ON DELETE SET NULL
) STRICT;

CREATE INDEX book_by_title ON book (title, author_id);
-- Without these two, deleting one author or language would read every book.
CREATE INDEX book_by_author ON book (author_id);
CREATE INDEX book_by_language ON book (language_id);

CREATE TABLE book_genre (
    book_id  INTEGER NOT NULL REFERENCES book (id) ON DELETE CASCADE,
    genre_id INTEGER NOT NULL REFERENCES genre (id) ON DELETE CASCADE,
    PRIMARY KEY (book_id, genre_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX book_genre_by_genre ON book_genre (genre_id);

-- One copy of a book. A book that still has copies cannot be deleted: that is what REFERENCES does
-- on its own. ON DELETE RESTRICT does the same, but then SQLite blames a trigger, and sqlx does not
-- recognise a foreign key in that.
CREATE TABLE book_instance (
    -- SQLite lets a text primary key be NULL unless told otherwise.
    id       TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    book_id  INTEGER REFERENCES book (id),
    imprint  TEXT NOT NULL,
    due_back TEXT CHECK (date(due_back) IS due_back),
    borrower TEXT,
    -- d maintenance, o on loan, a available, r reserved
    status   TEXT NOT NULL DEFAULT 'd' CHECK (status IN ('d', 'o', 'a', 'r'))
) STRICT;

CREATE INDEX book_instance_by_due_back ON book_instance (due_back);
CREATE INDEX book_instance_by_book ON book_instance (book_id);
CREATE INDEX book_instance_by_borrower ON book_instance (borrower, due_back);
