//! Every kind of object that is compared, one file each. A new kind is a file and its line here.

mod column;
mod constraint;
mod default_privilege;
mod enum_label;
mod extension;
mod function;
mod index;
mod inheritance;
mod materialized_view;
mod option;
mod other;
mod partition;
mod policy;
mod privilege;
mod rule;
mod schema;
mod sequence;
mod statistics;
mod table;
mod trigger;
mod types;
mod view;

use super::kind::Kind;

/// In the order in which they can be made; removed in the opposite one.
pub(crate) const KINDS: &[Kind] = &[
    schema::KIND,
    extension::KIND,
    types::KIND,
    enum_label::KIND,
    other::KIND,
    function::KIND,
    sequence::KIND,
    table::KIND,
    inheritance::KIND,
    partition::KIND,
    column::KIND,
    option::KIND,
    view::KIND,
    materialized_view::KIND,
    index::KIND,
    constraint::KIND,
    statistics::KIND,
    rule::KIND,
    trigger::KIND,
    policy::KIND,
    privilege::KIND,
    default_privilege::KIND,
];
