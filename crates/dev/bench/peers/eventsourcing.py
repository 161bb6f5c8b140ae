"""What `make bench` measures of the PyPI package `eventsourcing`: its Postgres recorder, in a database of its own.

The recorder is what its applications store events with; aggregates, mappers and commands, which stand in front of it, are
left out. Says the seconds that the work took, without start-up and connecting, as JSON on the last line.

    JOURNAL_URL=postgresql://... JOURNAL_DATA=... eventsourcing.py append COMMITS EVENTS
    JOURNAL_URL=postgresql://... eventsourcing.py read EVENTS
"""

import json
import os
import sys
import time
import uuid

from eventsourcing.persistence import InfrastructureFactory, StoredEvent
from eventsourcing.utils import Environment
from psycopg.conninfo import conninfo_to_dict

ORDER = uuid.UUID(int=1)
TOPIC = "bench:OrderPlaced"


def application_recorder():
    """The recorder as an application gets it, with every setting as it comes."""
    url = conninfo_to_dict(os.environ["JOURNAL_URL"])
    settings = {"PERSISTENCE_MODULE": "eventsourcing.postgres"}
    for name in ("dbname", "host", "port", "user", "password"):
        settings[f"POSTGRES_{name.upper()}"] = str(url[name])
    return InfrastructureFactory.construct(Environment(env=settings)).application_recorder()


def append(recorder, commits, events):
    """One commit after the other, to one aggregate's stream."""
    data = os.environ["JOURNAL_DATA"].encode()
    # A first connection is not what is measured.
    recorder.max_notification_id()
    start = time.perf_counter()
    for commit in range(commits):
        first = commit * events + 1
        recorder.insert_events([StoredEvent(ORDER, version, TOPIC, data) for version in range(first, first + events)])
    return time.perf_counter() - start


def read(recorder, events):
    """The aggregate's whole stream, in order."""
    recorder.max_notification_id()
    start = time.perf_counter()
    found = recorder.select_events(ORDER)
    took = time.perf_counter() - start
    if [event.originator_version for event in found] != list(range(1, events + 1)):
        sys.exit(f"{len(found)} of {events} events were read")
    return took


def main():
    """Does what the arguments say."""
    what, *numbers = sys.argv[1:]
    work = {"append": append, "read": read}[what]
    seconds = work(application_recorder(), *map(int, numbers))
    print(json.dumps({"seconds": seconds}), flush=True)
    # Its pool's threads have nothing to finish.
    os._exit(0)


if __name__ == "__main__":
    main()
