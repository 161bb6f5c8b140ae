"""Errors with all their fields, and cancellation."""

import threading
import time

from scenarios import attempt, connect, scenario, value

FAILING = (
    "SELECT 1 / 0",
    "SELECT nothing_there FROM items",
    "SELECT * FROM no_such_table",
    "SELEC 1",
    "SELECT 'unfinished",
    "INSERT INTO items VALUES (1, 'double', 1)",
    "INSERT INTO items VALUES (1001, 'item 1', 1)",
    "INSERT INTO items VALUES (1001, NULL, 1)",
    "INSERT INTO items VALUES (1001, 'x', -1)",
    "INSERT INTO parts VALUES (1, 424242)",
    "SELECT 101::percent",
    "SELECT 'glad'::mood",
    "SELECT '{broken'::jsonb",
    "SELECT fail('ZX123', 'of our own')",
    "SELECT fail('40001', 'as if serialization had failed')",
    "DO $$ BEGIN PERFORM 1 / 0; END $$",
    "SELECT pg_read_file('/etc/passwd')",
    "ALTER SYSTEM SET work_mem = '1MB'",
    "CREATE ROLE not_allowed",
    "SELECT $1",
    "COMMIT; SELECT 1 / 0",
    "SELECT '☃☃☃', nothing_there",
    "SELECT lo_get(424242)",
)


@scenario
def errors_have_all_their_fields():
    with connect() as connection:
        told = [attempt(lambda: connection.execute(sql)) for sql in FAILING]
        return told + [connection.info.transaction_status.name, value(connection, "SELECT 'usable'")]


@scenario
def errors_with_parameters():
    with connect() as connection:
        told = []
        for prepare in (False, True):
            for sql, parameters in (("SELECT 10 / %s", (0,)), ("SELECT %s::int", ("word",)), ("INSERT INTO items VALUES (%s, %s, 1)", (1, "x")),
                                    ("SELECT * FROM no_such_table WHERE id = %s", (1,)), ("SELECT 10 / %s", (0,))):
                told.append(attempt(lambda: connection.execute(sql, parameters, prepare=prepare)))
        return told + [value(connection, "SELECT %s::text", ("usable",))]


@scenario
def an_error_after_rows():
    with connect() as connection:
        told = [attempt(lambda: connection.execute("SELECT 1 / (n - 5000) FROM generate_series(1, 6000) n").fetchall())]
        return told + [value(connection, "SELECT 'usable'")]


@scenario
def statement_timeout():
    with connect() as connection:
        connection.execute("SET statement_timeout = '30ms'")
        told = [attempt(lambda: connection.execute("SELECT pg_sleep(60)")), value(connection, "SHOW statement_timeout")]
        connection.execute("SET statement_timeout = 0")
        return told + [value(connection, "SELECT 'usable'")]


def cancelled(connection, sql, times=1):
    """Runs a statement that only a cancellation ends, and cancels it over and over until it has ended."""
    ended = threading.Event()

    def cancel():
        while not ended.wait(0.05):
            connection.cancel_safe(timeout=20)

    told = []
    for _ in range(times):
        ended.clear()
        thread = threading.Thread(target=cancel)
        thread.start()
        try:
            told.append(attempt(lambda: connection.execute(sql)))
        finally:
            ended.set()
            thread.join()
        # One that was on its way may still come: only what a later statement answers is compared.
        told.append(settled(connection))
    return told


def settled(connection):
    """Waits until no late cancellation comes any more."""
    quiet = 0
    while quiet < 5:
        answer = attempt(lambda: value(connection, "SELECT 'usable' FROM pg_sleep(0.02)"))
        quiet = quiet + 1 if answer == "usable" else 0
    return "usable"


@scenario
def cancellation():
    with connect() as connection:
        return cancelled(connection, "SELECT pg_sleep(600)", times=3)


@scenario
def cancellation_in_a_transaction():
    with connect() as connection:
        connection.execute("BEGIN")
        ended = threading.Event()

        def cancel():
            while not ended.wait(0.05):
                connection.cancel_safe(timeout=20)

        thread = threading.Thread(target=cancel)
        thread.start()
        told = [attempt(lambda: connection.execute("SELECT pg_sleep(600)"))]
        ended.set()
        thread.join()
        told.append(connection.info.transaction_status.name)
        connection.execute("ROLLBACK")
        told.append(settled(connection))
        return told


@scenario
def cancellation_of_an_idle_connection():
    with connect() as connection:
        connection.execute("SELECT 1")
        connection.cancel_safe(timeout=20)
        return settled(connection)


@scenario(connections=2)
def a_cancellation_meets_nobody_else():
    with connect() as first, connect() as second:
        told = [value(first, "SELECT 1")]
        stop = threading.Event()

        def cancel():
            while not stop.is_set():
                first.cancel_safe(timeout=20)

        thread = threading.Thread(target=cancel)
        thread.start()
        until = time.monotonic() + 0.5
        wrong = []
        while time.monotonic() < until:
            answer = attempt(lambda: value(second, "SELECT 'unharmed' FROM pg_sleep(0.005)"))
            if answer != "unharmed":
                wrong.append(answer)
        stop.set()
        thread.join()
        told += [wrong, settled(first), settled(second)]
        return told
