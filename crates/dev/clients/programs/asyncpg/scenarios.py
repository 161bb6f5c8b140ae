"""Runs named scenarios against the server that the environment names, and prints one JSON line for each.

Nothing printed differs from run to run. A scenario that raises prints the error as its result.
"""

import asyncio
import base64
import json
import os

import asyncpg

SCHEMA = os.environ["CLIENT_SCHEMA"]
SERVERS = int(os.environ.get("CLIENT_SERVERS", "2"))
SCENARIOS = []


def scenario(function=None, *, connections=1):
    """Registers a scenario; one that needs two servers at a time is left out where there is only one."""

    def register(body):
        SCENARIOS.append((body.__name__, connections, body))
        return body

    return register(function) if function else register


class Connected:
    """A connection in the program's own schema, closed at the end."""

    def __init__(self, **options):
        self.options = options

    async def __aenter__(self):
        self.connection = await asyncpg.connect(timeout=60, **self.options)
        await self.connection.execute(f"SET search_path = {SCHEMA}")
        return self.connection

    async def __aexit__(self, *_):
        await self.connection.close(timeout=60)


def plain(value):
    """A value as JSON can hold it, without losing its type."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (bytes, memoryview, bytearray)):
        return {"bytes": base64.b64encode(bytes(value)).decode()}
    if isinstance(value, asyncpg.Record):
        return {"record": [[name, plain(item)] for name, item in value.items()]}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return {type(value).__name__: repr(value)}


def failure(error):
    """Every field of a server's error that a client can see."""
    told = {"error": type(error).__name__, "text": str(error)}
    for name in ("sqlstate", "detail", "hint", "position", "internal_position", "internal_query", "context", "schema_name",
                 "table_name", "column_name", "data_type_name", "constraint_name", "severity_en", "server_source_function"):
        if getattr(error, name, None) is not None:
            told[name] = getattr(error, name)
    return told


async def attempt(awaitable):
    """What is awaited gives, be it a value or an error."""
    try:
        return plain(await awaitable)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the result
        return failure(error)


async def run_all():
    for name, connections, body in SCENARIOS:
        result = await attempt(body()) if connections <= SERVERS else "needs more servers"
        print(json.dumps({"scenario": name, "result": result}, ensure_ascii=False, sort_keys=True), flush=True)


def run():
    """Runs every scenario; one that needs more servers than there are says so."""
    asyncio.run(run_all())
