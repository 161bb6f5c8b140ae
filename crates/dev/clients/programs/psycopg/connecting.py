"""How a connection begins: parameters, refusals, what the server says of itself."""

import os

from psycopg import conninfo
from scenarios import SCHEMA, attempt, connect, psycopg, scenario, value


def refusal(**options):
    """The SQLSTATE with which a connection is refused; libpq keeps it only in the text, so both are looked at."""
    try:
        psycopg.connect(connect_timeout=20, **options).close()
    except psycopg.OperationalError as error:
        return [kind for kind in ("password authentication failed", "does not exist") if kind in str(error)]
    return "let in"


@scenario
def server_parameters():
    with connect() as connection:
        names = ("server_version", "server_encoding", "client_encoding", "is_superuser", "session_authorization", "DateStyle",
                 "IntervalStyle", "TimeZone", "integer_datetimes", "standard_conforming_strings", "default_transaction_read_only",
                 "in_hot_standby", "application_name")
        told = {name: connection.info.parameter_status(name) for name in names}
        told["user"] = connection.info.user
        told["has key"] = connection.info.backend_pid != 0
        return told


@scenario
def startup_parameters():
    options = f"-c search_path={SCHEMA} -c statement_timeout=54321 -c datestyle=german,dmy -c work_mem=5MB"
    with psycopg.connect(autocommit=True, options=options, application_name="a name of one's own") as connection:
        return [
            [value(connection, f"SHOW {name}") for name in ("statement_timeout", "datestyle", "work_mem", "application_name")],
            value(connection, "SELECT current_schema()") == SCHEMA,
            value(connection, "SELECT '2024-02-29'::date::text"),
            connection.info.parameter_status("application_name"),
            connection.info.parameter_status("DateStyle"),
        ]


@scenario
def startup_parameter_that_is_refused():
    def sqlstate(options):
        try:
            with psycopg.connect(autocommit=True, options=options) as connection:
                return value(connection, "SHOW work_mem")
        except psycopg.Error as error:
            return "invalid value" in str(error) or "unrecognized" in str(error)

    return [sqlstate("-c work_mem=nonsense"), sqlstate("-c no_such_setting=1")]


@scenario
def client_encoding_of_the_startup():
    with psycopg.connect(autocommit=True, client_encoding="LATIN1") as connection:
        return [value(connection, "SELECT %s || chr(233)", ("é",)), connection.info.encoding,
                attempt(lambda: value(connection, "SELECT chr(9731)"))]


@scenario
def wrong_password():
    return refusal(password="not the one")


@scenario
def unknown_user():
    return refusal(user="nobody_by_this_name", password="x")


@scenario
def unknown_database():
    return refusal(dbname="no_such_database")


@scenario
def many_connections_one_after_another():
    def one(number):
        with connect() as connection:
            return value(connection, "SELECT %s::int * 2", (number,))

    return [one(number) for number in range(20)]


@scenario
def a_url():
    made = conninfo.make_conninfo(host=os.environ["PGHOST"], port=os.environ["PGPORT"], dbname=os.environ["PGDATABASE"])
    with psycopg.connect(made) as connection:
        return value(connection, "SELECT current_database()") == os.environ["PGDATABASE"]


@scenario
def asynchronous_connection():
    import asyncio

    async def body():
        connection = await psycopg.AsyncConnection.connect(autocommit=True)
        async with connection:
            await connection.execute(f"SET search_path = {SCHEMA}")
            cursor = await connection.execute("SELECT count(*), sum(price) FROM items")
            return await cursor.fetchone()

    return asyncio.run(body())
