//! The async runtime, and the end that an interrupt brings.

use crate::exit::{self, Failure};

/// Runs a future to its end, or until the process is interrupted; everything is resumable, so an interrupt
/// just ends it.
pub(crate) fn block_on<F: Future>(future: F) -> Result<F::Output, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(exit::FAILED, &error, None))?;
    let outcome = runtime.block_on(async {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
            .map_err(|error| Failure::new(exit::FAILED, &error, None))?;
        tokio::select! {
            output = future => Ok(output),
            _ = tokio::signal::ctrl_c() => Err(interrupted()),
            _ = terminate.recv() => Err(interrupted()),
        }
    });
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    outcome
}

fn interrupted() -> Failure {
    Failure {
        code: exit::FAILED,
        message: "interrupted".to_owned(),
        hint: Some("run the same command again to go on".to_owned()),
    }
}
