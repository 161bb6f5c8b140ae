//! How a program is run against a server and through a gateway, and what is compared.

mod child;
mod driver;
mod gateway;
mod lab;
mod led;
mod program;
mod rounds;

pub(crate) use child::{clean, run, run_in_order};
pub(crate) use driver::Driver;
pub(crate) use gateway::{Gateway, Pooling, Tls};
pub(crate) use lab::{Door, Lab};
pub(crate) use led::Led;
pub(crate) use program::{Program, cache, programs};
pub(crate) use rounds::{
    ALWAYS, BOTH_WAYS, NEWEST, OLDER, SOAK, agree_with_each_other, agree_with_the_gateway,
    agree_with_the_gateway_over_tls,
};
