//! The async runtime, and the end that an interrupt brings.

use crate::exit::{self, Failure};

/// Runs a future to its end, or until the process is interrupted; everything is resumable, so an interrupt
/// just ends it.
pub(crate) fn block_on<F: Future>(future: F) -> Result<F::Output, Failure> {
    run(interruptible(future))?
}

/// Runs a future to its end, whatever comes: what may be interrupted within it is [`interruptible`].
pub(crate) fn run<F: Future>(future: F) -> Result<F::Output, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(exit::FAILED, &error, None))?;
    let output = runtime.block_on(future);
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    Ok(output)
}

/// Drops a future when the process is interrupted.
pub(crate) async fn interruptible<F: Future>(future: F) -> Result<F::Output, Failure> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .map_err(|error| Failure::new(exit::FAILED, &error, None))?;
    tokio::select! {
        output = future => Ok(output),
        _ = tokio::signal::ctrl_c() => Err(Failure::interrupted()),
        _ = terminate.recv() => Err(Failure::interrupted()),
    }
}
