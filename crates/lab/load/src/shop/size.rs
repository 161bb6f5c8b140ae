//! How large a shop is asked for, and how large it became.

/// The size of a shop; equal values make equal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShopSize {
    /// Bytes of all tables with their indexes and TOAST; met within a fifth from 20 MB up. Smaller shops
    /// have a floor of about 5 MB.
    pub bytes_target: u64,
    /// Changes every generated value.
    pub seed: u32,
}

impl ShopSize {
    /// A shop of so many bytes with the default seed.
    #[must_use]
    pub fn of_bytes(bytes_target: u64) -> Self {
        Self { bytes_target, seed: 1 }
    }
}

/// Where the making of a shop stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShopProgress {
    /// The table being filled, or `keys and indexes`.
    pub stage: &'static str,
    /// Rows steps of this table that are done.
    pub done: u64,
    /// Row steps of this table in all; an order's lines count as one.
    pub total: u64,
}

/// What a shop came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShopTotals {
    /// Tables that hold rows themselves: leaves of the partition tree, not its inner nodes.
    pub tables: u64,
    /// Rows of all tables.
    pub rows: u64,
    /// Bytes of all tables with their indexes and TOAST.
    pub bytes: u64,
}

/// Rows of each table, all derived from the number of customers.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowCounts {
    pub(super) customers: u64,
    pub(super) products: u64,
    pub(super) suppliers: u64,
    pub(super) employees: u64,
    pub(super) documents: u64,
}

/// Bytes that one customer brings with addresses, orders, events and their indexes; measured.
const BYTES_PER_CUSTOMER: u64 = 10_700;
/// The part of the shop that is documents of 1 MB, in percent.
const DOCUMENT_PERCENT: u64 = 40;
/// A document with its overhead.
const BYTES_PER_DOCUMENT: u64 = 1_090_000;
/// What catalog-sized tables and empty indexes need whatever the size.
const BYTES_FIXED: u64 = 1_500_000;

impl RowCounts {
    pub(super) fn of(size: ShopSize) -> Self {
        let documents = (size.bytes_target * DOCUMENT_PERCENT / 100 / BYTES_PER_DOCUMENT).max(2);
        let rest = size.bytes_target.saturating_sub(documents * BYTES_PER_DOCUMENT + BYTES_FIXED);
        let customers = (rest / BYTES_PER_CUSTOMER).max(100);
        Self {
            customers,
            products: (customers / 5).max(100),
            suppliers: (customers / 50).max(20),
            employees: 200 + customers / 100,
            documents,
        }
    }
}
