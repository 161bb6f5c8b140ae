//! The shop and the ledger workload, which reconciles itself.
