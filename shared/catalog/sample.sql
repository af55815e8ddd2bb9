-- What a new library holds: books out of copyright, each under the ISBN of a real paperback.
--
-- Filled in once, into a new file only. It is no migration, so that a summary can be improved
-- without every existing library being told that its history was changed.
--
-- Rows name each other by name and title, so that you can read and edit them without counting ids.

INSERT INTO genre (name) VALUES
    ('Adventure'),
    ('Children''s Literature'),
    ('Coming of Age'),
    ('Crime'),
    ('Epic'),
    ('Fantasy'),
    ('Gothic'),
    ('Historical Fiction'),
    ('Horror'),
    ('Romance'),
    ('Satire'),
    ('Science Fiction'),
    ('Social Criticism'),
    ('Tragedy');

-- The language that a book was written in; most of these editions are translations into English.
INSERT INTO language (name) VALUES
    ('English'),
    ('French'),
    ('German'),
    ('Old English'),
    ('Russian'),
    ('Spanish');

-- Russian dates are given in today's calendar. Of Cervantes only the day of baptism is recorded,
-- so his birth stays empty.
INSERT INTO author (first_name, last_name, date_of_birth, date_of_death) VALUES
    ('Jane', 'Austen', '1775-12-16', '1817-07-18'),
    ('Charlotte', 'Brontë', '1816-04-21', '1855-03-31'),
    ('Emily', 'Brontë', '1818-07-30', '1848-12-19'),
    ('Lewis', 'Carroll', '1832-01-27', '1898-01-14'),
    ('Miguel de', 'Cervantes', NULL, '1616-04-22'),
    ('Charles', 'Dickens', '1812-02-07', '1870-06-09'),
    ('Fyodor', 'Dostoevsky', '1821-11-11', '1881-02-09'),
    ('Alexandre', 'Dumas', '1802-07-24', '1870-12-05'),
    ('George', 'Eliot', '1819-11-22', '1880-12-22'),
    ('Gustave', 'Flaubert', '1821-12-12', '1880-05-08'),
    ('Johann Wolfgang von', 'Goethe', '1749-08-28', '1832-03-22'),
    ('Victor', 'Hugo', '1802-02-26', '1885-05-22'),
    ('Mary', 'Shelley', '1797-08-30', '1851-02-01'),
    ('Robert Louis', 'Stevenson', '1850-11-13', '1894-12-03'),
    ('Bram', 'Stoker', '1847-11-08', '1912-04-20'),
    ('Leo', 'Tolstoy', '1828-09-09', '1910-11-20'),
    ('H. G.', 'Wells', '1866-09-21', '1946-08-13'),
    ('Oscar', 'Wilde', '1854-10-16', '1900-11-30');

-- LEFT JOIN: Beowulf has no author, and that is a fact and not a mistake.
WITH shelf (title, author, language, isbn, summary) AS (VALUES
    ('Alice''s Adventures in Wonderland & Through the Looking-Glass', 'Lewis Carroll', 'English', '9780141439761',
     'A girl follows a rabbit down a hole, and later steps through a mirror. Both worlds obey their own logic to the letter.'),
    ('Anna Karenina', 'Leo Tolstoy', 'Russian', '9780140449174',
     'A married woman loves an officer, and society forgives him alone. Beside their story a landowner looks for a way to live.'),
    ('Beowulf', NULL, 'Old English', '9780140449310',
     'A hero crosses the sea to rid a king''s hall of a monster, then faces its mother and, as an old man, a dragon.'),
    ('The Brothers Karamazov', 'Fyodor Dostoevsky', 'Russian', '9780140449242',
     'A father is murdered, and each of his sons had wished it. A trial asks who is guilty, and the brothers ask of what.'),
    ('The Count of Monte Cristo', 'Alexandre Dumas', 'French', '9780140449266',
     'Locked away on his wedding day through no fault of his own, a sailor escapes, finds a treasure, and repays friends and enemies in full.'),
    ('Crime and Punishment', 'Fyodor Dostoevsky', 'Russian', '9780140449136',
     'A student reasons that he may kill a pawnbroker. Having done it, he finds that reasoning was the easy part.'),
    ('Don Quixote', 'Miguel de Cervantes', 'Spanish', '9780142437230',
     'A gentleman who has read too many romances rides out as a knight. His squire sees windmills, he sees giants.'),
    ('Dracula', 'Bram Stoker', 'English', '9780141439846',
     'Letters, diaries and a ship''s log tell how a count from Transylvania came to England, and how six people hunted him down.'),
    ('Emma', 'Jane Austen', 'English', '9780141439587',
     'Emma Woodhouse arranges the marriages of her neighbours, certain of her judgement, and is wrong about every heart, her own included.'),
    ('Faust, Part One', 'Johann Wolfgang von Goethe', 'German', '9780140449013',
     'A scholar who knows everything but what holds the world together makes a wager with the devil. A young woman pays for it.'),
    ('Frankenstein', 'Mary Shelley', 'English', '9780141439471',
     'A student gives life to a being and runs from it. What he made asks for one companion, and is refused.'),
    ('Great Expectations', 'Charles Dickens', 'English', '9780141439563',
     'An unknown benefactor turns a blacksmith''s boy into a gentleman. He is sure that he knows who it is.'),
    ('The Invisible Man', 'H. G. Wells', 'English', '9780141439983',
     'A bandaged stranger takes a room in a village inn. He has found out how to vanish, but not how to come back.'),
    ('Jane Eyre', 'Charlotte Brontë', 'English', '9780141441146',
     'An orphan becomes a governess at Thornfield Hall and loves its master. Something in the attic laughs at night.'),
    ('Les Misérables', 'Victor Hugo', 'French', '9780140444308',
     'Nineteen years in prison for a stolen loaf: then a bishop''s kindness lets Valjean begin again, with an inspector always behind him.'),
    ('Madame Bovary', 'Gustave Flaubert', 'French', '9780140449129',
     'A country doctor''s wife wants life to be as it is in novels. She borrows the money for it, again and again.'),
    ('Middlemarch', 'George Eliot', 'English', '9780141439549',
     'In a provincial town an idealist marries a pedant and a young doctor marries a beauty. Many quiet lives touch theirs.'),
    ('Oliver Twist', 'Charles Dickens', 'English', '9780141439747',
     'A boy from the workhouse asks for more, runs away to London, and falls in with a school for pickpockets.'),
    ('Persuasion', 'Jane Austen', 'English', '9780141439686',
     'Eight years ago Anne Elliot let herself be talked out of an engagement. Now the captain is back, and polite.'),
    ('The Picture of Dorian Gray', 'Oscar Wilde', 'English', '9780141439570',
     'A young man stays as fair as on the day he was painted. The portrait in the locked room keeps the account.'),
    ('Pride and Prejudice', 'Jane Austen', 'English', '9780141439518',
     'Elizabeth Bennet makes up her mind about Mr Darcy at a ball, and he about her family. Both have to read a letter twice.'),
    ('Sense and Sensibility', 'Jane Austen', 'English', '9780141439662',
     'Two sisters lose their home and then their hearts. One hides everything that she feels, the other nothing.'),
    ('The Sorrows of Young Werther', 'Johann Wolfgang von Goethe', 'German', '9780140445039',
     'Letters from a young man who loves a woman promised to another. One day they stop.'),
    ('Strange Case of Dr Jekyll and Mr Hyde', 'Robert Louis Stevenson', 'English', '9780141439730',
     'A London lawyer wonders why his most respectable friend has left everything to a brute.'),
    ('A Tale of Two Cities', 'Charles Dickens', 'English', '9780141439600',
     'London is safe and Paris has the guillotine. Two men who look alike love the same woman, and one of them is sent for.'),
    ('The Time Machine', 'H. G. Wells', 'English', '9780141439976',
     'A traveller visits the year 802,701 and finds two peoples: one lives in the sun, the other feeds on it.'),
    ('War and Peace', 'Leo Tolstoy', 'Russian', '9780140447934',
     'Five families live through Napoleon''s war on Russia. Generals believe that they lead it.'),
    ('The War of the Worlds', 'H. G. Wells', 'English', '9780141441030',
     'Cylinders from Mars land in Surrey. What comes out does not want to talk.'),
    ('Wuthering Heights', 'Emily Brontë', 'English', '9780141439556',
     'A foundling and the daughter of the house belong together like the moor and the wind. When she marries another, two families pay.')
)
INSERT INTO book (title, author_id, summary, isbn, language_id)
SELECT shelf.title, author.id, shelf.summary, shelf.isbn, language.id
FROM shelf
LEFT JOIN author ON author.first_name || ' ' || author.last_name = shelf.author
LEFT JOIN language ON language.name = shelf.language;

-- LEFT JOIN: a misspelt name becomes NULL and is refused, where JOIN would drop its row.
WITH label (title, genre) AS (VALUES
    ('Alice''s Adventures in Wonderland & Through the Looking-Glass', 'Children''s Literature'),
    ('Alice''s Adventures in Wonderland & Through the Looking-Glass', 'Fantasy'),
    ('Anna Karenina', 'Romance'), ('Anna Karenina', 'Tragedy'),
    ('Beowulf', 'Epic'),
    ('The Brothers Karamazov', 'Crime'), ('The Brothers Karamazov', 'Tragedy'),
    ('The Count of Monte Cristo', 'Adventure'), ('The Count of Monte Cristo', 'Historical Fiction'),
    ('Crime and Punishment', 'Crime'),
    ('Don Quixote', 'Adventure'), ('Don Quixote', 'Satire'),
    ('Dracula', 'Gothic'), ('Dracula', 'Horror'),
    ('Emma', 'Romance'), ('Emma', 'Satire'),
    ('Faust, Part One', 'Tragedy'),
    ('Frankenstein', 'Gothic'), ('Frankenstein', 'Horror'), ('Frankenstein', 'Science Fiction'),
    ('Great Expectations', 'Coming of Age'),
    ('The Invisible Man', 'Horror'), ('The Invisible Man', 'Science Fiction'),
    ('Jane Eyre', 'Coming of Age'), ('Jane Eyre', 'Gothic'), ('Jane Eyre', 'Romance'),
    ('Les Misérables', 'Historical Fiction'), ('Les Misérables', 'Social Criticism'),
    ('Madame Bovary', 'Tragedy'),
    ('Middlemarch', 'Historical Fiction'), ('Middlemarch', 'Social Criticism'),
    ('Oliver Twist', 'Crime'), ('Oliver Twist', 'Social Criticism'),
    ('Persuasion', 'Romance'),
    ('The Picture of Dorian Gray', 'Gothic'), ('The Picture of Dorian Gray', 'Horror'),
    ('Pride and Prejudice', 'Romance'), ('Pride and Prejudice', 'Satire'),
    ('Sense and Sensibility', 'Romance'),
    ('The Sorrows of Young Werther', 'Romance'), ('The Sorrows of Young Werther', 'Tragedy'),
    ('Strange Case of Dr Jekyll and Mr Hyde', 'Gothic'),
    ('Strange Case of Dr Jekyll and Mr Hyde', 'Horror'),
    ('A Tale of Two Cities', 'Historical Fiction'),
    ('The Time Machine', 'Science Fiction'),
    ('War and Peace', 'Historical Fiction'), ('War and Peace', 'Romance'),
    ('The War of the Worlds', 'Horror'), ('The War of the Worlds', 'Science Fiction'),
    ('Wuthering Heights', 'Gothic'), ('Wuthering Heights', 'Romance'), ('Wuthering Heights', 'Tragedy')
)
INSERT INTO book_genre (book_id, genre_id)
SELECT book.id, genre.id
FROM label
LEFT JOIN book ON book.title = label.title
LEFT JOIN genre ON genre.name = label.genre;

-- Copies on loan or reserved have a day to be back, as seen from 21 December 2026: three of them are
-- late. A library that is made on another day has its dates moved by as many days (`SAMPLE_DAY` in
-- src/setup.rs). Who has borrowed them is in readers.sql.
WITH copy (id, title, imprint, status, due_back) AS (VALUES
    ('cd1e097a-ed17-4a79-b833-30dead3b48ab', 'Alice''s Adventures in Wonderland & Through the Looking-Glass', 'Penguin Classics, 2003', 'a', NULL),
    ('b1f6ce18-5ed5-4b29-b513-1d6dc3438bef', 'Alice''s Adventures in Wonderland & Through the Looking-Glass', 'Penguin Classics, 2003', 'a', NULL),
    ('848ad175-50d8-4b82-966b-aca2e1758b2b', 'Alice''s Adventures in Wonderland & Through the Looking-Glass', 'Oxford World''s Classics, 2009', 'o', '2026-10-05'),
    ('fcbeed75-95a6-454e-8a10-b5d6ba4a968b', 'Anna Karenina', 'Penguin Classics, 2003', 'a', NULL),
    ('60dfe007-6228-409a-968c-881a237e575b', 'Anna Karenina', 'Penguin Classics, 2003', 'o', '2027-01-11'),
    ('1ce3f930-ef39-426c-8b49-5ef36a02616e', 'Beowulf', 'Penguin Classics, 2003', 'a', NULL),
    ('6f6e26b4-3c6f-4f9f-8c81-20799467c0cf', 'Beowulf', 'Penguin Classics, 2003', 'd', NULL),
    ('2527eef8-59ee-42df-937c-d8f6870b2873', 'The Brothers Karamazov', 'Penguin Classics, 2003', 'a', NULL),
    ('4a6cd673-8ee3-4a4f-920a-7bea66756d15', 'The Brothers Karamazov', 'Penguin Classics, 2003', 'r', '2027-01-18'),
    ('6b04c5fe-3edb-4cc2-8e44-f31522c419ee', 'The Count of Monte Cristo', 'Penguin Classics, 2003', 'o', '2027-01-15'),
    ('19115c69-fc9f-4fea-bde6-98f88ceb6770', 'The Count of Monte Cristo', 'Penguin Classics, 2003', 'o', '2026-10-19'),
    ('0cc38bdc-da54-44b5-a3d4-b956526158c6', 'The Count of Monte Cristo', 'Everyman''s Library, 2009', 'a', NULL),
    ('867a2d66-390b-45c1-8113-76b4a0a7684a', 'Crime and Punishment', 'Penguin Classics, 2003', 'a', NULL),
    ('6507e1e0-abfd-41c1-a522-3184775cdaca', 'Crime and Punishment', 'Penguin Classics, 2003', 'a', NULL),
    ('5354947e-6873-4e31-8d4e-6a2ca045772c', 'Crime and Punishment', 'Oxford World''s Classics, 2019', 'o', '2027-01-22'),
    ('c2c98fe1-4d14-4c80-a4bb-cc7a8bd59f45', 'Don Quixote', 'Penguin Classics, 2003', 'a', NULL),
    ('69111845-eff8-499f-9bfc-f08f0550c37b', 'Don Quixote', 'Penguin Classics, 2003', 'd', NULL),
    ('eb20c70b-c488-440f-8e6a-ac7923ea7283', 'Dracula', 'Penguin Classics, 2003', 'a', NULL),
    ('787284a1-b1e4-42fe-a91f-abb06a80dbe9', 'Dracula', 'Penguin Classics, 2003', 'o', '2027-02-01'),
    ('7c7f469e-8a79-4729-bc6d-cb6b7435e5d9', 'Dracula', 'Oxford World''s Classics, 2011', 'r', '2027-01-29'),
    ('9fa68543-1e2c-45bd-8b87-cc65523d2232', 'Emma', 'Penguin Classics, 2003', 'a', NULL),
    ('ecd54e02-49e8-4a79-9bbe-e31bd52d3f70', 'Emma', 'Oxford World''s Classics, 2008', 'a', NULL),
    ('2b272dbe-4587-4de5-9922-d1ebcd23973f', 'Faust, Part One', 'Penguin Classics, 2005', 'a', NULL),
    ('61a5f72b-8c9d-44cf-b0f2-4285b789a303', 'Frankenstein', 'Penguin Classics, 2003', 'a', NULL),
    ('af3f9ea9-c54a-4e34-a0f9-997a07220f04', 'Frankenstein', 'Penguin Classics, 2003', 'a', NULL),
    ('1f9aff33-160e-43e5-bd35-6294d065562a', 'Frankenstein', 'Oxford World''s Classics, 2008', 'o', '2027-02-05'),
    ('4d3871a8-7e40-4f6e-ad46-3ae5fd7b5ab3', 'Great Expectations', 'Penguin Classics, 2003', 'a', NULL),
    ('0fead3fa-f33f-4164-9917-d160e6717646', 'Great Expectations', 'Penguin Classics, 2003', 'o', '2026-10-28'),
    ('cab04d80-f0a6-4ca5-ac42-28d481bfa97a', 'Great Expectations', 'Everyman''s Library, 1992', 'd', NULL),
    ('febfae01-d55f-4ff5-9053-dd1b84edd09d', 'The Invisible Man', 'Penguin Classics, 2005', 'a', NULL),
    ('6fdd67dc-41b6-4bd0-98d0-bbf2d50a09fc', 'Jane Eyre', 'Penguin Classics, 2006', 'a', NULL),
    ('1eaaf12c-6181-42e6-8551-1dc2ab77029b', 'Jane Eyre', 'Penguin Classics, 2006', 'a', NULL),
    ('901ea03e-1c28-4d1b-89a6-7ffb85e80610', 'Jane Eyre', 'Oxford World''s Classics, 2008', 'r', '2027-02-08'),
    ('f72c8691-1aa2-4223-a7bd-4da712dab99d', 'Les Misérables', 'Penguin Classics, 1982', 'a', NULL),
    ('1fbcecd8-839d-4de3-a4e7-ec3082c51092', 'Les Misérables', 'Penguin Classics, 1982', 'o', '2027-02-12'),
    ('f441f175-0750-46e3-94e4-e7a39412182a', 'Madame Bovary', 'Penguin Classics, 2003', 'a', NULL),
    ('1d0302f5-8ede-4bf8-9fc4-4cd464068a9f', 'Madame Bovary', 'Oxford World''s Classics, 2008', 'd', NULL),
    ('837ec8d2-53be-499f-9838-0aa61fd42ad1', 'Middlemarch', 'Penguin Classics, 2003', 'a', NULL),
    ('1b1d6b86-d74f-42da-8084-ac0c701c5881', 'Middlemarch', 'Penguin Classics, 2003', 'o', '2027-02-19'),
    ('705e33f2-3c2e-4539-9862-abd36224d660', 'Oliver Twist', 'Penguin Classics, 2003', 'a', NULL),
    ('134a3127-9e89-44b4-a98f-8c580bd2b724', 'Oliver Twist', 'Everyman''s Library, 1992', 'a', NULL),
    ('be134fbb-2584-4366-beff-5f8b77cb8fe4', 'Persuasion', 'Penguin Classics, 2003', 'a', NULL),
    ('66edd59d-3f71-496d-9592-e1167a4d7cf2', 'Persuasion', 'Penguin Classics, 2003', 'o', '2027-02-26'),
    ('1cc49958-812c-4cb1-b82c-7c2f054d8110', 'The Picture of Dorian Gray', 'Penguin Classics, 2003', 'a', NULL),
    ('3d38fb6f-1cbf-4d13-a1d7-92be67793b38', 'The Picture of Dorian Gray', 'Penguin Classics, 2003', 'r', '2027-02-15'),
    ('b0329c88-bd5b-4671-aa1e-0cec267cfde5', 'The Picture of Dorian Gray', 'Oxford World''s Classics, 2008', 'a', NULL),
    ('c5c84758-f07c-4138-96e1-d3286443f487', 'Pride and Prejudice', 'Penguin Classics, 2003', 'a', NULL),
    ('79b76b07-c387-4a75-b6b7-1b7ac728ff8a', 'Pride and Prejudice', 'Penguin Classics, 2003', 'o', '2027-03-05'),
    ('d7253ae5-2011-4501-9d34-bd61889b03b9', 'Pride and Prejudice', 'Oxford World''s Classics, 2004', 'a', NULL),
    ('ec13a218-414f-400d-a6e3-52028afa9178', 'Pride and Prejudice', 'Everyman''s Library, 1991', 'r', '2027-03-01'),
    ('43950707-c0b4-4dae-b942-ce3e4ccbd7ba', 'Sense and Sensibility', 'Penguin Classics, 2003', 'a', NULL),
    ('05add044-b9b6-4817-8459-554e8791d21b', 'Sense and Sensibility', 'Oxford World''s Classics, 2008', 'd', NULL),
    ('2c478bb1-7eef-4aff-b743-89a0b6e0c24e', 'The Sorrows of Young Werther', 'Penguin Classics, 1989', 'a', NULL),
    ('17245c2b-8b00-4d53-b045-1bc343bd7018', 'Strange Case of Dr Jekyll and Mr Hyde', 'Penguin Classics, 2003', 'a', NULL),
    ('d42bc1b4-4a67-44d1-bd16-33db6d7cf017', 'Strange Case of Dr Jekyll and Mr Hyde', 'Oxford World''s Classics, 2008', 'a', NULL),
    ('824e00ac-a97c-4a58-80fc-1df1cf8d0e80', 'A Tale of Two Cities', 'Penguin Classics, 2003', 'a', NULL),
    ('297ba921-e2b1-493d-8321-6a7c180feabe', 'A Tale of Two Cities', 'Everyman''s Library, 1993', 'o', '2027-03-08'),
    ('ea0c3fc0-ef22-4e79-9b25-8475062a6c44', 'The Time Machine', 'Penguin Classics, 2005', 'a', NULL),
    ('09ebd293-dec3-4b4a-994f-4e8c9b665ebd', 'The Time Machine', 'Penguin Classics, 2005', 'o', '2027-03-12'),
    ('ea70cfac-8828-4074-ad55-926e958c51d3', 'The Time Machine', 'Penguin Classics, 2005', 'd', NULL),
    ('c1d7d0b4-d4c7-4428-91a9-c5feeef2cc38', 'War and Peace', 'Penguin Classics, 2007', 'a', NULL),
    ('69a45116-b234-4e60-a6f7-4ad9b6b6e0d3', 'War and Peace', 'Penguin Classics, 2007', 'o', '2027-03-19'),
    ('c19560f3-f413-41c2-a8f0-823288f98e03', 'The War of the Worlds', 'Penguin Classics, 2005', 'a', NULL),
    ('8609c5c2-4316-4935-8bc0-922db850aba9', 'The War of the Worlds', 'Penguin Classics, 2005', 'o', '2027-03-26'),
    ('f1718bdd-0ff5-4ff7-b968-8857c3d68f99', 'The War of the Worlds', 'Penguin Classics, 2005', 'r', '2027-03-15'),
    ('feeccc82-48a2-4246-a558-578762a37705', 'Wuthering Heights', 'Penguin Classics, 2003', 'a', NULL),
    ('964a9afd-a47a-4869-a524-05961ef97ba4', 'Wuthering Heights', 'Oxford World''s Classics, 2009', 'a', NULL)
)
INSERT INTO book_instance (id, book_id, imprint, status, due_back)
SELECT copy.id, book.id, copy.imprint, copy.status, copy.due_back
FROM copy
LEFT JOIN book ON book.title = copy.title;
