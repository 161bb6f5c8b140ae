//! For every check where it fires, as data; each is a test of its own, and `coverage` counts them.

mod collations_and_roles;
mod objects;
mod servers;
mod source;
mod tables;

use crate::support::Case;

/// Makes each case a test, and all of them a list.
macro_rules! cases {
    ($($name:ident: $make:expr;)+) => {
        pub(crate) fn all() -> Vec<crate::support::Case> {
            vec![$({
                let make: fn(&'static str) -> crate::support::Case = $make;
                make(stringify!($name))
            }),+]
        }
        $(
            #[tokio::test]
            async fn $name() {
                let make: fn(&'static str) -> crate::support::Case = $make;
                crate::support::run(make(stringify!($name))).await;
            }
        )+
    };
}
pub(crate) use cases;

/// Every case of every file.
pub(crate) fn all() -> Vec<Case> {
    let mut all = servers::all();
    all.extend(source::all());
    all.extend(tables::all());
    all.extend(objects::all());
    all.extend(collations_and_roles::all());
    all
}
