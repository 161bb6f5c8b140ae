// Runs named scenarios against the server that the environment names, and prints one JSON line for each.
//
// Nothing printed differs from run to run. A scenario that throws prints the error as its result.

import java.io.PrintStream;
import java.lang.reflect.Array;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import org.postgresql.util.PSQLException;
import org.postgresql.util.ServerErrorMessage;

final class Scenarios {
    static final String SCHEMA = System.getenv("CLIENT_SCHEMA");
    private static final int SERVERS = Integer.parseInt(System.getenv().getOrDefault("CLIENT_SERVERS", "2"));
    private static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);

    interface Body {
        Object run() throws Exception;
    }

    private Scenarios() {}

    /** Runs a scenario that needs one server at a time. */
    static void scenario(String name, Body body) {
        scenario(name, 1, body);
    }

    /** Runs a scenario, unless it needs more servers at a time than there are. */
    static void scenario(String name, int connections, Body body) {
        StringBuilder line = new StringBuilder("{\"scenario\": ");
        write(line, name);
        line.append(", \"result\": ");
        write(line, connections <= SERVERS ? attempt(body) : "needs more servers");
        OUT.println(line.append('}'));
    }

    /** What a body gives, be it a value or an error. */
    static Object attempt(Body body) {
        try {
            return body.run();
        } catch (Exception error) {
            return failure(error);
        }
    }

    /** Every field of a server's error that a client can see. */
    private static Object failure(Exception error) {
        Map<String, Object> told = new TreeMap<>();
        told.put("error", error.getClass().getSimpleName());
        ServerErrorMessage server = error instanceof PSQLException psql ? psql.getServerErrorMessage() : null;
        if (server == null) {
            told.put("text", String.valueOf(error.getMessage()));
            if (error instanceof SQLException sql) {
                told.put("sqlstate", sql.getSQLState());
            }
            return told;
        }
        told.put("severity", server.getSeverity());
        told.put("sqlstate", server.getSQLState());
        told.put("message", server.getMessage());
        told.put("detail", server.getDetail());
        told.put("hint", server.getHint());
        told.put("position", server.getPosition());
        told.put("where", server.getWhere());
        told.put("schema", server.getSchema());
        told.put("table", server.getTable());
        told.put("column", server.getColumn());
        told.put("constraint", server.getConstraint());
        told.put("routine", server.getRoutine());
        if (error instanceof SQLException sql && sql.getNextException() != null && sql.getNextException() != error) {
            told.put("next", failure(sql.getNextException()));
        }
        return told;
    }

    /** The address of the server, with further options of the driver. */
    static Connection open(String... options) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", System.getenv("PGUSER"));
        properties.setProperty("password", System.getenv("PGPASSWORD"));
        properties.setProperty("sslmode", "disable");
        properties.setProperty("connectTimeout", "60");
        String database = System.getenv("PGDATABASE");
        for (int at = 0; at + 1 < options.length; at += 2) {
            if (options[at].equals("database")) {
                database = options[at + 1];
            } else {
                properties.setProperty(options[at], options[at + 1]);
            }
        }
        return DriverManager.getConnection("jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/" + database,
            properties);
    }

    /** A connection in the program's own schema. */
    static Connection connect(String... options) throws SQLException {
        Connection connection = open(options);
        try (Statement statement = connection.createStatement()) {
            statement.execute("SET search_path = " + SCHEMA);
        }
        return connection;
    }

    /** Every row of a result as lists. */
    static List<Object> rows(ResultSet result) throws SQLException {
        List<Object> rows = new ArrayList<>();
        int columns = result.getMetaData().getColumnCount();
        while (result.next()) {
            List<Object> row = new ArrayList<>();
            for (int column = 1; column <= columns; column++) {
                row.add(plain(result.getObject(column)));
            }
            rows.add(row);
        }
        return rows;
    }

    /** All rows of a statement. */
    static List<Object> query(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement(); ResultSet result = statement.executeQuery(sql)) {
            return rows(result);
        }
    }

    static void execute(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    static Object plain(Object value) throws SQLException {
        if (value == null || value instanceof Boolean || value instanceof Number || value instanceof String) {
            return value;
        }
        if (value instanceof byte[] bytes) {
            return "bytes " + Base64.getEncoder().encodeToString(bytes);
        }
        if (value instanceof java.sql.Array array) {
            return plain(array.getArray());
        }
        if (value.getClass().isArray()) {
            List<Object> items = new ArrayList<>();
            for (int at = 0; at < Array.getLength(value); at++) {
                items.add(plain(Array.get(value, at)));
            }
            return items;
        }
        return value.getClass().getSimpleName() + " " + value;
    }

    private static void write(StringBuilder out, Object value) {
        if (value == null || value instanceof Boolean || value instanceof Integer || value instanceof Long) {
            out.append(value);
        } else if (value instanceof List<?> items) {
            String before = "[";
            for (Object item : items) {
                write(out.append(before), item);
                before = ", ";
            }
            out.append(items.isEmpty() ? "[]" : "]");
        } else if (value instanceof Map<?, ?> map) {
            String before = "{";
            for (Map.Entry<?, ?> entry : map.entrySet()) {
                write(out.append(before), String.valueOf(entry.getKey()));
                write(out.append(": "), entry.getValue());
                before = ", ";
            }
            out.append(map.isEmpty() ? "{}" : "}");
        } else {
            out.append('"');
            String text = value instanceof String words ? words : value.getClass().getSimpleName() + " " + value;
            for (char letter : text.toCharArray()) {
                if (letter == '"' || letter == '\\') {
                    out.append('\\').append(letter);
                } else if (letter < ' ') {
                    out.append(String.format("\\u%04x", (int) letter));
                } else {
                    out.append(letter);
                }
            }
            out.append('"');
        }
    }
}
