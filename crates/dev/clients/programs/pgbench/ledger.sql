\set from random(1, 100)
\set to random(1, 100)
\set amount random(1, 50)
BEGIN;
UPDATE accounts SET balance = balance - :amount WHERE id = :from;
UPDATE accounts SET balance = balance + :amount WHERE id = :to;
INSERT INTO moves (client, source, target, amount) VALUES (:client_id, :from, :to, :amount);
SELECT balance FROM accounts WHERE id = :from;
END;
