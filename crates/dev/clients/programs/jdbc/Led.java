// A client that stays while its database is led from one server to another.
//
// For each line that it reads it writes and reads types that users made, by statements that stay prepared, and prints
// `right`, or `ended` when it was told that its session is over: then it connects again, and does it again. Anything else it
// prints is a failure.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Properties;
import org.postgresql.util.PGobject;

public final class Led {
    private static final String WANTED = "ok|{sad,happy}|%d|(1,here,{ok})|\"a\"=>\"b\"|Zoë";
    private Connection connection;
    private PreparedStatement insert;
    private PreparedStatement select;

    private void begin() throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", System.getenv("PGUSER"));
        properties.setProperty("password", System.getenv("PGPASSWORD"));
        properties.setProperty("prepareThreshold", "1");
        properties.setProperty("sslmode", "disable");
        String url = "jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE");
        connection = DriverManager.getConnection(url, properties);
        insert = connection.prepareStatement("INSERT INTO kept VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
        select = connection.prepareStatement("SELECT feeling, feelings, share, spot, tags, name FROM kept WHERE id = ?");
    }

    private static PGobject of(String type, String value) throws SQLException {
        PGobject object = new PGobject();
        object.setType(type);
        object.setValue(value);
        return object;
    }

    private String act(String step) throws SQLException {
        int share = step.length();
        insert.setString(1, "pgjdbc " + step);
        insert.setObject(2, of("mood", "ok"));
        insert.setArray(3, connection.createArrayOf("mood", new String[] {"sad", "happy"}));
        insert.setInt(4, share);
        insert.setObject(5, of("place", "(1,here,{ok})"));
        insert.setObject(6, of("hstore", "a=>b"));
        insert.setObject(7, of("citext", "Zoë"));
        insert.setString(8, String.format(WANTED, share));
        insert.executeUpdate();
        select.setString(1, "pgjdbc " + step);
        try (ResultSet rows = select.executeQuery()) {
            rows.next();
            String[] moods = (String[]) rows.getArray(2).getArray();
            // A map in Java.
            boolean tagged = rows.getObject(5).toString().replace("\"", "").matches("\\{?a=>?b\\}?");
            boolean right = rows.getString(1).equals("ok") && moods.length == 2 && moods[0].equals("sad")
                && moods[1].equals("happy") && rows.getInt(3) == share && rows.getString(4).equals("(1,here,{ok})") && tagged
                && rows.getString(6).equals("Zoë");
            return right ? "right" : "another row: " + rows.getString(1) + rows.getString(2) + rows.getString(4) + rows.getString(5);
        }
    }

    private String done(String step) throws SQLException {
        try {
            return act(step);
        } catch (SQLException error) {
            boolean ended = error.getSQLState().equals("57P01") || error.getSQLState().startsWith("08");
            if (!ended || !connection.isClosed()) {
                return error.getSQLState() + ": " + error.getMessage();
            }
        }
        begin();
        String again = act(step + " again");
        return again.equals("right") ? "ended" : again;
    }

    public static void main(String[] arguments) throws Exception {
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        Led client = new Led();
        client.begin();
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String said;
            try {
                said = client.done(line.strip());
            } catch (SQLException error) {
                said = error.getSQLState() + ": " + error.getMessage();
            }
            out.println(said.replace("\n", " "));
        }
    }
}
