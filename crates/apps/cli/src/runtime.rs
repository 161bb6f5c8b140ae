//! The async runtime, and the end that an interrupt brings.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::{self, Failure};

/// Runs a future to its end, or until the process is interrupted; everything is resumable, so an interrupt
/// just ends it.
pub(crate) fn block_on<F: Future>(future: F) -> Result<F::Output, Failure> {
    run(async { Signals::listen()?.end(future).await.map_err(|Interrupted| Failure::of_signal()) })?
}

/// Runs a future to its end, whatever comes: what may be interrupted within it is run by [`Signals`].
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

/// A signal came that ends the process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interrupted;

/// Signals that end the process. One that comes between two futures ends the next one.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Takes signals from here on: nobody else ends the process for them.
    pub(crate) fn listen() -> Result<Self, Failure> {
        let taken = |kind| signal(kind).map_err(|error| Failure::new(exit::FAILED, &error, None));
        Ok(Self { interrupt: taken(SignalKind::interrupt())?, terminate: taken(SignalKind::terminate())? })
    }

    /// Runs a future to its end; drops it at a signal.
    pub(crate) async fn end<F: Future>(&mut self, future: F) -> Result<F::Output, Interrupted> {
        tokio::select! {
            output = future => Ok(output),
            _ = self.interrupt.recv() => Err(Interrupted),
            _ = self.terminate.recv() => Err(Interrupted),
        }
    }
}
