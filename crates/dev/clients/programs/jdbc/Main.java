// What pgjdbc does with a server, in its own way of speaking: unnamed at first, by name from the fifth use on.

import java.io.StringReader;
import java.io.StringWriter;
import java.math.BigDecimal;
import java.sql.BatchUpdateException;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLWarning;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;
import org.postgresql.copy.CopyManager;

final class Main {
    private Main() {}

    public static void main(String[] arguments) {
        // Apart from the others: the gateway refuses function calls of the protocol by name, so it is told something else.
        if (List.of(arguments).equals(List.of("large-objects"))) {
            Scenarios.scenario("large objects", Main::largeObjects);
            return;
        }
        Scenarios.scenario("simple queries", Main::simpleQueries);
        for (String mode : List.of("simple", "extended", "extendedForPrepared", "extendedCacheEverything")) {
            Scenarios.scenario("query mode " + mode, () -> queryMode(mode));
        }
        Scenarios.scenario("every type comes out", Main::typesOut);
        Scenarios.scenario("every type goes in and comes back", Main::typesIn);
        Scenarios.scenario("prepared statements", Main::prepared);
        Scenarios.scenario("a changed result type", () -> changedType("never"));
        Scenarios.scenario("a changed result type, with savepoints", () -> changedType("always"));
        Scenarios.scenario("batches", Main::batches);
        Scenarios.scenario("batches rewritten", () -> batch("reWriteBatchedInserts", "true"));
        Scenarios.scenario("fetching in parts", Main::fetching);
        Scenarios.scenario("transactions", Main::transactions);
        Scenarios.scenario("COPY", Main::copying);
        Scenarios.scenario("settings", Main::settings);
        Scenarios.scenario("errors", Main::errors);
        Scenarios.scenario("notices", Main::notices);
        Scenarios.scenario("notifications", 2, Main::notifications);
        Scenarios.scenario("cancellation", Main::cancellation);
        Scenarios.scenario("metadata", Main::metadata);
        Scenarios.scenario("many connections", Main::manyConnections);
        Scenarios.scenario("refusals", Main::refusals);
    }

    private static Object simpleQueries() throws SQLException {
        List<Object> told = new ArrayList<>();
        try (Connection connection = Scenarios.connect(); Statement statement = connection.createStatement()) {
            told.add(Scenarios.query(connection, "SELECT 1 AS one, 'two' AS two, NULL AS nothing"));
            boolean rows = statement.execute("SELECT 1; INSERT INTO log (said) VALUES ('x'); SELECT 'end'");
            while (rows || statement.getUpdateCount() != -1) {
                told.add(rows ? Scenarios.rows(statement.getResultSet()) : (Object) statement.getUpdateCount());
                rows = statement.getMoreResults();
            }
            told.add(statement.execute(""));
            told.add(statement.executeUpdate("UPDATE items SET price = price WHERE id < 11"));
            told.add(Scenarios.attempt(() -> statement.execute("SELECT 1; SELECT 1 / 0; SELECT 2")));
            statement.executeUpdate("INSERT INTO log (said) VALUES ('returned')", new String[] {"said"});
            told.add(Scenarios.rows(statement.getGeneratedKeys()));
        }
        return told;
    }

    private static Object queryMode(String mode) throws SQLException {
        List<Object> told = new ArrayList<>();
        try (Connection connection = Scenarios.connect("preferQueryMode", mode)) {
            try (PreparedStatement statement = connection.prepareStatement("SELECT name, price FROM items WHERE id = ?")) {
                for (int id : List.of(1, 2, 3, 4, 5, 6, 7, 500)) {
                    statement.setInt(1, id);
                    told.add(Scenarios.rows(statement.executeQuery()));
                }
            }
            told.add(Scenarios.attempt(() -> Scenarios.query(connection, "SELECT 1 / 0")));
            connection.setAutoCommit(false);
            told.add(Scenarios.query(connection, "SELECT count(*) FROM items"));
            told.add(Scenarios.attempt(() -> Scenarios.query(connection, "SELECT nothing_there")));
            told.add(Scenarios.attempt(() -> Scenarios.query(connection, "SELECT 1")));
            connection.rollback();
            told.add(Scenarios.query(connection, "SELECT 'usable'"));
            connection.commit();
        }
        return told;
    }

    private static Object typesOut() throws SQLException {
        List<Object> told = new ArrayList<>();
        // Binary from the first use on, and never.
        for (String binary : List.of("true", "false")) {
            try (Connection connection = Scenarios.connect("prepareThreshold", "-1", "binaryTransfer", binary);
                PreparedStatement statement = connection.prepareStatement("SELECT * FROM kinds ORDER BY id")) {
                told.add(Scenarios.rows(statement.executeQuery()));
                ResultSet result = statement.executeQuery();
                for (int column = 1; column <= result.getMetaData().getColumnCount(); column++) {
                    told.add(result.getMetaData().getColumnName(column) + " " + result.getMetaData().getColumnTypeName(column).replaceAll(".*\\.", ""));
                }
            }
        }
        return told;
    }

    private static Object typesIn() throws SQLException {
        List<Object> told = new ArrayList<>();
        for (String threshold : List.of("-1", "0")) {
            try (Connection connection = Scenarios.connect("prepareThreshold", threshold)) {
                Object[] values = {true, 7, 1L << 40, new BigDecimal("1.2300"), 1.5, 2.5f, "na\u00efve \u2603", "", new byte[] {0, -1},
                    java.time.LocalDate.of(2024, 2, 29), java.time.LocalDateTime.of(2024, 2, 29, 1, 2, 3), java.time.LocalTime.of(1, 2),
                    java.time.OffsetDateTime.parse("2024-02-29T01:02:03Z"), new java.util.UUID(0, 5)};
                for (Object value : values) {
                    try (PreparedStatement statement = connection.prepareStatement("SELECT ? AS value, pg_typeof(?)::text")) {
                        statement.setObject(1, value);
                        statement.setObject(2, value);
                        told.add(Scenarios.attempt(() -> Scenarios.rows(statement.executeQuery())));
                    }
                }
                try (PreparedStatement statement = connection.prepareStatement("SELECT ?::int[], ?::text[], ?::mood, ?::jsonb, ?::int")) {
                    statement.setArray(1, connection.createArrayOf("int4", new Object[] {1, null, 3}));
                    statement.setArray(2, connection.createArrayOf("text", new Object[] {"a", "b\"c", null}));
                    statement.setObject(3, "happy", java.sql.Types.OTHER);
                    statement.setObject(4, "{\"a\": 1}", java.sql.Types.OTHER);
                    statement.setNull(5, java.sql.Types.INTEGER);
                    told.add(Scenarios.attempt(() -> Scenarios.rows(statement.executeQuery())));
                    statement.setObject(3, "glad", java.sql.Types.OTHER);
                    told.add(Scenarios.attempt(() -> Scenarios.rows(statement.executeQuery())));
                }
                try (PreparedStatement statement = connection.prepareStatement("SELECT length(?), ?")) {
                    String big = "0123456789abcdef".repeat(65536);
                    statement.setString(1, big);
                    statement.setString(2, big);
                    ResultSet result = statement.executeQuery();
                    result.next();
                    told.add(result.getInt(1));
                    told.add(result.getString(2).equals(big));
                }
            }
        }
        return told;
    }

    private static Object prepared() throws SQLException {
        List<Object> told = new ArrayList<>();
        try (Connection connection = Scenarios.connect("preparedStatementCacheQueries", "20")) {
            for (int turn = 0; turn < 8; turn++) {
                for (int number = 0; number < 60; number++) {
                    try (PreparedStatement statement = connection.prepareStatement("SELECT ?::int + " + number)) {
                        statement.setInt(1, turn);
                        told.add(Scenarios.rows(statement.executeQuery()));
                    }
                }
            }
            try (PreparedStatement statement = connection.prepareStatement("SELECT name FROM items WHERE id = ?")) {
                for (int turn = 0; turn < 12; turn++) {
                    connection.setAutoCommit(turn % 2 == 0);
                    statement.setInt(1, turn);
                    told.add(Scenarios.rows(statement.executeQuery()));
                }
                connection.commit();
                connection.setAutoCommit(true);
                Scenarios.execute(connection, "DEALLOCATE ALL");
                statement.setInt(1, 3);
                told.add(Scenarios.attempt(() -> Scenarios.rows(statement.executeQuery())));
                Scenarios.execute(connection, "DISCARD ALL");
                Scenarios.execute(connection, "SET search_path = " + Scenarios.SCHEMA);
                told.add(Scenarios.attempt(() -> Scenarios.rows(statement.executeQuery())));
            }
        }
        return told;
    }

    private static Object changedType(String autosave) throws SQLException {
        List<Object> told = new ArrayList<>();
        try (Connection connection = Scenarios.connect("prepareThreshold", "1", "autosave", autosave)) {
            Scenarios.execute(connection, "CREATE TABLE shape (id int)");
            Scenarios.execute(connection, "INSERT INTO shape VALUES (1)");
            try (PreparedStatement statement = connection.prepareStatement("SELECT * FROM shape")) {
                for (int turn = 0; turn < 3; turn++) {
                    told.add(Scenarios.attempt(() -> Scenarios.rows(statement.executeQuery())));
                }
                Scenarios.execute(connection, "ALTER TABLE shape ADD words text DEFAULT 'new'");
                told.add(Scenarios.attempt(() -> Scenarios.rows(statement.executeQuery())));
                told.add(Scenarios.attempt(() -> Scenarios.rows(statement.executeQuery())));
                Scenarios.execute(connection, "ALTER TABLE shape ALTER id TYPE bigint");
                connection.setAutoCommit(false);
                told.add(Scenarios.attempt(() -> Scenarios.rows(statement.executeQuery())));
                told.add(Scenarios.attempt(() -> Scenarios.query(connection, "SELECT 'in a transaction'")));
                connection.rollback();
                connection.setAutoCommit(true);
            }
            Scenarios.execute(connection, "DROP TABLE shape");
        }
        return told;
    }

    private static Object batches() throws SQLException {
        List<Object> told = new ArrayList<>();
        told.add(batch("prepareThreshold", "5"));
        try (Connection connection = Scenarios.connect(); Statement statement = connection.createStatement()) {
            Scenarios.execute(connection, "TRUNCATE parts");
            for (int id = 1; id < 30; id++) {
                statement.addBatch("INSERT INTO parts VALUES (" + (id == 20 ? 5 : id) + ", 1)");
            }
            try {
                statement.executeBatch();
            } catch (BatchUpdateException error) {
                told.add(error.getUpdateCounts().length);
                told.add(error.getSQLState());
            }
            told.add(Scenarios.query(connection, "SELECT count(*) FROM parts"));
            Scenarios.execute(connection, "TRUNCATE parts");
        }
        return told;
    }

    private static Object batch(String option, String value) throws SQLException {
        List<Object> told = new ArrayList<>();
        try (Connection connection = Scenarios.connect(option, value)) {
            Scenarios.execute(connection, "TRUNCATE filled");
            try (PreparedStatement statement = connection.prepareStatement("INSERT INTO filled (id, words, amount) VALUES (?, ?, ?)")) {
                for (int id = 0; id < 2000; id++) {
                    statement.setInt(1, id);
                    statement.setString(2, id % 7 == 0 ? null : "row " + id);
                    statement.setBigDecimal(3, BigDecimal.valueOf(id, 2));
                    statement.addBatch();
                }
                told.add(statement.executeBatch().length);
            }
            told.add(Scenarios.query(connection, "SELECT count(*), sum(id), count(words), sum(amount) FROM filled"));
        }
        return told;
    }

    private static Object fetching() throws SQLException {
        List<Object> told = new ArrayList<>();
        try (Connection connection = Scenarios.connect()) {
            connection.setAutoCommit(false);
            try (Statement statement = connection.createStatement(); Statement other = connection.createStatement()) {
                statement.setFetchSize(7);
                other.setFetchSize(3);
                long sum = 0;
                try (ResultSet result = statement.executeQuery("SELECT n FROM generate_series(1, 1000) n")) {
                    while (result.next()) {
                        sum += result.getLong(1);
                    }
                }
                told.add(sum);
                // Two portals at once, read in turns.
                ResultSet first = statement.executeQuery("SELECT n FROM generate_series(1, 50) n");
                ResultSet second = other.executeQuery("SELECT n FROM generate_series(101, 150) n");
                for (int turn = 0; turn < 40; turn++) {
                    first.next();
                    second.next();
                    told.add(first.getInt(1) + second.getInt(1));
                }
                first.close();
                second.close();
                told.add(Scenarios.attempt(() -> Scenarios.rows(statement.executeQuery("SELECT 10 / (n - 20) FROM generate_series(1, 30) n"))));
            }
            connection.rollback();
            try (Statement statement = connection.createStatement()) {
                statement.setMaxRows(5);
                told.add(Scenarios.rows(statement.executeQuery("SELECT n FROM generate_series(1, 1000) n")));
            }
            connection.commit();
            connection.setHoldability(ResultSet.HOLD_CURSORS_OVER_COMMIT);
            try (Statement statement = connection.createStatement()) {
                statement.setFetchSize(10);
                ResultSet held = statement.executeQuery("SELECT n FROM generate_series(1, 30) n");
                held.next();
                connection.commit();
                told.add(Scenarios.attempt(() -> Scenarios.rows(held)));
            }
        }
        return told;
    }

    private static Object transactions() throws SQLException {
        List<Object> told = new ArrayList<>();
        try (Connection connection = Scenarios.connect()) {
            Scenarios.execute(connection, "TRUNCATE log");
            connection.setAutoCommit(false);
            connection.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
            Scenarios.execute(connection, "INSERT INTO log (said) VALUES ('kept')");
            Savepoint savepoint = connection.setSavepoint("a");
            told.add(Scenarios.attempt(() -> Scenarios.query(connection, "SELECT 1 / 0")));
            connection.rollback(savepoint);
            told.add(Scenarios.query(connection, "SHOW transaction_isolation"));
            connection.commit();
            told.add(Scenarios.query(connection, "SELECT said FROM log"));
            Scenarios.execute(connection, "INSERT INTO parts VALUES (1, 999999)");
            told.add(Scenarios.attempt(() -> {
                connection.commit();
                return "committed";
            }));
            connection.rollback();
            connection.setReadOnly(true);
            told.add(Scenarios.attempt(() -> Scenarios.query(connection, "INSERT INTO log (said) VALUES ('x') RETURNING said")));
            connection.rollback();
            connection.setReadOnly(false);
            connection.setAutoCommit(true);
            told.add(connection.isValid(30));
        }
        return told;
    }

    private static Object copying() throws Exception {
        List<Object> told = new ArrayList<>();
        try (Connection connection = Scenarios.connect()) {
            CopyManager copy = connection.unwrap(PGConnection.class).getCopyAPI();
            Scenarios.execute(connection, "TRUNCATE filled");
            StringBuilder text = new StringBuilder();
            for (int id = 0; id < 5000; id++) {
                text.append(id).append("\tword ").append(id).append("\t\\N\t").append(id).append('\n');
            }
            told.add(copy.copyIn("COPY filled FROM STDIN", new StringReader(text.toString())));
            StringWriter out = new StringWriter();
            told.add(copy.copyOut("COPY (SELECT * FROM filled ORDER BY id) TO STDOUT", out));
            told.add(out.toString().equals(text.toString()));
            told.add(Scenarios.attempt(() -> copy.copyIn("COPY filled FROM STDIN", new StringReader("bad\n"))));
            told.add(Scenarios.attempt(() -> copy.copyIn("COPY filled FROM STDIN", new StringReader("bad\n" + text.toString().repeat(20)))));
            told.add(Scenarios.attempt(() -> copy.copyOut("COPY (SELECT 1 / (n - 900) FROM generate_series(1, 1000) n) TO STDOUT", new StringWriter())));
            var cancelled = copy.copyIn("COPY filled FROM STDIN");
            cancelled.writeToCopy(new byte[] {'1', '\n'}, 0, 2);
            cancelled.cancelCopy();
            told.add(Scenarios.query(connection, "SELECT count(*) FROM filled"));
        }
        return told;
    }

    private static Object largeObjects() throws Exception {
        // The driver's interface for them is made of function calls of the protocol.
        List<Object> told = new ArrayList<>();
        try (Connection connection = Scenarios.connect()) {
            connection.setAutoCommit(false);
            told.add(Scenarios.attempt(() -> {
                var manager = connection.unwrap(PGConnection.class).getLargeObjectAPI();
                long id = manager.createLO();
                var object = manager.open(id);
                object.write(new byte[] {1, 2, 3});
                object.seek(1);
                Object read = Scenarios.plain(object.read(10));
                object.close();
                manager.delete(id);
                return read;
            }));
            connection.rollback();
            told.add(Scenarios.query(connection, "SELECT 'usable'"));
        }
        return told;
    }

    private static Object settings() throws SQLException {
        List<Object> told = new ArrayList<>();
        String shown = "SELECT current_setting('work_mem'), current_setting('application_name'), current_setting('extra_float_digits')";
        try (Connection connection = Scenarios.connect("ApplicationName", "of its own", "options", "-c work_mem=5MB")) {
            told.add(Scenarios.query(connection, shown));
            Scenarios.execute(connection, "SET work_mem = '6MB'");
            connection.setClientInfo("ApplicationName", "renamed");
            told.add(Scenarios.query(connection, shown));
            connection.setAutoCommit(false);
            Scenarios.execute(connection, "SET LOCAL work_mem = '7MB'");
            told.add(Scenarios.query(connection, shown));
            connection.commit();
            told.add(Scenarios.query(connection, shown));
            Scenarios.execute(connection, "SET work_mem = '8MB'");
            connection.rollback();
            told.add(Scenarios.query(connection, shown));
            connection.setAutoCommit(true);
            told.add(connection.unwrap(PGConnection.class).getParameterStatus("application_name"));
            connection.setSchema("pg_catalog");
            told.add(connection.getSchema());
        }
        try (Connection connection = Scenarios.connect()) {
            told.add(Scenarios.query(connection, shown));
        }
        return told;
    }

    private static Object errors() throws SQLException {
        List<Object> told = new ArrayList<>();
        try (Connection connection = Scenarios.connect()) {
            for (String sql : List.of("SELECT nothing_there", "SELECT 1 / 0", "SELECT * FROM no_such_table", "SELEC", "SELECT fail('ZX123', 'of our own')",
                "SELECT 1 / (n - 5000) FROM generate_series(1, 6000) n", "INSERT INTO items VALUES (1, 'x', 1) RETURNING id",
                "INSERT INTO items VALUES (1001, 'x', -1) RETURNING id", "INSERT INTO items VALUES (1001, NULL, 1) RETURNING id", "SELECT 101::percent")) {
                told.add(Scenarios.attempt(() -> Scenarios.query(connection, sql)));
            }
            told.add(Scenarios.query(connection, "SELECT 'usable'"));
        }
        return told;
    }

    private static Object notices() throws SQLException {
        List<Object> told = new ArrayList<>();
        try (Connection connection = Scenarios.connect(); Statement statement = connection.createStatement()) {
            statement.execute("SELECT say('heard')");
            for (SQLWarning said = statement.getWarnings(); said != null; said = said.getNextWarning()) {
                told.add(said.getSQLState() + " " + said.getMessage());
            }
        }
        return told;
    }

    private static Object notifications() throws SQLException {
        List<Object> told = new ArrayList<>();
        try (Connection listener = Scenarios.connect(); Connection speaker = Scenarios.connect()) {
            Scenarios.execute(listener, "LISTEN " + Scenarios.SCHEMA + "_j");
            for (String words : List.of("one", "two")) {
                Scenarios.execute(speaker, "NOTIFY " + Scenarios.SCHEMA + "_j, '" + words + "'");
                PGNotification[] heard = listener.unwrap(PGConnection.class).getNotifications(60_000);
                for (PGNotification notification : heard) {
                    told.add(notification.getName().replace(Scenarios.SCHEMA, "") + " " + notification.getParameter());
                }
            }
        }
        return told;
    }

    private static Object cancellation() throws Exception {
        List<Object> told = new ArrayList<>();
        try (Connection connection = Scenarios.connect(); Statement statement = connection.createStatement()) {
            ExecutorService executor = Executors.newSingleThreadExecutor();
            Future<Object> sleeping = executor.submit(() -> Scenarios.attempt(() -> statement.execute("SELECT pg_sleep(600)")));
            while (!sleeping.isDone()) {
                Thread.sleep(100);
                statement.cancel();
            }
            told.add(sleeping.get());
            executor.shutdown();
            statement.setQueryTimeout(1);
            told.add(Scenarios.attempt(() -> statement.execute("SELECT pg_sleep(600)")));
            statement.setQueryTimeout(0);
            for (int quiet = 0; quiet < 5;) {
                Object answer = Scenarios.attempt(() -> Scenarios.query(connection, "SELECT 'usable' FROM pg_sleep(0.02)"));
                quiet = answer instanceof List<?> ? quiet + 1 : 0;
            }
            told.add("usable");
        }
        return told;
    }

    private static Object metadata() throws SQLException {
        List<Object> told = new ArrayList<>();
        try (Connection connection = Scenarios.connect()) {
            DatabaseMetaData data = connection.getMetaData();
            told.add(data.getDatabaseMajorVersion());
            for (ResultSet result : List.of(data.getColumns(null, Scenarios.SCHEMA, "items", "%"), data.getPrimaryKeys(null, Scenarios.SCHEMA, "items"),
                data.getIndexInfo(null, Scenarios.SCHEMA, "items", false, true), data.getImportedKeys(null, Scenarios.SCHEMA, "parts"))) {
                told.add(Scenarios.rows(result).size());
            }
        }
        return told;
    }

    private static Object manyConnections() throws Exception {
        ExecutorService executor = Executors.newFixedThreadPool(6);
        List<Future<Object>> answers = new ArrayList<>();
        for (int number = 0; number < 60; number++) {
            int id = number;
            answers.add(executor.submit(() -> Scenarios.attempt(() -> {
                try (Connection connection = Scenarios.connect()) {
                    return Scenarios.query(connection, "SELECT " + id + " + count(*) FROM items");
                }
            })));
        }
        List<Object> told = new ArrayList<>();
        for (Future<Object> answer : answers) {
            told.add(answer.get());
        }
        executor.shutdown();
        return told;
    }

    private static Object refusals() {
        List<Object> told = new ArrayList<>();
        for (String[] options : new String[][] {{"password", "not the one"}, {"database", "no_such_database"}, {"user", "nobody_by_this_name"}}) {
            try {
                Scenarios.open(options).close();
                told.add("let in");
            } catch (SQLException error) {
                told.add(error.getSQLState());
            }
        }
        return told;
    }
}
