//! Drivers and psql: every scenario of their programs.

use crate::harness::{ALWAYS, BOTH_WAYS, NEWEST, OLDER, Program, SOAK, agree_with_each_other, agree_with_the_gateway};

macro_rules! programs {
    ($($name:ident: $program:ident,)*) => {
        mod through_the_gateway {
            use super::*;

            $(#[test]
            fn $name() {
                agree_with_the_gateway(Program::$program, NEWEST, ALWAYS);
            })*
        }

        mod before_older_servers {
            use super::*;

            $(#[test]
            fn $name() {
                for major in OLDER {
                    agree_with_the_gateway(Program::$program, major, BOTH_WAYS);
                }
            })*
        }

        mod in_more_copies_through_the_gateway {
            use super::*;

            $(#[test]
            #[ignore = "soak: the same with more copies at a time"]
            fn $name() {
                agree_with_the_gateway(Program::$program, NEWEST, SOAK);
            })*
        }

        mod twice_directly {
            use super::*;

            $(#[test]
            #[ignore = "proves the programs, not the gateway: for whoever changes one"]
            fn $name() {
                agree_with_each_other(Program::$program);
            })*
        }
    };
}

programs! {
    psycopg_is_told_the_same: Psycopg,
    asyncpg_is_told_the_same: Asyncpg,
    node_postgres_is_told_the_same: NodePostgres,
    pgjdbc_is_told_the_same: Pgjdbc,
    tokio_postgres_is_told_the_same: TokioPostgres,
    sqlx_is_told_the_same: Sqlx,
    psql_is_told_the_same: Psql,
}
