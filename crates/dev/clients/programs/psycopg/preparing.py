"""Prepared statements: the driver's own, SQL's, and what happens to them when the schema changes.

None looks at `pg_prepared_statements`: through the gateway it shows the statements that clients share, under the gateway's
names. What a client can rely on is how its own statements behave.
"""

from scenarios import attempt, connect, rows, scenario, value


def prepared(connection, sql, parameters=None):
    """A statement that the driver prepares at its first use."""
    return connection.execute(sql, parameters, prepare=True).fetchall()


def changed(connection, sql):
    """Changes a table so that the driver, which looks for such commands, does not see it."""
    connection.execute(f"DO $do$ BEGIN {sql}; END $do$")


@scenario
def prepared_once_used_often():
    with connect() as connection:
        return [prepared(connection, "SELECT name FROM items WHERE id = %s", (n,)) for n in (1, 2, 3, 200, 201)]


@scenario
def prepared_over_transactions():
    with connect() as connection:
        told = []
        for turn in range(5):
            with connection.transaction():
                told.append(prepared(connection, "SELECT %s::int + count(*)::int FROM items", (turn,)))
            told.append(prepared(connection, "SELECT %s::int + count(*)::int FROM items", (turn * 100,)))
        return told


@scenario
def many_prepared_statements():
    with connect() as connection:
        connection.prepared_max = None
        told = []
        for turn in range(3):
            for number in range(120):
                told.append(prepared(connection, f"SELECT %s::int + {number}", (turn,))[0][0])
        return told


@scenario
def prepared_statements_are_given_up():
    with connect() as connection:
        connection.prepared_max = 5
        told = [prepared(connection, f"SELECT %s::text || '{number}'", ("x",)) for number in range(30)]
        # The driver counts its statements; those that it gave up are there no more, the last ones are.
        told += [attempt(lambda name=name: connection.execute(f"EXECUTE _pg3_{name} ('called')").fetchall()) for name in (0, 24, 29)]
        return told


@scenario
def prepared_that_changes_its_result_type():
    with connect() as connection:
        connection.execute("CREATE TABLE shape (id int)")
        connection.execute("INSERT INTO shape VALUES (1)")
        told = [prepared(connection, "SELECT * FROM shape")]
        changed(connection, "ALTER TABLE shape ADD words text DEFAULT 'new'")
        told.append(attempt(lambda: prepared(connection, "SELECT * FROM shape")))
        told.append(attempt(lambda: prepared(connection, "SELECT * FROM shape")))
        connection.execute("DROP TABLE shape")
        told.append(attempt(lambda: prepared(connection, "SELECT * FROM shape")))
        connection.execute("CREATE TABLE shape (other text)")
        told.append(attempt(lambda: prepared(connection, "SELECT * FROM shape")))
        connection.execute("DEALLOCATE ALL")
        told.append(attempt(lambda: connection.execute("SELECT * FROM shape").fetchall()))
        connection.execute("DROP TABLE shape")
        return told


@scenario
def a_changed_result_type_aborts_a_transaction():
    with connect() as connection:
        connection.execute("CREATE TABLE shape (id int)")
        told = [prepared(connection, "SELECT * FROM shape")]
        changed(connection, "ALTER TABLE shape ADD words text")
        connection.execute("BEGIN")
        told.append(attempt(lambda: prepared(connection, "SELECT * FROM shape")))
        told.append(connection.info.transaction_status.name)
        told.append(attempt(lambda: connection.execute("SELECT 1")))
        connection.execute("ROLLBACK")
        connection.execute("DROP TABLE shape")
        return told


@scenario
def prepared_in_sql():
    with connect() as connection:
        connection.execute("PREPARE find (int) AS SELECT name FROM items WHERE id = $1")
        told = [rows(connection, f"EXECUTE find({n})") for n in (1, 5, 500)]
        told.append(attempt(lambda: connection.execute("PREPARE find AS SELECT 1")))
        with connection.transaction():
            told.append(rows(connection, "EXECUTE find(7)"))
        connection.execute("DEALLOCATE find")
        told.append(attempt(lambda: connection.execute("EXECUTE find(1)")))
        told.append(attempt(lambda: connection.execute("DEALLOCATE find")))
        return told


@scenario
def prepared_in_sql_when_its_table_is_gone():
    with connect() as connection:
        connection.execute("CREATE TABLE shape (id int)")
        for name in ("mine", "other"):
            connection.execute(f"PREPARE {name} AS SELECT * FROM shape")
        prepared(connection, "SELECT id FROM shape")
        connection.execute("DROP TABLE shape")
        told = []
        for binary in (False, True):
            for name in ("mine", "_pg3_0"):
                told.append(attempt(lambda: connection.execute(f"EXECUTE {name}", binary=binary)))
                connection.execute("BEGIN")
                told.append(attempt(lambda: connection.execute(f"EXECUTE {name}", binary=binary)))
                told.append(connection.info.transaction_status.name)
                told.append(attempt(lambda: connection.execute(f"EXECUTE {name}", binary=binary)))
                told.append(attempt(lambda: connection.execute(f"DEALLOCATE {name}", binary=binary)))
                connection.execute("ROLLBACK")
        connection.execute("DEALLOCATE mine")
        told.append(attempt(lambda: connection.execute("EXECUTE mine")))
        connection.execute("CREATE TABLE shape (id int)")
        told.append(attempt(lambda: connection.execute("EXECUTE other").fetchall()))
        connection.execute("DROP TABLE shape")
        return told


@scenario
def prepared_in_sql_is_described_by_what_it_executes():
    with connect() as connection:
        connection.execute("PREPARE find (int) AS SELECT id, name FROM items WHERE id = $1")
        told = [rows(connection, "EXECUTE find(3)", binary=True)]
        told.append(rows(connection, "EXECUTE find(4)", prepare=True))
        return told


@scenario
def prepared_in_sql_is_not_seen_by_others():
    told = []
    with connect() as connection:
        connection.execute("PREPARE mine AS SELECT 'mine'")
        told.append(rows(connection, "EXECUTE mine"))
    with connect() as connection:
        told.append(attempt(lambda: connection.execute("EXECUTE mine")))
    return told


@scenario
def prepared_is_deallocated_at_once():
    with connect() as connection:
        told = [prepared(connection, "SELECT %s::int * 3", (n,)) for n in range(3)]
        connection.execute("PREPARE mine AS SELECT 1")
        connection.execute("DEALLOCATE ALL")
        told += [attempt(lambda name=name: connection.execute(f"EXECUTE {name}")) for name in ("mine", "_pg3_0 (1)")]
        told += [prepared(connection, "SELECT %s::int * 3", (n,)) for n in range(3)]
        connection.execute("DISCARD ALL")
        told += [attempt(lambda name=name: connection.execute(f"EXECUTE {name}")) for name in ("mine", "_pg3_1 (1)")]
        told.append(value(connection, "SHOW search_path"))
        return told


@scenario
def a_statement_of_each_kind_is_prepared():
    with connect() as connection:
        told = []
        for turn in range(3):
            for sql in ("INSERT INTO log (said) VALUES ('p') RETURNING said", "UPDATE items SET price = price WHERE id = 3 RETURNING id",
                        "DELETE FROM log RETURNING said", "WITH w AS (SELECT 1 AS a) SELECT a FROM w", "VALUES (1), (2)", "SHOW work_mem",
                        "EXPLAIN (COSTS OFF) SELECT 1", "TABLE parts"):
                told.append(prepared(connection, sql))
        return told


@scenario
def the_same_name_means_something_else_to_another(*_):
    # The driver counts its statements, so both call theirs `_pg3_0`.
    with connect() as first:
        told = [prepared(first, "SELECT 'first', %s::int", (1,))]
        first_again = None
        with connect() as second:
            told.append(prepared(second, "SELECT 'second', %s::text", ("x",)))
            first_again = prepared(first, "SELECT 'first', %s::int", (2,))
            told.append(prepared(second, "SELECT 'second', %s::text", ("y",)))
        told.append(first_again)
        return told
