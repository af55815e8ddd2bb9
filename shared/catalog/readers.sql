-- Three people to sign in as. They are put in once, when the table of readers is made.
--
-- Everyone can read their passwords here: ada-reads, ben-reads and liz-lends. Delete them before
-- others use your library: UPDATE book_instance SET borrower_id = NULL; DELETE FROM reader;
INSERT INTO reader (name, password_hash, is_librarian) VALUES
    ('ada', '$argon2id$v=19$m=19456,t=2,p=1$1bn/QBb7zGPKdiQqRVTWcg$wLv0QUzUn7jGdbfnOshKSRf6odDddW/5U4PZP9s7e+U', 0),
    ('ben', '$argon2id$v=19$m=19456,t=2,p=1$NUjZ8r6zWZ+0IrYml2slMQ$s8HgWdksxHVMBbZGq/o5uLs5SN0QcXx34vNZWdssT58', 0),
    ('liz', '$argon2id$v=19$m=19456,t=2,p=1$PgdxzUZBpiXSI/Pp/HjXxA$vEwhZEJIbyjFdaHKH5WSJ0JNLkm0cAfB3Avk/WqtHss', 1);

-- What two of them have borrowed: copies of the sample that are on loan and not late. In a library
-- that was there before, a copy may have come back since.
WITH loan (name, copy) AS (VALUES
    ('ada', '60dfe007-6228-409a-968c-881a237e575b'), -- Anna Karenina
    ('ada', '1b1d6b86-d74f-42da-8084-ac0c701c5881'), -- Middlemarch
    ('ben', '787284a1-b1e4-42fe-a91f-abb06a80dbe9'), -- Dracula
    ('ben', '1f9aff33-160e-43e5-bd35-6294d065562a')  -- Frankenstein
)
UPDATE book_instance
SET borrower_id = (SELECT id FROM reader WHERE reader.name = loan.name)
FROM loan
WHERE book_instance.id = loan.copy AND status = 'o';
