//! The application's books, when everything is over.

use atalaya_estate::ConnectionUrl;
use atalaya_postgres::Session;
use atalaya_sandbox::eventually;

use super::ground::{OLD, Parts};
use crate::support::Move;

impl Parts {
    /// Ends the application: its books are right on both sides, which hold the same rows. Behind gateways of which nothing is
    /// said no transaction has failed.
    pub(super) fn reconcile(&mut self, broken: &[usize]) {
        self.until_committed(10);
        let records: Vec<_> = self.runs.drain(..).map(|run| self.runtime.block_on(run.stop())).collect();
        let (source, target) = (&self.shop.source, &self.shop.target);
        eventually("both sides equal", || Move::digests(source) == Move::digests(target));
        for (number, record) in records.iter().enumerate() {
            if !broken.contains(&number) {
                assert!(record.errors().is_empty() && record.counts.failed == 0, "{number}: {:?}", record.errors());
                assert_eq!(record.counts.unknown, 0, "{number}");
            }
            for server in [source, target] {
                let url = ConnectionUrl::parse(&server.url("shop")).unwrap();
                let found = self.runtime.block_on(async {
                    let session = Session::connect(&url, "atalaya reconciling").await.unwrap();
                    record.reconcile(&session).await.unwrap()
                });
                assert!(found.is_clean(), "{number}: {found:?}");
                assert_eq!(found.committed, record.committed(), "{number}");
            }
        }
        if self.led_to() == OLD {
            self.prove();
        }
    }
}
