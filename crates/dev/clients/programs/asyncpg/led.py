"""A client that stays while its database is led from one server to another.

For each line that it reads it writes and reads types that users made, in binary and by statements that stay prepared, and
prints `right`, or `ended` when it was told that its session is over: then it connects again, and does it again. Anything
else it prints is a failure.
"""

import asyncio
import sys

import asyncpg

WANTED = 'ok|{sad,happy}|%s|(1,here,{ok})|"a"=>"b"|Zoë'


class Client:
    async def begin(self):
        self.connection = await asyncpg.connect(timeout=60)
        await self.connection.set_builtin_type_codec("hstore", schema="public", codec_name="pg_contrib.hstore")
        await self.connection.set_type_codec("citext", schema="public", encoder=str, decoder=str, format="text")
        self.insert = await self.connection.prepare("INSERT INTO kept VALUES ($1, $2, $3, $4, $5, $6, $7, $8)")
        self.select = await self.connection.prepare("SELECT feeling, feelings, share, spot, tags, name FROM kept WHERE id = $1")

    async def act(self, step):
        share = len(step)
        given = ["ok", ["sad", "happy"], share, (1, "here", ["ok"]), {"a": "b"}, "Zoë"]
        await self.insert.fetch(f"asyncpg {step}", *given, WANTED % share)
        found = list(await self.select.fetchrow(f"asyncpg {step}"))
        found[3] = tuple(found[3])
        return "right" if found == given else f"{found} instead of {given}"


async def done(client, step):
    try:
        return await client.act(step)
    except (asyncpg.AdminShutdownError, asyncpg.ConnectionDoesNotExistError, asyncpg.InterfaceError, ConnectionError) as error:
        if not client.connection.is_closed():
            return f"{type(error).__name__}: {error}"
    await client.begin()
    again = await client.act(f"{step} again")
    return "ended" if again == "right" else again


async def run():
    client = Client()
    await client.begin()
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        try:
            said = await done(client, line.strip())
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the result
            said = f"{type(error).__name__}: {error}"
        print(said.replace("\n", " "), flush=True)


asyncio.run(run())
