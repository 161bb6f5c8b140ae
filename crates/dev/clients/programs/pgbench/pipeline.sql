\set id random(1, 100)
\startpipeline
SELECT balance FROM accounts WHERE id = :id;
SELECT :id + 1;
UPDATE accounts SET balance = balance + 0 WHERE id = :id;
\endpipeline
