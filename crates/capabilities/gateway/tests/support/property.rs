//! Properties of a gateway that is started once, since starting one takes longer than asking it.

use std::fmt::Debug;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

/// Tries so many inputs; the smallest that fails is shown.
#[track_caller]
pub(crate) fn for_each<Inputs: Strategy>(
    cases: u32,
    inputs: Inputs,
    holds: impl Fn(Inputs::Value) -> Result<(), TestCaseError>,
) where
    Inputs::Value: Debug,
{
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    if let Err(failed) = TestRunner::new(config).run(&inputs, holds) {
        panic!("{failed}");
    }
}
