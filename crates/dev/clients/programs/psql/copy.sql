-- COPY, the server's and the client's.
TRUNCATE filled;
COPY filled FROM STDIN;
1	one	\N	1.5
2	\N	\\x00ff	2
\.
\copy filled (id, words) from stdin (format csv)
3,"with, a comma"
4,"with ""quotes"""
\.
COPY (SELECT * FROM filled ORDER BY id) TO STDOUT;
\copy (select id, words from filled order by id) to stdout (format csv, header, force_quote *)
\copy filled to program 'wc -l'
\copy (select n, 'line ' || n, null, n from generate_series(1, 5000) n) to pstdout
COPY filled FROM STDIN;
not a number	x	\N	1
\.
COPY filled FROM STDIN \; SELECT 'after' AS word;
5	five	\N	5
\.
SELECT count(*) FROM filled;
COPY no_such_table FROM STDIN;
SELECT 'usable';
