"""A client that stays while its database is led from one server to another.

For each line that it reads it does what its way says, and prints `right`, or `ended` when it was told that its session is
over: then it connects again, and does it again. Anything else it prints is a failure.

- `reads`: types that users made, written and read in binary, by statements that stay prepared;
- `asks`: has only asked the catalog for types' numbers, as the registration of types does;
- `plain`: no such type; pipelines, one of which is open from `open` to `close`.
"""

import enum
import sys

import psycopg
from psycopg.types import TypeInfo
from psycopg.types.composite import CompositeInfo, register_composite
from psycopg.types.enum import EnumInfo, register_enum
from psycopg.types.hstore import register_hstore

MANY = 24
WANTED = 'ok|{sad,happy}|%s|(1,here,{ok})|"a"=>"b"|Zoë'


class Mood(enum.Enum):
    sad = "sad"
    ok = "ok"
    happy = "happy"


def connect():
    return psycopg.connect(autocommit=True)


class Reads:
    """Knows types from the results of its own statements, too."""

    def begin(self):
        self.connection = connect()
        register_enum(EnumInfo.fetch(self.connection, "mood"), self.connection, Mood)
        self.place = CompositeInfo.fetch(self.connection, "place")
        register_composite(self.place, self.connection)
        register_hstore(TypeInfo.fetch(self.connection, "hstore"), self.connection)
        TypeInfo.fetch(self.connection, "citext").register(self.connection)

    def act(self, step):
        share = len(step)
        given = [Mood.ok, [Mood.sad, Mood.happy], share, self.place.python_type(1, "here", [Mood.ok]), {"a": "b"}, "Zoë"]
        insert = "INSERT INTO kept VALUES (%s, %b, %b, %s, %s, %s, %s, %s)"
        self.connection.execute(insert, [f"psycopg {step}", *given, WANTED % share], prepare=True)
        by_key = "FROM kept WHERE id = %s"
        binary = self.connection.cursor(binary=True)
        binary.execute(f"SELECT feeling, feelings, share, spot {by_key}", [f"psycopg {step}"], prepare=True)
        text = self.connection.execute(f"SELECT tags, name {by_key}", [f"psycopg {step}"], prepare=True)
        found = [*binary.fetchone(), *text.fetchone()]
        return "right" if found == given else f"{found} instead of {given}"


class Asks:
    """What it has asked for is used in the next step only; until then no answer has shown a type's number."""

    def begin(self):
        self.connection = connect()
        self.members = []
        for number in range(MANY):
            info = EnumInfo.fetch(self.connection, f"many.m{number:02}")
            members = enum.Enum(f"M{number}", ["low", "high"])
            register_enum(info, self.connection, members)
            self.members.append((f"many.{info.name}", members.high))

    def act(self, step):
        insert = "INSERT INTO said VALUES (%s, pg_typeof(%s)::text, %s::text, %s) RETURNING kind, label"
        for name, member in self.members:
            row = self.connection.execute(insert, [f"{step} {name}", member, member, name]).fetchone()
            if row != (name, "high"):
                return f"{row} instead of {name}"
        self.connection.close()
        self.begin()
        return "right"


class Plain:
    """Knows what every server knows."""

    def begin(self):
        self.connection = connect()
        self.pipeline = None

    def act(self, step):
        if step == "open":
            self.pipeline = self.connection.pipeline()
            self.pipeline.__enter__()
            # Answered, and not synchronised: the transaction goes on.
            kept = self.connection.execute("SELECT count(*) FROM accounts")
            return "right" if kept.fetchone() == (100,) else "another row"
        if step == "close":
            self.connection.execute("INSERT INTO accounts VALUES (1000, 0), (1001, 0)")
            self.pipeline.__exit__(None, None, None)
            return "right"
        with self.connection.pipeline() as pipeline:
            cursors = [self.connection.execute("SELECT %s::int + id FROM accounts WHERE id = %s", [n, n]) for n in range(1, 20)]
            pipeline.sync()
            cursors += [self.connection.execute("SELECT %s::int + 20", [n]) for n in range(20)]
        found = [cursor.fetchone()[0] for cursor in cursors]
        return "right" if found == [2 * n for n in range(1, 20)] + [n + 20 for n in range(20)] else f"{found}"


def done(client, step):
    try:
        return client.act(step)
    except psycopg.OperationalError as error:
        if error.sqlstate not in (None, "57P01") or not client.connection.closed:
            return f"{error.sqlstate}: {error}"
    client.begin()
    again = client.act(f"{step} again")
    return "ended" if again == "right" else again


def run():
    client = {"reads": Reads, "asks": Asks, "plain": Plain}[sys.argv[1]]()
    client.begin()
    for line in sys.stdin:
        try:
            said = done(client, line.strip())
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the result
            said = f"{type(error).__name__}: {error}"
        print(said.replace("\n", " "), flush=True)


run()
