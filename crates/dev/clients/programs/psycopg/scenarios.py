"""Runs named scenarios against the server that the environment names, and prints one JSON line for each.

What is printed holds nothing that differs from run to run (process ids, times, schema names), so that the lines of a
direct connection and those of one through a gateway can be compared as they are. A scenario that raises prints the
error as its result; it never ends the run.
"""

import base64
import json
import os
import sys

import psycopg
from psycopg import errors

SCHEMA = os.environ["CLIENT_SCHEMA"]
SERVERS = int(os.environ.get("CLIENT_SERVERS", "2"))
SCENARIOS = []


def scenario(function=None, *, connections=1):
    """Registers a scenario; one that needs two servers at a time says so where there is only one."""

    def register(body):
        SCENARIOS.append((body.__name__, connections, body))
        return body

    return register(function) if function else register


def connect(**options):
    """A connection whose settings are those of the environment, in the program's own schema."""
    connection = psycopg.connect(autocommit=True, **options)
    connection.execute(f"SET search_path = {SCHEMA}")
    return connection


def plain(value):
    """A value as JSON can hold it, without losing its type."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (bytes, memoryview, bytearray)):
        return {"bytes": base64.b64encode(bytes(value)).decode()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, psycopg.Cursor):
        return {"status": value.statusmessage}
    return {type(value).__name__: repr(value)}


def failure(error):
    """Every field of a server's error that a client can see."""
    if not isinstance(error, psycopg.Error):
        return {"raised": type(error).__name__, "text": str(error)}
    fields = ("severity_nonlocalized", "sqlstate", "message_primary", "message_detail", "message_hint",
              "statement_position", "internal_position", "internal_query", "context", "schema_name", "table_name",
              "column_name", "datatype_name", "constraint_name", "source_function")
    told = {name: getattr(error.diag, name) for name in fields if getattr(error.diag, name) is not None}
    return {"error": type(error).__name__, **(told or {"text": str(error)})}


def attempt(action):
    """What an action gives, be it a value or an error."""
    try:
        return plain(action())
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the result
        return failure(error)


def rows(connection, sql, parameters=None, **options):
    """All that a statement answers: the status, the columns with their types, the rows."""
    cursor = connection.execute(sql, parameters, **options)
    told = {"status": cursor.statusmessage}
    if cursor.description:
        told["columns"] = [[column.name, column.type_display] for column in cursor.description]
        told["rows"] = plain(cursor.fetchall())
    return told


def value(connection, sql, parameters=None):
    """The first column of the first row."""
    return connection.execute(sql, parameters).fetchone()[0]


def run():
    """Runs every scenario; one that needs more servers than there are says so."""
    for name, connections, body in SCENARIOS:
        result = attempt(body) if connections <= SERVERS else "needs more servers"
        print(json.dumps({"scenario": name, "result": result}, ensure_ascii=False, sort_keys=True), flush=True)


__all__ = ["SCHEMA", "attempt", "connect", "errors", "failure", "plain", "psycopg", "rows", "run", "scenario", "sys", "value"]
