-- Ctrl-C once the statement has said that it runs; psql reads no further then.
\! (while [ -e /proc/$PPID/fd/2 ]; do if grep -q 'it runs' /proc/$PPID/fd/2; then kill -INT $PPID; exit; fi; sleep 0.05; done) &
DO $$ BEGIN RAISE NOTICE 'it runs'; PERFORM pg_sleep(60); END $$;
