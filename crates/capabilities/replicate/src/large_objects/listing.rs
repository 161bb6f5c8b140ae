//! What large objects a side has, with a digest of each, made inside the server.

use std::collections::BTreeMap;

use atalaya_postgres::Session;

use crate::Error;

/// Bytes read, hashed or written at once.
pub(super) const PIECE_BYTES: i32 = 1 << 20;
/// Objects listed at once.
const AT_ONCE: i64 = 500;

/// One large object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LargeObject {
    pub(super) bytes: i64,
    /// SHA-256 over the SHA-256 of every piece, in hexadecimal.
    digest: String,
    pub(super) owner: String,
    /// Grants to others, as GRANT takes them: privilege and grantee.
    pub(super) grants: Vec<String>,
}

impl LargeObject {
    /// Whether both hold the same bytes.
    pub(super) fn same_bytes(&self, other: &Self) -> bool {
        (self.bytes, &self.digest) == (other.bytes, &other.digest)
    }
}

/// Large objects by OID.
pub(super) type Listed = BTreeMap<u32, LargeObject>;

/// The next OIDs of a side after `after`, and whether there are no more behind them.
pub(super) async fn next_ids(side: &Session, after: u32) -> Result<(Option<u32>, bool), Error> {
    let row = side
        .query_one(
            "SELECT max(m.oid), count(*) FROM (SELECT oid FROM pg_catalog.pg_largeobject_metadata
              WHERE oid > $1 ORDER BY oid LIMIT $2) m",
            &[&after, &AT_ONCE],
        )
        .await?;
    Ok((row.get(0), row.get::<_, i64>(1) < AT_ONCE))
}

/// Large objects after `after`, up to `to` where one is given.
pub(super) async fn list(side: &Session, after: u32, to: Option<u32>) -> Result<Listed, Error> {
    // Descriptors live as long as the transaction, which is this statement's.
    let rows = side
        .query(
            "SELECT m.oid, z.bytes,
                    (SELECT encode(sha256(string_agg(sha256(pg_catalog.lo_get(m.oid, p * $3::int8, $3::int8::int4)), ''::bytea ORDER BY p)), 'hex')
                       FROM generate_series(0::int8, (greatest(z.bytes, 1) - 1) / $3::int8) p),
                    pg_catalog.pg_get_userbyid(m.lomowner)::text,
                    ARRAY(SELECT format('%s ON LARGE OBJECT %s TO %s%s', a.privilege_type, m.oid,
                                 CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
                                 CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
                            FROM aclexplode(m.lomacl) a WHERE a.grantee <> m.lomowner ORDER BY 1)
               FROM pg_catalog.pg_largeobject_metadata m,
                    LATERAL (SELECT pg_catalog.lo_lseek64(pg_catalog.lo_open(m.oid, 262144), 0, 2) AS bytes) z
              WHERE m.oid > $1 AND ($2::oid IS NULL OR m.oid <= $2)",
            &[&after, &to, &i64::from(PIECE_BYTES)],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| {
            let object = LargeObject { bytes: row.get(1), digest: row.get(2), owner: row.get(3), grants: row.get(4) };
            (row.get(0), object)
        })
        .collect())
}
