// A client that stays: for each line that it reads it asks for a row, and prints it, or the SQLSTATE that it was told.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;

public final class Asking {
    private Asking() {}

    private static String ask(Connection connection) {
        try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery("SELECT 'right'")) {
            rows.next();
            return rows.getString(1);
        } catch (SQLException error) {
            return error.getSQLState();
        }
    }

    public static void main(String[] arguments) throws SQLException, IOException {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        try (Connection connection = Scenarios.connect()) {
            while (lines.readLine() != null) {
                System.out.println(ask(connection));
            }
        }
    }
}
