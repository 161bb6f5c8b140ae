//! Chinook loads where its script's own database lines cannot work.

use atalaya_load::chinook;
use atalaya_sandbox::ServerOptions;

use crate::lab::Lab;

const SCRIPT: &str = include_str!("../data/chinook_postgres.sql");

#[tokio::test]
async fn chinook_is_whole_on_the_oldest_and_the_newest_version() {
    for major in [13, 18] {
        let lab = Lab::start(ServerOptions::new(major)).await;
        chinook::load(&lab.session, SCRIPT).await.unwrap();
        for (table, rows) in [("track", 3503), ("playlist_track", 8715), ("invoice_line", 2240)] {
            let count = lab.number(&format!("SELECT count(*) FROM public.{table}")).await;
            assert_eq!(count, rows, "{table} on {major}");
        }
        let path: String = lab.session.query_one("SHOW search_path", &[]).await.unwrap().get(0);
        assert_eq!(path, "", "the session's settings are as they were");
        chinook::load(&lab.session, SCRIPT).await.unwrap_err();
    }
}
