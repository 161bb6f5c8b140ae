"""Pipelines: many statements under way at once, and what an error in their middle leaves."""

from scenarios import attempt, connect, failure, psycopg, scenario, value


@scenario
def many_in_one_pipeline():
    with connect() as connection:
        with connection.pipeline():
            cursors = [connection.execute("SELECT %s::int * 2", (n,)) for n in range(300)]
            return [cursor.fetchone()[0] for cursor in cursors]


@scenario
def pipeline_of_prepared_statements():
    with connect() as connection:
        told = []
        for _ in range(3):
            with connection.pipeline():
                cursors = [connection.execute("SELECT name FROM items WHERE id = %s", (n,), prepare=True) for n in range(1, 40)]
                cursors += [connection.execute("SELECT %s::text || 'x'", (str(n),), prepare=True) for n in range(40)]
            told.append([cursor.fetchall() for cursor in cursors])
        return told


@scenario
def an_error_in_mid_pipeline():
    with connect() as connection:
        connection.execute("TRUNCATE log")
        told = []
        cursors = []
        try:
            with connection.pipeline():
                for sql in ("INSERT INTO log (said) VALUES ('before') RETURNING said", "SELECT 1 / 0",
                            "INSERT INTO log (said) VALUES ('after') RETURNING said"):
                    cursors.append(connection.execute(sql))
        except psycopg.Error as error:
            told.append(failure(error))
        # Whether the third was still sent depends on when the error comes.
        told.append(attempt(lambda: [cursor.statusmessage for cursor in cursors[:2]]))
        told.append(connection.info.transaction_status.name)
        told.append(connection.execute("SELECT said FROM log ORDER BY id").fetchall())
        return told


@scenario
def an_error_between_syncs():
    with connect() as connection:
        connection.execute("TRUNCATE log")
        told = []
        with connection.pipeline() as pipeline:
            for words in ("'one'", "1 / 0", "'three'"):
                cursor = connection.execute(f"INSERT INTO log (said) SELECT ({words})::text RETURNING said")
                try:
                    pipeline.sync()
                    told.append(cursor.fetchall())
                except psycopg.Error as error:
                    told.append(failure(error))
        told.append(connection.execute("SELECT said FROM log ORDER BY id").fetchall())
        return told


@scenario
def a_transaction_in_a_pipeline():
    with connect() as connection:
        connection.execute("TRUNCATE log")
        with connection.pipeline():
            with connection.transaction():
                for n in range(20):
                    connection.execute("INSERT INTO log (said) VALUES (%s)", (f"n{n}",))
            inside = connection.execute("SELECT count(*) FROM log")
        told = [inside.fetchone()]
        told.append(attempt(lambda: fail_in_transaction(connection)))
        told.append(value(connection, "SELECT count(*) FROM log"))
        return told


def fail_in_transaction(connection):
    with connection.pipeline(), connection.transaction():
        connection.execute("INSERT INTO log (said) VALUES ('lost')")
        connection.execute("SELECT fail('ZX001', 'in a pipeline')")
        connection.execute("INSERT INTO log (said) VALUES ('lost too')")


@scenario
def executemany_with_results():
    with connect() as connection:
        connection.execute("TRUNCATE log")
        cursor = connection.cursor()
        cursor.executemany("INSERT INTO log (said) VALUES (%s) RETURNING said", [(f"row {n}",) for n in range(200)], returning=True)
        told = []
        while True:
            told.append(cursor.fetchall())
            if not cursor.nextset():
                break
        return [told, value(connection, "SELECT count(*) FROM log")]


@scenario
def executemany_that_fails():
    with connect() as connection:
        connection.execute("TRUNCATE parts")
        cursor = connection.cursor()
        given = [(n, n) for n in range(1, 20)] + [(5, 5)] + [(n, n) for n in range(20, 30)]
        told = [attempt(lambda: cursor.executemany("INSERT INTO parts VALUES (%s, %s)", given))]
        told.append(value(connection, "SELECT count(*) FROM parts"))
        connection.execute("TRUNCATE parts")
        return told


@scenario
def large_values_in_a_pipeline():
    with connect() as connection:
        with connection.pipeline():
            cursors = [connection.execute("SELECT %s::text", (chr(97 + n) * 300_000,)) for n in range(20)]
            return [[len(text), text[0]] for (text,) in (cursor.fetchone() for cursor in cursors)]


@scenario
def settings_in_a_pipeline():
    with connect() as connection:
        with connection.pipeline():
            connection.execute("SET work_mem = '7MB'")
            shown = connection.execute("SHOW work_mem")
        return [shown.fetchone(), value(connection, "SHOW work_mem")]
