//! Continuous proof: after a table was compared row by row once, only the keys are compared that were written since.
//!
//! What is proven stands on the target (`atalaya.proof_tables`), and so do the keys that the replicator has written since
//! (`atalaya.touched`), each noted in the transaction that wrote its row. The notes are read in the very snapshot in
//! which rows are compared, so that they are exactly those of the changes before the fence. They are removed only when
//! a comparison at a later or the same fence has found nothing: whatever ends a proof before, the keys stay. A row
//! that something else than the stream changed is not among them; only a comparison of every row sees it.

mod decision;
mod keyed;
mod keys;
mod ledger;
mod standing;

pub(crate) use decision::{Decision, decide};
pub(crate) use keyed::{KeyedOutcome, compare_keys};
pub(crate) use keys::NotedKeys;
pub(crate) use ledger::{Ledger, Verdict, forget_proven};
pub(crate) use standing::Standing;
