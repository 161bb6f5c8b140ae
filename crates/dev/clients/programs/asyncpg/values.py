"""Values: this driver speaks binary alone, and prepares every statement under a name."""

import datetime
import decimal
import io
import ipaddress
import uuid

import asyncpg
from scenarios import SCHEMA, Connected, attempt, plain, scenario


@scenario
async def every_type_comes_out():
    async with Connected() as connection:
        told = [plain(list(await connection.fetch("SELECT * FROM kinds ORDER BY id")))]
        statement = await connection.prepare("SELECT * FROM kinds ORDER BY id")
        told.append([[column.name, column.type.name, column.type.kind] for column in statement.get_attributes()])
        told.append(plain(await connection.fetch("SELECT k FROM kinds k WHERE id = 3")))
        return told


@scenario
async def every_type_goes_in_and_comes_back():
    zone = datetime.timezone.utc
    values = [
        ("bool", True), ("int2", -3), ("int4", 4), ("int8", 2**62), ("numeric", decimal.Decimal("1.50")), ("float8", 1.5),
        ("text", "naïve ☃"), ("text", ""), ("text", None), ("bytea", b"\x00\xff"), ("date", datetime.date(2024, 2, 29)),
        ("time", datetime.time(1, 2, 3, 4)), ("timestamp", datetime.datetime(2024, 2, 29, 1, 2, 3, 4)),
        ("timestamptz", datetime.datetime(2024, 2, 29, 1, 2, 3, 4, tzinfo=zone)), ("interval", datetime.timedelta(days=3, microseconds=5)),
        ("uuid", uuid.UUID(int=5)), ("jsonb", '{"a": [1, null]}'), ("int[]", [1, None, 3]), ("text[]", ["a", 'b"c', None]),
        ("int[]", [[1, 2], [3, 4]]), ("int4range", asyncpg.Range(1, 5)), ("inet", ipaddress.ip_address("::1")),
        (f"{SCHEMA}.mood", "happy"), (f"{SCHEMA}.place", (7, "here", ["sad", None])), (f"{SCHEMA}.percent", 7),
        (f"{SCHEMA}.mood", "glad"), ("int4", "no number"), ("varbit", asyncpg.BitString("0101")),
    ]
    told = []
    async with Connected() as connection:
        for kind, value in values:
            told.append(await attempt(connection.fetchrow(f"SELECT $1::{kind} AS value, $1::{kind}::text AS words", value)))
    return told


@scenario
async def large_values():
    async with Connected() as connection:
        big = "0123456789abcdef" * 65536
        return [await connection.fetchval("SELECT $1::text", big) == big, await connection.fetchval("SELECT length(repeat('x', 7000000))"),
                len(await connection.fetchval("SELECT repeat('x', 7000000)")),
                sum(len(row[0]) for row in await connection.fetch("SELECT repeat('z', 100) FROM generate_series(1, 20000)"))]


@scenario
async def codecs_of_one_s_own():
    import json

    async with Connected() as connection:
        await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
        await connection.set_type_codec("mood", encoder=str, decoder=lambda text: f"<{text}>", schema=SCHEMA, format="text")
        return [await connection.fetchval("SELECT $1::jsonb", {"a": [1, None]}), await connection.fetchval("SELECT 'ok'::mood")]


@scenario
async def executemany():
    async with Connected() as connection:
        await connection.execute("TRUNCATE filled")
        given = [(n, f"row {n}", bytes([n % 256]), decimal.Decimal(n)) for n in range(3000)]
        await connection.executemany("INSERT INTO filled VALUES ($1, $2, $3, $4)", given)
        told = [plain(await connection.fetchrow("SELECT count(*), sum(id), sum(length(bytes)) FROM filled"))]
        await connection.execute("TRUNCATE parts")
        twice = [(n, n) for n in range(1, 50)] + [(5, 5)] + [(n, n) for n in range(50, 90)]
        told.append(await attempt(connection.executemany("INSERT INTO parts VALUES ($1, $2)", twice)))
        told.append(await connection.fetchval("SELECT count(*) FROM parts"))
        told.append(await attempt(connection.fetchmany("INSERT INTO log (said) VALUES ($1) RETURNING said", [(f"{n}",) for n in range(9)])))
        return told


@scenario
async def copying():
    async with Connected() as connection:
        await connection.execute("TRUNCATE filled")
        records = [(n, f"row\t{n}\n☃" if n % 7 else None, bytes([n % 256]) * (n % 9), decimal.Decimal(n)) for n in range(2000)]
        told = [await connection.copy_records_to_table("filled", records=records)]
        told.append(plain(await connection.fetchrow("SELECT count(*), sum(id), count(words), sum(length(bytes)) FROM filled")))
        for form in ("csv", "text", "binary"):
            out = io.BytesIO()
            told.append(await connection.copy_from_query("SELECT id, words, amount FROM filled ORDER BY id", output=out, format=form))
            told.append([len(out.getvalue()), plain(out.getvalue()[:60])])
            out.seek(0)
            told.append(await connection.copy_to_table("filled", source=out, columns=["id", "words", "amount"], format=form))
        told.append(await connection.fetchval("SELECT count(*) FROM filled"))
        told.append(await attempt(connection.copy_to_table("filled", source=io.BytesIO(b"bad\n"))))
        told.append(await attempt(connection.copy_to_table("no_such_table", source=io.BytesIO(b"1\n"))))
        told.append(await attempt(connection.copy_to_table("filled", source=io.BytesIO(b"bad\n" + b"1\tx\t\\N\t1\n" * 300_000))))
        told.append(await attempt(connection.copy_from_query("SELECT 1 / (n - 900) FROM generate_series(1, 1000) n", output=io.BytesIO())))
        told.append(await attempt(connection.copy_records_to_table("filled", records=[(1, "x", b"", decimal.Decimal(1)), ("no", "x", b"", 1)])))
        told.append(await connection.fetchval("SELECT count(*) FROM filled"))
        return told
