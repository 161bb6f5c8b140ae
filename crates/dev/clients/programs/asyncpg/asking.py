"""A client that stays: for each line that it reads it asks for a row, and prints it, or the SQLSTATE that it was told."""

import asyncio
import sys

import asyncpg


async def main():
    connection = await asyncpg.connect(timeout=60)
    for _ in sys.stdin:
        try:
            told = await connection.fetchval("SELECT 'right'")
        except asyncpg.PostgresError as error:
            told = error.sqlstate
        except (asyncpg.InterfaceError, OSError) as error:
            told = repr(error)
        print(told, flush=True)
    await connection.close(timeout=60)


asyncio.run(main())
