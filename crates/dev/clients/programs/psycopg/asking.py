"""A client that stays: for each line that it reads it asks for a row, and prints it, or the SQLSTATE that it was told."""

import sys

import psycopg

with psycopg.connect(autocommit=True) as connection:
    for _ in sys.stdin:
        try:
            told = connection.execute("SELECT 'right'").fetchone()[0]
        except psycopg.Error as error:
            told = error.sqlstate or repr(error)
        print(told, flush=True)
