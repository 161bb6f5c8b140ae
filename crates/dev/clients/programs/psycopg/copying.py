"""COPY in and out, in every format, whole and failing."""

from scenarios import attempt, connect, plain, rows, scenario, value

TYPES = ("int4", "text", "bytea", "numeric")


@scenario
def copy_in_rows():
    told = []
    with connect() as connection:
        for form in ("", " (FORMAT binary)"):
            connection.execute("TRUNCATE filled")
            cursor = connection.cursor()
            with cursor.copy(f"COPY filled FROM STDIN{form}") as copy:
                copy.set_types(TYPES)
                for n in range(500):
                    copy.write_row((n, f"row\t{n}\n☃" if n % 7 else None, bytes([n % 256]) * (n % 9), n))
            told.append([cursor.statusmessage, cursor.rowcount])
            told.append(rows(connection, "SELECT count(*), sum(id), count(words), sum(length(bytes)), sum(amount) FROM filled"))
    return told


@scenario
def copy_in_blocks_cut_anywhere():
    with connect() as connection:
        connection.execute("TRUNCATE filled")
        data = b"".join(b"%d\twords %d\t\\\\x%02x\t%d.5\n" % (n, n, n % 256, n) for n in range(3000))
        cursor = connection.cursor()
        with cursor.copy("COPY filled FROM STDIN") as copy:
            for start in range(0, len(data), 997):
                copy.write(data[start : start + 997])
        return [cursor.statusmessage, rows(connection, "SELECT count(*), md5(string_agg(words, ',' ORDER BY id)) FROM filled")]


@scenario
def copy_out():
    told = []
    with connect() as connection:
        for query in ("COPY items TO STDOUT", "COPY (SELECT * FROM items WHERE id < 5 ORDER BY id) TO STDOUT (FORMAT csv, HEADER)",
                      "COPY (SELECT id, name FROM items WHERE id < 4 ORDER BY id) TO STDOUT (FORMAT binary)",
                      "COPY (SELECT 1 WHERE false) TO STDOUT", "COPY (SELECT repeat('x', 100000) FROM generate_series(1, 50)) TO STDOUT"):
            cursor = connection.cursor()
            with cursor.copy(query) as copy:
                data = b"".join(copy)
            told.append([cursor.statusmessage, len(data), plain(data[:200]), hash_of(data)])
        cursor = connection.cursor()
        with cursor.copy("COPY (SELECT id, name, price FROM items ORDER BY id LIMIT 3) TO STDOUT (FORMAT binary)") as copy:
            copy.set_types(["int4", "text", "numeric"])
            told.append(plain(list(copy.rows())))
    return told


def hash_of(data):
    import hashlib

    return hashlib.sha256(data).hexdigest()


def copy_of(connection, query, data):
    cursor = connection.cursor()
    with cursor.copy(query) as copy:
        for block in data:
            copy.write(block)
    return cursor.statusmessage


@scenario
def copy_in_that_fails():
    with connect() as connection:
        connection.execute("TRUNCATE filled")
        good = [b"1\ta\t\\N\t1\n"]
        told = [attempt(lambda: copy_of(connection, "COPY filled FROM STDIN", good + [b"not a number\ta\t\\N\t1\n"]))]
        # Much more than any buffer holds comes after what the server refuses.
        late = good + [b"oops\n"] + [b"2\tb\t\\N\t2\n" * 1000] * 400
        told.append(attempt(lambda: copy_of(connection, "COPY filled FROM STDIN", late)))
        told.append(attempt(lambda: copy_of(connection, "COPY filled FROM STDIN (FORMAT binary)", [b"no signature at all"])))
        told.append(attempt(lambda: copy_of(connection, "COPY no_such_table FROM STDIN", good)))
        told.append(attempt(lambda: copy_of(connection, "COPY items FROM STDIN", [b"1\tdouble\t1\tok\n"])))
        told.append(attempt(lambda: stopped_by_the_client(connection)))
        told.append(connection.info.transaction_status.name)
        told.append(value(connection, "SELECT count(*) FROM filled"))
        told.append(attempt(lambda: copy_of(connection, "COPY filled FROM STDIN", good)))
        told.append(value(connection, "SELECT count(*) FROM filled"))
        return told


def stopped_by_the_client(connection):
    with connection.cursor().copy("COPY filled FROM STDIN") as copy:
        copy.write(b"1\ta\t\\N\t1\n")
        raise ValueError("changed my mind")


@scenario
def copy_out_that_fails():
    with connect() as connection:

        def read(query):
            with connection.cursor().copy(query) as copy:
                return len(b"".join(copy))

        told = [attempt(lambda: read("COPY (SELECT 1 / (n - 900) FROM generate_series(1, 1000) n) TO STDOUT"))]
        told.append(attempt(lambda: read("COPY (SELECT nothing) TO STDOUT")))
        told.append(connection.info.transaction_status.name)
        told.append(attempt(lambda: read("COPY items TO '/no/such/file'")))
        told.append(value(connection, "SELECT 'usable'"))
        return told


@scenario
def copy_out_that_its_client_leaves():
    connection = connect()
    cursor = connection.cursor()
    # Kept, since the driver would read the rest when it goes.
    manager = cursor.copy("COPY (SELECT repeat('x', 1000) FROM generate_series(1, 20000)) TO STDOUT")
    told = [len(bytes(manager.__enter__().read()))]
    # The socket is closed with most of the data unread.
    connection.pgconn.finish()
    with connect() as another:
        told.append(value(another, "SELECT 'usable'"))
    return told


@scenario
def copy_in_a_transaction():
    with connect() as connection:
        connection.execute("TRUNCATE filled")
        told = []
        with connection.transaction():
            copy_of(connection, "COPY filled FROM STDIN", [b"1\ta\t\\N\t1\n"])
            told.append(value(connection, "SELECT count(*) FROM filled"))
            copy_of(connection, "COPY filled FROM STDIN", [b"2\tb\t\\N\t2\n"])
        told.append(value(connection, "SELECT count(*) FROM filled"))
        connection.execute("BEGIN")
        told.append(attempt(lambda: copy_of(connection, "COPY filled FROM STDIN", [b"bad\n"])))
        told.append(attempt(lambda: connection.execute("SELECT 1")))
        connection.execute("ROLLBACK")
        told.append(value(connection, "SELECT count(*) FROM filled"))
        return told


@scenario(connections=2)
def copy_from_one_connection_to_another():
    with connect() as source, connect() as target:
        target.execute("TRUNCATE filled")
        query = "COPY (SELECT n, 'n' || n, NULL::bytea, n::numeric FROM generate_series(1, 20000) n) TO STDOUT (FORMAT binary)"
        with source.cursor().copy(query) as out, target.cursor().copy("COPY filled FROM STDIN (FORMAT binary)") as into:
            for data in out:
                into.write(data)
        return rows(target, "SELECT count(*), sum(id), sum(amount) FROM filled")
