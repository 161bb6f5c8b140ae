//! A field of tables whose source has a standby.

use atalaya_sandbox::{Server, ServerOptions};

use crate::kills::field::Field;
use crate::support::{Move, eventually};

/// What `start` is told.
pub(super) const FROM_STANDBY: &[&str] = &["--snapshot-from", "env:STANDBY_URL"];

/// A migration that is spared.
pub(super) struct Spared {
    pub(super) field: Field,
    pub(super) standby: Server,
}

/// Options of a source that keeps its log for a standby that is down, and of which a standby can have standbys.
pub(super) fn primary(major: u16) -> ServerOptions {
    ServerOptions::new(major).setting("wal_keep_size", "1GB").setting("full_page_writes", "on")
}

/// A standby of a migration's source, which the program is told of.
pub(super) fn standby_of(shop: &mut Move, settings: &[(&str, &str)]) -> Server {
    let standby = shop.source.start_standby(settings).unwrap();
    shop.standby_url = standby.url("shop");
    standby
}

impl Spared {
    /// Fills the source and starts its standby.
    pub(super) fn prepare(from: u16, to: u16, settings: &[(&str, &str)]) -> Self {
        let mut field = Field::prepare(Move::with(primary(from), ServerOptions::new(to)));
        let standby = standby_of(&mut field.shop, settings);
        field.told = FROM_STANDBY.to_vec();
        Self { field, standby }
    }

    /// Sessions of ours of that kind on a server.
    pub(super) fn sessions(server: &Server, kind: &str) -> u32 {
        let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'atalaya {kind} shop'");
        server.run_sql("shop", &sql).unwrap().parse().unwrap()
    }

    /// Ends the migration, and sees that nothing of ours is left on the standby.
    pub(super) fn finish(&self) {
        self.field.finish();
        eventually("no session of ours is left on the standby", || {
            let ours = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'atalaya%'";
            self.standby.run_sql("shop", ours).unwrap() == "0"
        });
        let slots = "SELECT count(*) FROM pg_replication_slots";
        assert_eq!(self.standby.run_sql("shop", slots).unwrap(), "0");
    }
}
