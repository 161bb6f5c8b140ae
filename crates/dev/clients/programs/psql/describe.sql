-- What psql asks of the catalog.
\d items
\d+ kinds
\dT+ mood
\df say
\sf say
\di
\ds
\dn no_such_schema
\dp log
\l no_such_database
\dx no_such_extension
\encoding
\encoding LATIN1
SELECT 'é';
\encoding UTF8
