//! The estate file, and connection URLs that never show their password.

mod url;

pub use url::{ConnectionUrl, TlsMode, UrlError};
