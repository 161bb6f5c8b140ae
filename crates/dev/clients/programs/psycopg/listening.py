"""LISTEN and NOTIFY."""

from scenarios import SCHEMA, connect, rows, scenario, value


def heard(connection, count):
    """The next notifications; a minute is the limit, never the wait."""
    channel = f"{SCHEMA}_"
    return [[note.channel.replace(channel, ""), note.payload] for note in connection.notifies(timeout=60, stop_after=count)]


@scenario(connections=2)
def notifications_of_another():
    with connect() as listener, connect() as speaker:
        listener.execute(f"LISTEN {SCHEMA}_a")
        listener.execute(f"LISTEN {SCHEMA}_b")
        speaker.execute(f"NOTIFY {SCHEMA}_a, 'one'")
        speaker.execute("SELECT pg_notify(%s, %s)", (f"{SCHEMA}_b", "two"))
        told = [heard(listener, 2)]
        with speaker.transaction():
            speaker.execute(f"NOTIFY {SCHEMA}_a, 'three'")
            speaker.execute(f"NOTIFY {SCHEMA}_a, 'three'")
            speaker.execute(f"NOTIFY {SCHEMA}_a, 'four'")
        told.append(heard(listener, 2))
        listener.execute(f"UNLISTEN {SCHEMA}_a")
        speaker.execute(f"NOTIFY {SCHEMA}_a, 'unheard'")
        speaker.execute(f"NOTIFY {SCHEMA}_b, 'five'")
        told.append(heard(listener, 1))
        told.append(len(rows(listener, "SELECT pg_listening_channels()")["rows"]))
        listener.execute("UNLISTEN *")
        told.append(len(rows(listener, "SELECT pg_listening_channels()")["rows"]))
        return told


@scenario
def notifications_of_one_self():
    with connect() as connection:
        connection.execute(f"LISTEN {SCHEMA}_self")
        told = []
        connection.add_notify_handler(lambda note: told.append([note.channel.replace(SCHEMA, ""), note.payload, note.pid == connection.info.backend_pid]))
        connection.execute(f"NOTIFY {SCHEMA}_self, 'to me'")
        connection.execute("SELECT 1")
        told.append(value(connection, "SELECT 'after'"))
        return [item[:2] if isinstance(item, list) else item for item in told]


@scenario
def listening_ends_with_its_client():
    with connect() as connection:
        connection.execute(f"LISTEN {SCHEMA}_left")
    with connect() as connection:
        return rows(connection, "SELECT pg_listening_channels()")
