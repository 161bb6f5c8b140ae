"""How statements, transactions, cursors, settings and errors behave."""

import asyncio
import os

import asyncpg
from scenarios import SCHEMA, Connected, attempt, plain, scenario


@scenario
async def simple_queries():
    async with Connected() as connection:
        return [await connection.execute("SELECT 1; SELECT 2; INSERT INTO log (said) VALUES ('x')"), await attempt(connection.execute("")),
                await attempt(connection.fetch("")), await attempt(connection.fetch("SELECT 1; SELECT 2")),
                plain(await connection.fetch("SELECT id, name, price, feeling FROM items WHERE id < 4 ORDER BY id")),
                await attempt(connection.execute("SELECT 1; SELECT 1 / 0; SELECT 2"))]


@scenario
async def prepared_statements():
    async with Connected() as connection:
        statement = await connection.prepare("SELECT name FROM items WHERE id = $1")
        told = [await statement.fetchval(n) for n in (1, 2, 3, 500)]
        async with connection.transaction():
            told.append(await statement.fetchval(9))
        told.append(await statement.fetchval(10))
        told.append(statement.get_statusmsg())
        told.append(list((await statement.explain(1))[0]))
        for turn in range(3):
            for number in range(130):
                told.append(await connection.fetchval(f"SELECT $1::int + {number}", turn))
        return told


@scenario
async def without_a_cache_of_statements():
    async with Connected(statement_cache_size=0) as connection:
        return [await connection.fetchval("SELECT $1::int * 2", n) for n in range(30)]


@scenario
async def a_small_cache_of_statements():
    async with Connected(statement_cache_size=3) as connection:
        return [await connection.fetchval(f"SELECT $1::int * {k}", n) for n in range(5) for k in range(10)]


@scenario
async def a_changed_result_type():
    async with Connected() as connection:
        await connection.execute("CREATE TABLE shape (id int)")
        await connection.execute("INSERT INTO shape VALUES (1)")
        told = [plain(await connection.fetch("SELECT * FROM shape"))]
        await connection.execute("ALTER TABLE shape ADD words text DEFAULT 'new'")
        told.append(await attempt(connection.fetch("SELECT * FROM shape")))
        told.append(await attempt(connection.fetch("SELECT * FROM shape")))
        await connection.execute("ALTER TABLE shape ALTER id TYPE bigint")
        async with connection.transaction():
            told.append(await attempt(in_savepoint(connection, "SELECT * FROM shape")))
            told.append(await attempt(connection.fetchval("SELECT 'still in a transaction'")))
        told.append(await attempt(connection.fetch("SELECT * FROM shape")))
        await connection.execute("DROP TABLE shape")
        return told


async def in_savepoint(connection, sql, *values):
    async with connection.transaction():
        return await connection.fetch(sql, *values)


@scenario
async def a_type_that_is_made_anew():
    # In one transaction, which keeps its server: another one would parse the statement anew, find that its result has
    # changed and say so, upon which asyncpg prepares it again and nobody notices.
    async with Connected() as connection, connection.transaction():
        await connection.execute("CREATE TYPE weather AS ENUM ('rain')")
        told = [await connection.fetchval("SELECT $1::weather", "rain")]
        await connection.execute("DROP TYPE weather")
        await connection.execute("CREATE TYPE weather AS ENUM ('rain', 'sun')")
        told.append(await attempt(in_savepoint(connection, "SELECT $1::weather", "sun")))
        await connection.reload_schema_state()
        told.append(await attempt(connection.fetchval("SELECT $1::weather", "sun")))
        await connection.execute("DROP TYPE weather")
        return [item if not isinstance(item, dict) else {**item, "text": "", "detail": ""} for item in told]


@scenario
async def transactions():
    async with Connected() as connection:
        await connection.execute("TRUNCATE log")
        told = []
        async with connection.transaction(isolation="serializable"):
            await connection.execute("INSERT INTO log (said) VALUES ('kept')")
            told.append(await attempt(failing_inside(connection)))
            await connection.execute("INSERT INTO log (said) VALUES ('kept too')")
            told.append(await connection.fetchval("SHOW transaction_isolation"))
        told.append(await attempt(failing_inside(connection)))
        told.append(await attempt(in_savepoint(connection, "INSERT INTO parts VALUES (1, 987654)")))
        told.append(plain(await connection.fetch("SELECT said FROM log ORDER BY id")))
        told.append(connection.is_in_transaction())
        await connection.execute("BEGIN")
        told.append(connection.is_in_transaction())
        told.append(await attempt(connection.fetch("SELECT 1 / 0")))
        told.append(await attempt(connection.fetch("SELECT 1")))
        await connection.execute("ROLLBACK")
        return told


async def failing_inside(connection):
    async with connection.transaction():
        await connection.execute("INSERT INTO log (said) VALUES ('undone')")
        await connection.execute("SELECT 1 / 0")


@scenario
async def cursors():
    async with Connected() as connection:
        told = []
        async with connection.transaction():
            cursor = await connection.cursor("SELECT n, 'row ' || n AS words FROM generate_series(1, $1::int) n", 500)
            told += [plain(await cursor.fetchrow()), plain(await cursor.fetch(3)), await cursor.forward(100), plain(await cursor.fetch(2))]
            total = 0
            async for row in connection.cursor("SELECT n FROM generate_series(1, 1000) n", prefetch=37):
                total += row["n"]
            told.append(total)
            statement = await connection.prepare("SELECT n FROM generate_series(1, $1::int) n")
            told.append([row["n"] async for row in statement.cursor(9, prefetch=2)])
            # Two portals at once, read in turns.
            first, second = await connection.cursor("SELECT generate_series(1, 10)"), await connection.cursor("SELECT generate_series(11, 20)")
            for _ in range(3):
                told += [plain(await first.fetch(2)), plain(await second.fetch(2))]
        told.append(await attempt(cursor.fetch(1)))
        return told


@scenario
async def settings():
    told = []
    async with Connected(server_settings={"application_name": "set at start", "work_mem": "5MB"}) as connection:
        told.append([await connection.fetchval(f"SHOW {name}") for name in ("application_name", "work_mem")])
        await connection.execute("SET work_mem = '6MB'")
        await connection.execute("SET timezone = 'Asia/Tokyo'")
        told.append(await connection.fetchval("SHOW work_mem"))
        told.append(connection.get_settings().TimeZone)
        async with connection.transaction():
            await connection.execute("SET LOCAL work_mem = '7MB'")
            told.append(await connection.fetchval("SHOW work_mem"))
        told.append(await connection.fetchval("SHOW work_mem"))
        await connection.reset()
        told.append([await connection.fetchval(f"SHOW {name}") for name in ("application_name", "work_mem", "timezone")])
    async with Connected() as connection:
        told.append([await connection.fetchval(f"SHOW {name}") for name in ("application_name", "work_mem", "timezone")])
    return told


@scenario
async def errors():
    async with Connected() as connection:
        told = []
        for sql, *parameters in (("SELECT nothing_there",), ("SELECT 1 / $1::int", 0), ("INSERT INTO items VALUES (1, 'x', 1)",),
                                 ("INSERT INTO items VALUES (1001, 'x', -1)",), ("INSERT INTO items VALUES (1001, NULL, 1)",),
                                 ("SELECT fail($1, $2)", "ZX123", "of our own"), ("SELECT * FROM no_such_table",), ("SELECT $1",),
                                 ("SELECT 1 / (n - 5000) FROM generate_series(1, 6000) n",), ("EXECUTE nothing",)):
            told.append(await attempt(connection.fetch(sql, *parameters)))
        told.append(await connection.fetchval("SELECT 'usable'"))
        return told


@scenario
async def notices():
    async with Connected() as connection:
        told = []
        connection.add_log_listener(lambda _, said: told.append([said.severity_en, said.sqlstate, said.message, said.detail, said.hint]))
        await connection.execute("SELECT say('simple')")
        await connection.fetch("SELECT say($1)", "extended")
        await asyncio.sleep(0)
        return sorted(told)


async def settled(connection):
    """Waits until no late cancellation comes any more."""
    quiet = 0
    while quiet < 5:
        quiet = quiet + 1 if await attempt(connection.fetchval("SELECT 'usable' FROM pg_sleep(0.02)")) == "usable" else 0
    return "usable"


@scenario
async def cancellation():
    async with Connected() as connection:
        told = []
        for _ in range(3):
            told.append(await attempt(connection.fetch("SELECT pg_sleep(600)", timeout=0.2)))
            told.append(await settled(connection))
        task = asyncio.ensure_future(connection.fetch("SELECT pg_sleep(600)"))
        await asyncio.sleep(0.2)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            told.append("cancelled")
        told.append(await settled(connection))
        return told


@scenario(connections=2)
async def notifications():
    heard = asyncio.Queue()
    async with Connected() as listener, Connected() as speaker:
        await listener.add_listener(f"{SCHEMA}_c", lambda _connection, _pid, channel, payload: heard.put_nowait([channel.replace(SCHEMA, ""), payload]))
        for words in ("one", "two"):
            await speaker.execute("SELECT pg_notify($1, $2)", f"{SCHEMA}_c", words)
        told = [await asyncio.wait_for(heard.get(), 60) for _ in range(2)]
        await listener.reset()
        return told


@scenario
async def a_pool_of_connections():
    async def one(pool, number):
        async with pool.acquire(timeout=120) as connection:
            async with connection.transaction():
                return await connection.fetchval("SELECT $1::int + count(*) FROM " + f"{SCHEMA}.items", number)

    async with asyncpg.create_pool(min_size=1, max_size=6) as pool:
        return await asyncio.gather(*(one(pool, number) for number in range(60)))


@scenario
async def refusals():
    async def refused(**options):
        try:
            await asyncpg.connect(timeout=30, **options)
        except asyncpg.PostgresError as error:
            return [type(error).__name__, error.sqlstate]

    return [await refused(password="not the one"), await refused(database="no_such_database"), await refused(user="nobody_by_this_name"),
            os.environ["PGDATABASE"] != "no_such_database"]
