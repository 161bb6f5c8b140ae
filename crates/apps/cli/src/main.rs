//! The binary `atalaya`: wiring only.
fn main() {}
