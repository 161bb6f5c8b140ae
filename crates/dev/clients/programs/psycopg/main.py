"""What psycopg 3 does with a server: every module registers its scenarios, in the order in which they run."""

import connecting  # noqa: F401
import copying  # noqa: F401
import failing  # noqa: F401
import listening  # noqa: F401
import pipelines  # noqa: F401
import preparing  # noqa: F401
import settings  # noqa: F401
import statements  # noqa: F401
import transactions  # noqa: F401
from scenarios import run

run()
