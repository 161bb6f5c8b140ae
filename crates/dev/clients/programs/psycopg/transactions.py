"""Transactions, savepoints, cursors, and what outlives a transaction."""

from scenarios import attempt, connect, rows, scenario, value


@scenario
def savepoints_and_errors():
    with connect() as connection:
        connection.execute("TRUNCATE log")
        told = []
        with connection.transaction():
            connection.execute("INSERT INTO log (said) VALUES ('kept')")
            told.append(attempt(lambda: inner(connection)))
            told.append(connection.info.transaction_status.name)
            connection.execute("INSERT INTO log (said) VALUES ('kept too')")
        told.append(rows(connection, "SELECT said FROM log ORDER BY id"))
        return told


def inner(connection):
    with connection.transaction():
        connection.execute("INSERT INTO log (said) VALUES ('undone')")
        connection.execute("SELECT 1 / 0")


@scenario
def an_error_aborts_a_transaction():
    with connect() as connection:
        connection.execute("BEGIN")
        told = [attempt(lambda: connection.execute("SELECT nothing_there"))]
        told.append(attempt(lambda: connection.execute("SELECT 1")))
        told.append(connection.info.transaction_status.name)
        told.append(rows(connection, "COMMIT"))
        told.append(connection.info.transaction_status.name)
        told.append(rows(connection, "SELECT 1"))
        return told


@scenario
def kinds_of_transactions():
    with connect() as connection:
        told = []
        for begin in ("BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE", "START TRANSACTION ISOLATION LEVEL REPEATABLE READ",
                      "BEGIN READ ONLY"):
            connection.execute(begin)
            told.append([value(connection, "SHOW transaction_isolation"), value(connection, "SHOW transaction_read_only")])
            told.append(attempt(lambda: connection.execute("INSERT INTO log (said) VALUES ('x')").statusmessage))
            told.append(rows(connection, "ROLLBACK AND CHAIN"))
            told.append(connection.info.transaction_status.name)
            told.append(rows(connection, "ROLLBACK"))
        told.append(rows(connection, "COMMIT"))
        return told


@scenario
def deferred_constraint_at_commit():
    with connect() as connection:
        connection.execute("BEGIN")
        connection.execute("INSERT INTO parts VALUES (1, 999999)")
        told = [attempt(lambda: connection.execute("COMMIT")), connection.info.transaction_status.name]
        told.append(value(connection, "SELECT count(*) FROM parts"))
        return told


@scenario
def server_side_cursors():
    with connect() as connection:
        told = []
        with connection.transaction():
            with connection.cursor(name="by_name", scrollable=True) as cursor:
                cursor.execute("SELECT n, 'row ' || n FROM generate_series(1, 1000) n")
                told += [cursor.fetchone(), cursor.fetchmany(5)]
                cursor.scroll(100)
                told.append(cursor.fetchmany(3))
                cursor.scroll(10, mode="absolute")
                told.append(cursor.fetchmany(2))
                cursor.itersize = 77
                told.append(sum(row[0] for row in cursor))
            with connection.cursor(name="binary", binary=True) as cursor:
                cursor.execute("SELECT zoned, exact, whole_list FROM kinds ORDER BY id")
                told.append([repr(row) for row in cursor.fetchall()])
        told.append(attempt(lambda: connection.execute("FETCH 1 FROM by_name")))
        return told


@scenario
def cursors_that_outlive_their_transaction():
    with connect() as connection:
        connection.execute("BEGIN")
        connection.execute("DECLARE kept SCROLL CURSOR WITH HOLD FOR SELECT n FROM generate_series(1, 100) n")
        told = [rows(connection, "FETCH 2 FROM kept")]
        connection.execute("COMMIT")
        told.append(rows(connection, "FETCH 2 FROM kept"))
        told.append(rows(connection, "SELECT name, is_holdable FROM pg_cursors WHERE name = 'kept'"))
        told.append(rows(connection, "FETCH LAST FROM kept"))
        connection.execute("CLOSE kept")
        told.append(attempt(lambda: connection.execute("FETCH 2 FROM kept")))
    with connect() as connection:
        told.append(value(connection, "SELECT count(*) FROM pg_cursors WHERE name = 'kept'"))
    return told


@scenario
def temporary_tables():
    told = []
    with connect() as connection:
        connection.execute("CREATE TEMPORARY TABLE scratch (id int)")
        for turn in range(3):
            connection.execute("INSERT INTO scratch VALUES (%s)", (turn,))
        told.append(rows(connection, "SELECT id FROM scratch ORDER BY id"))
        with connection.transaction():
            connection.execute("CREATE TEMPORARY TABLE shortlived ON COMMIT DROP AS SELECT 1 AS a")
            told.append(rows(connection, "SELECT * FROM shortlived"))
        told.append(attempt(lambda: connection.execute("SELECT * FROM shortlived")))
    with connect() as connection:
        told.append(attempt(lambda: connection.execute("SELECT * FROM scratch")))
        connection.execute("CREATE TEMPORARY TABLE scratch (other text)")
        told.append(rows(connection, "SELECT * FROM scratch"))
        connection.execute("DISCARD TEMP")
        told.append(attempt(lambda: connection.execute("SELECT * FROM scratch")))
    return told


@scenario
def sequences_remember_their_session():
    told = []
    with connect() as connection:
        connection.execute("CREATE SEQUENCE counter")
        told.append(attempt(lambda: connection.execute("SELECT currval('counter')")))
        told.append(value(connection, "SELECT nextval('counter')"))
        connection.execute("DROP SEQUENCE counter")
    return told


@scenario(connections=2)
def advisory_locks_of_a_session():
    told = []
    key = "SELECT hashtext(current_schema() || 'lock')"
    with connect() as holder:
        number = value(holder, key)
        told.append(value(holder, "SELECT pg_try_advisory_lock(%s)", (number,)))
        with connect() as other:
            told.append(value(other, "SELECT pg_try_advisory_lock(%s)", (number,)))
            told.append(value(holder, "SELECT pg_advisory_unlock(%s)", (number,)))
            told.append(value(other, "SELECT pg_try_advisory_lock(%s)", (number,)))
            told.append(value(other, "SELECT pg_advisory_unlock(%s)", (number,)))
            told.append(value(other, "SELECT pg_advisory_unlock(%s)", (number,)))
    return told


@scenario(connections=2)
def an_advisory_lock_ends_with_its_client():
    with connect() as holder:
        number = value(holder, "SELECT hashtext(current_schema() || 'left')")
        holder.execute("SELECT pg_advisory_lock(%s)", (number,))
    with connect() as other:
        # Given up in the background after the client left: waited for by the lock itself.
        other.execute("SET lock_timeout = '60s'")
        other.execute("SELECT pg_advisory_lock(%s)", (number,))
        return value(other, "SELECT pg_advisory_unlock(%s)", (number,))


@scenario(connections=2)
def two_transactions_at_once():
    with connect() as first, connect() as second:
        first.execute("BEGIN")
        first.execute("UPDATE items SET price = 1 WHERE id = 100")
        told = [rows(second, "SELECT price FROM items WHERE id = 100")]
        second.execute("SET lock_timeout = '50ms'")
        told.append(attempt(lambda: second.execute("UPDATE items SET price = 2 WHERE id = 100")))
        first.execute("ROLLBACK")
        told.append(attempt(lambda: second.execute("UPDATE items SET price = price WHERE id = 100").statusmessage))
        return told


@scenario
def a_client_that_leaves_in_mid_transaction():
    connection = connect()
    connection.execute("BEGIN")
    connection.execute("INSERT INTO log (said) VALUES ('never seen')")
    connection.close()
    with connect() as other:
        return [value(other, "SELECT count(*) FROM log WHERE said = 'never seen'"), other.info.transaction_status.name]


@scenario
def what_a_sequence_gave_to_another_is_not_seen():
    told = []
    with connect() as first, connect() as second:
        for options in ({}, {"binary": True}, {"prepare": True}):
            first.execute("INSERT INTO log (said) VALUES ('x')")
            told.append(attempt(lambda: second.execute("SELECT lastval()", **options).fetchall()))
            with first.transaction():
                first.execute("INSERT INTO log (said) VALUES ('x')", **options)
                told.append(rows(first, "SELECT lastval() = (SELECT max(id) FROM log)", **options))
    return told
