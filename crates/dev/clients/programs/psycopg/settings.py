"""Settings: they stay with their client over transactions, and nobody else sees them."""

from scenarios import attempt, connect, rows, scenario, value

# A server never forgets the name of a setting that nobody declared: once anybody has set it, it is empty for the others.
OWN_SETTING = "SELECT nullif(current_setting('own.setting', true), '')"


@scenario
def settings_stay_with_their_client():
    told = []
    with connect() as first:
        first.execute("SET work_mem = '9MB'")
        first.execute("SET application_name = 'first'")
        first.execute("SET TIME ZONE 'Asia/Tokyo'")
        first.execute("SELECT set_config('own.setting', 'of the first', false)")
        with connect() as second:
            told.append([value(second, f"SHOW {name}") for name in ("work_mem", "application_name", "timezone")])
            told.append(value(second, OWN_SETTING))
            second.execute("SET work_mem = '11MB'")
            told.append([value(first, f"SHOW {name}") for name in ("work_mem", "application_name", "timezone", "own.setting")])
            told.append(value(second, "SHOW work_mem"))
            told.append(value(first, "SELECT '2024-02-29 00:00+00'::timestamptz::text"))
            told.append([first.info.parameter_status("application_name"), first.info.parameter_status("TimeZone")])
    with connect() as third:
        told.append([value(third, f"SHOW {name}") for name in ("work_mem", "application_name", "timezone")])
        told.append(value(third, OWN_SETTING))
    return told


@scenario
def settings_of_a_transaction():
    with connect() as connection:
        told = []
        connection.execute("SET work_mem = '6MB'")
        with connection.transaction():
            connection.execute("SET LOCAL work_mem = '8MB'")
            told.append(value(connection, "SHOW work_mem"))
        told.append(value(connection, "SHOW work_mem"))
        connection.execute("BEGIN")
        connection.execute("SET work_mem = '10MB'")
        told.append(value(connection, "SHOW work_mem"))
        connection.execute("ROLLBACK")
        told.append(value(connection, "SHOW work_mem"))
        connection.execute("BEGIN")
        connection.execute("SAVEPOINT a")
        connection.execute("SET work_mem = '12MB'")
        connection.execute("ROLLBACK TO a")
        told.append(value(connection, "SHOW work_mem"))
        connection.execute("SET work_mem = '14MB'")
        connection.execute("COMMIT")
        told.append(value(connection, "SHOW work_mem"))
        told.append(attempt(lambda: connection.execute("SET work_mem = 'much'")))
        told.append(value(connection, "SHOW work_mem"))
        connection.execute("RESET work_mem")
        told.append(value(connection, "SHOW work_mem"))
        return told


@scenario
def settings_by_function():
    with connect() as connection:
        told = []
        connection.execute("DO $$ BEGIN PERFORM set_config('work_mem', '13MB', false); END $$")
        told.append(value(connection, "SHOW work_mem"))
        told.append(value(connection, "SHOW work_mem"))
        connection.execute("UPDATE pg_settings SET setting = '15000' WHERE name = 'work_mem'")
        told.append(value(connection, "SHOW work_mem"))
        connection.execute("RESET ALL")
        told.append(value(connection, "SHOW work_mem"))
        return told


@scenario
def reported_settings_follow():
    with connect() as connection:
        told = []

        def told_now():
            told.append([connection.info.parameter_status(name) for name in (
                "client_encoding", "DateStyle", "TimeZone", "application_name", "standard_conforming_strings", "IntervalStyle")])

        told_now()
        for sql in ("SET client_encoding = latin1", "SET datestyle = 'SQL, DMY'", "SET timezone = 'UTC'", "SET application_name = 'x y'",
                    "SET standard_conforming_strings = off", "SET intervalstyle = iso_8601"):
            connection.execute(sql)
            told_now()
        told.append(rows(connection, "SELECT '2024-02-29'::date::text, '1 day 2 hours'::interval::text, '\\\\'::text"))
        connection.execute("BEGIN")
        connection.execute("SET timezone = 'Europe/Berlin'")
        told_now()
        connection.execute("ROLLBACK")
        told_now()
        connection.execute("RESET ALL")
        told_now()
        return told


@scenario
def search_path():
    with connect() as connection:
        told = [value(connection, "SELECT count(*) FROM items")]
        connection.execute("SET search_path = pg_catalog")
        told.append(attempt(lambda: connection.execute("SELECT count(*) FROM items")))
        told.append(value(connection, "SHOW search_path"))
        return told


@scenario
def roles():
    told = []
    with connect() as connection:
        names = "SELECT current_user = session_user, current_user LIKE '%guest', current_setting('role') = 'none'"
        told.append(rows(connection, names))
        connection.execute("SET ROLE clients_guest")
        told.append(rows(connection, names))
        told.append(attempt(lambda: connection.execute("SELECT count(*) FROM items")))
        told.append(connection.info.parameter_status("session_authorization") == connection.info.user)
        connection.execute("RESET ALL")
        told.append(rows(connection, names))
    with connect() as connection:
        told.append(rows(connection, names))
        connection.execute("SET ROLE clients_guest")
        connection.execute("RESET ROLE")
        told.append(rows(connection, names))
        connection.execute("BEGIN")
        connection.execute("SET ROLE clients_guest")
        connection.execute("ROLLBACK")
        told.append(rows(connection, names))
        connection.execute("BEGIN")
        connection.execute("SET LOCAL ROLE clients_guest")
        told.append(rows(connection, names))
        connection.execute("COMMIT")
        told.append(rows(connection, names))
        told.append(attempt(lambda: connection.execute("SET ROLE pg_monitor")))
        told.append(attempt(lambda: connection.execute("SET SESSION AUTHORIZATION postgres")))
    return told


@scenario
def discard_all():
    with connect() as connection:
        connection.execute("SET work_mem = '9MB'")
        connection.execute("SET ROLE clients_guest")
        connection.execute("PREPARE mine AS SELECT 1")
        connection.execute("DISCARD ALL")
        told = [value(connection, "SHOW work_mem"), value(connection, "SELECT current_user = session_user"),
                value(connection, "SHOW search_path")]
        told.append(attempt(lambda: connection.execute("EXECUTE mine")))
        connection.execute("BEGIN")
        told.append(attempt(lambda: connection.execute("DISCARD ALL")))
        connection.execute("ROLLBACK")
        return told


@scenario
def session_characteristics():
    with connect() as connection:
        connection.execute("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
        told = [attempt(lambda: connection.execute("INSERT INTO log (said) VALUES ('x')"))]
        told.append(connection.info.parameter_status("default_transaction_read_only"))
        connection.execute("SET default_transaction_read_only = off")
        told.append(rows(connection, "INSERT INTO log (said) VALUES ('x')"))
        return told
