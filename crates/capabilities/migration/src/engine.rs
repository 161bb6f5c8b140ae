//! What has to be done outside of the journal.

use futures_util::future::BoxFuture;

/// Does to both servers what a migration's saga decides. Both can be asked for again after a kill, and by other processes.
pub trait Engine: Send + Sync + 'static {
    /// Removes what is ours after a proven end.
    ///
    /// # Errors
    /// Why it could not, in words without a value of anybody's.
    fn clean_up(&self) -> BoxFuture<'_, Result<(), String>>;

    /// Removes what is ours of a move that is given up. The target's data stays.
    ///
    /// # Errors
    /// As above.
    fn withdraw(&self) -> BoxFuture<'_, Result<(), String>>;
}

/// For who only looks, decides or follows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Idle;

impl Engine for Idle {
    fn clean_up(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(std::future::ready(Err("to be done by `atalaya migrate finish`".to_owned())))
    }

    fn withdraw(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(std::future::ready(Err("to be done by `atalaya migrate abort`".to_owned())))
    }
}
