-- Accounts are locked in the order of their numbers, so that nobody meets a deadlock.
\set source random(1, 50)
\set target random(51, 100)
\set amount random(1, 9)
\startpipeline
BEGIN;
UPDATE accounts SET balance = balance - :amount WHERE id = :source;
UPDATE accounts SET balance = balance + :amount WHERE id = :target;
INSERT INTO moves (source, target, amount) VALUES (:source, :target, :amount);
END;
SELECT balance FROM accounts WHERE id = :source;
\endpipeline
