"""Statements and the values that go in and come out, in text and in binary."""

import datetime
import decimal
import uuid

from psycopg.types.composite import CompositeInfo, register_composite
from psycopg.types.json import Jsonb
from psycopg.types.range import Range
from scenarios import SCHEMA, connect, plain, rows, scenario, value

COLUMNS = ("is_on small whole large exact single double words short padded bytes day moment zoned unzoned span key plain "
           "binary_json whole_list word_list grid feeling spot numbers moments address bits").split()


@scenario
def simple_query():
    with connect() as connection:
        return [rows(connection, "SELECT 1 AS one, 'two' AS two, NULL AS nothing"),
                rows(connection, "SELECT id, name FROM items WHERE id < 4 ORDER BY id"),
                rows(connection, "SELECT FROM items WHERE id = 1"),
                rows(connection, "UPDATE items SET price = price WHERE id < 11")]


@scenario
def empty_query():
    with connect() as connection:
        return [rows(connection, ""), rows(connection, "  ;  "), rows(connection, "-- a comment"), rows(connection, "SELECT 1")]


@scenario
def several_statements_in_one():
    with connect() as connection:
        cursor = connection.execute("SELECT 1; INSERT INTO log (said) VALUES ('many'); SELECT count(*) FROM log; ; SELECT 'end'")
        told = []
        while True:
            told.append([cursor.statusmessage, cursor.fetchall() if cursor.description else None])
            if not cursor.nextset():
                return told


@scenario
def every_type_comes_out_in_both_formats():
    told = {}
    with connect() as connection:
        register_composite(CompositeInfo.fetch(connection, f"{SCHEMA}.place"), connection)
        for binary in (False, True):
            for column in COLUMNS:
                # The column by itself: some types have no binary form in this driver.
                sql = f"SELECT {column} FROM kinds ORDER BY id"
                told[f"{column} binary={binary}"] = rows(connection, sql, binary=binary)
    return told


@scenario
def every_type_goes_in_and_comes_back():
    zone = datetime.timezone.utc
    values = [
        True, -7, 2**40, 2**70, decimal.Decimal("1.2300"), 1.5, float("inf"), "naïve ☃", "", b"\x00\xff", None,
        datetime.date(2024, 2, 29), datetime.time(1, 2, 3, 4), datetime.datetime(2024, 2, 29, 1, 2, 3, 4),
        datetime.datetime(2024, 2, 29, 1, 2, 3, 4, tzinfo=zone), datetime.timedelta(days=3, seconds=4, microseconds=5),
        uuid.UUID(int=5), Jsonb({"a": [1, None, "☃"]}), [1, None, 3], ["a", 'b"c', None], [[1, 2], [3, 4]],
        Range(1, 5), Range(None, None, "()"),
    ]
    told = []
    with connect() as connection:
        for binary in (False, True):
            for item in values:
                sql = "SELECT %s, pg_typeof(%s)::text" if not binary else "SELECT %b, pg_typeof(%b)::text"
                told.append(plain(_try(lambda: connection.execute(sql, (item, item), binary=binary).fetchone())))
    return told


def _try(action):
    try:
        return action()
    except Exception as error:  # noqa: BLE001
        return [type(error).__name__, str(error)]


@scenario
def large_values():
    with connect() as connection:
        big = "0123456789abcdef" * 65536
        told = [value(connection, "SELECT length(%s)", (big,)), value(connection, "SELECT %s", (big,)) == big]
        binary = bytes(range(256)) * 8192
        told.append(connection.execute("SELECT %b::bytea", (binary,), binary=True).fetchone()[0] == binary)
        told.append(value(connection, "SELECT md5(repeat('x', 5000000))"))
        told.append(len(value(connection, "SELECT repeat('y', 9000000)")))
        told.append(sum(len(row[0]) for row in connection.execute("SELECT repeat('z', 100) FROM generate_series(1, 20000)")))
        told.append(value(connection, "SELECT length('" + big + "')"))
        return told


@scenario
def many_columns_and_parameters():
    with connect() as connection:
        wide = connection.execute("SELECT " + ", ".join(f"{n} AS c{n}" for n in range(1600))).fetchone()
        listed = connection.execute("SELECT " + " + ".join(["%s::int"] * 2000), list(range(2000))).fetchone()
        return [sum(wide), listed]


@scenario
def notices():
    with connect() as connection:
        told = []
        connection.add_notice_handler(lambda said: told.append(
            [said.severity_nonlocalized, said.sqlstate, said.message_primary, said.message_detail, said.message_hint, said.context]))
        told.append(rows(connection, "SELECT say(%s)", ("first",)))
        connection.execute("DROP TABLE IF EXISTS no_such_table")
        connection.execute("DO $$ BEGIN FOR i IN 1..300 LOOP RAISE NOTICE 'line %', i; END LOOP; END $$")
        connection.execute("SET client_min_messages = error")
        connection.execute("SELECT say('unheard')")
        return told


@scenario
def rows_of_a_stream():
    with connect() as connection:
        cursor = connection.cursor()
        total = sum(row[0] for row in cursor.stream("SELECT n FROM generate_series(1, 5000) n"))
        first = []
        for row in cursor.stream("SELECT n FROM generate_series(1, 5000) n"):
            first.append(row[0])
            if len(first) == 3:
                break
        return [total, first, value(connection, "SELECT 'after'")]


@scenario
def procedures_that_commit():
    with connect() as connection:
        connection.execute("TRUNCATE log")
        connection.execute("CALL commit_often(5)")
        return [value(connection, "SELECT count(*) FROM log"), value(connection, "SELECT count(DISTINCT xmin::text) FROM log")]


@scenario
def schema_changes():
    with connect() as connection:
        return [rows(connection, sql) for sql in (
            "CREATE TABLE made (id int PRIMARY KEY, note text)", "CREATE INDEX CONCURRENTLY made_note ON made (note)",
            "INSERT INTO made SELECT n, 'n' || n FROM generate_series(1, 10) n", "ALTER TABLE made ADD more int DEFAULT 5",
            "SELECT * FROM made WHERE id = 3", "VACUUM made", "ANALYZE made", "EXPLAIN (COSTS OFF) SELECT * FROM made WHERE id = 1",
            "DROP TABLE made")]
