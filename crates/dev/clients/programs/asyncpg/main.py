"""What asyncpg does with a server: every module registers its scenarios, in the order in which they run."""

import behaviour  # noqa: F401
import values  # noqa: F401
from scenarios import run

run()
