//! One suite of tests on each kind of database that a journal is kept in.

/// Runs each test on SQLite and on Postgres: functions that take the `Ground` of the test program's module `ground`, which
/// has a `sqlite()` and a `postgres()`.
#[expect(clippy::crate_in_macro_def, reason = "the ground is the test program's own")]
#[macro_export]
macro_rules! on_every_backend {
    ($($test:ident)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(&crate::ground::Ground::sqlite()).await;
            })*
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(&crate::ground::Ground::postgres()).await;
            })*
        }
    };
}
