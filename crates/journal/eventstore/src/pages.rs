//! Much of the journal, page by page: the next page is read while the one before it is looked at.

use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::store::Inner;
use crate::{Error, Event, Page, Read};

/// Reads to the journal's end as it is when the reader gets there.
pub struct Pages {
    inner: Arc<Inner>,
    read: Read,
    ahead: Option<Ahead>,
}

/// A page that is being read; ended when nobody wants it any more.
struct Ahead(JoinHandle<Result<Page, Error>>);

impl Drop for Ahead {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Pages {
    pub(crate) fn new(inner: Arc<Inner>, read: Read) -> Self {
        let mut pages = Self { inner, read, ahead: None };
        pages.begin();
        pages
    }

    fn begin(&mut self) {
        let (inner, read) = (self.inner.clone(), self.read.clone());
        self.ahead = Some(Ahead(tokio::spawn(async move { inner.page(read).await })));
    }

    /// The next events; none at the end.
    ///
    /// # Errors
    /// When they cannot be read. The same page is read again by the next call.
    pub async fn next(&mut self) -> Result<Option<Vec<Event>>, Error> {
        let Some(ahead) = &mut self.ahead else { return Ok(None) };
        let read = (&mut ahead.0).await.map_err(|_| Error::Closed).and_then(|read| read);
        self.ahead = None;
        let page = match read {
            Ok(page) => page,
            Err(error) => {
                self.begin();
                return Err(error);
            }
        };
        if let Some(next) = page.next {
            self.read.from = Some(next);
            self.begin();
        }
        Ok((!page.events.is_empty()).then_some(page.events))
    }
}
