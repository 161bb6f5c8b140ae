//! Strikes, and says what shows that it happened.

use std::path::Path;
use std::time::{Duration, Instant};

use atalaya_sandbox::StopMode;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::kind::{End, Kind};
use crate::Error;
use crate::stage::Stage;

/// How long a killed process may take to be gone.
const GONE_LIMIT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(10);

/// Strikes; the evidence, or none where there was nothing to strike at. `run` is the program's process.
pub(crate) async fn strike(kind: Kind, stage: &Stage, run: Option<i32>) -> Result<Option<String>, Error> {
    match kind {
        Kind::Run => Ok(run.filter(|id| send_kill(*id)).map(|id| format!("process {id}"))),
        Kind::Holder => kill_holder(stage.folder.path()).await,
        Kind::Server(end) => {
            end.of(stage)
                .with(|server| {
                    let began = Instant::now();
                    server.kill()?;
                    server.start_again()?;
                    Ok(Some(format!(
                        "every process killed, answered again after {:.1} s",
                        began.elapsed().as_secs_f64()
                    )))
                })
                .await
        }
        Kind::Restart(end) => {
            end.of(stage)
                .with(|server| {
                    let began = Instant::now();
                    let how = if server.stop(StopMode::Fast).is_ok() {
                        "shut down"
                    } else {
                        "killed as it did not shut down"
                    };
                    server.kill()?;
                    server.start_again()?;
                    Ok(Some(format!("{how} and started, answered again after {:.1} s", began.elapsed().as_secs_f64())))
                })
                .await
        }
        Kind::Sessions(end) => end_sessions(stage, end).await,
        Kind::Cut(end) => Ok(counted(end.of(stage).proxy.hang_up(), "connections cut")),
        Kind::Silence(end) => Ok(counted(end.of(stage).proxy.freeze(), "connections silent")),
    }
}

/// Ends what a silence has left open: the network is back, and knows these connections no more.
pub(crate) fn wake(kind: Kind, stage: &Stage) {
    if let Kind::Silence(end) = kind {
        end.of(stage).proxy.reset_frozen();
    }
}

fn counted(count: usize, what: &str) -> Option<String> {
    (count > 0).then(|| format!("{count} {what}"))
}

fn send_kill(id: i32) -> bool {
    kill(Pid::from_raw(id), Signal::SIGKILL).is_ok()
}

/// Whether a process holds a snapshot for the copy.
pub(crate) fn has_holder(stage: &Stage) -> bool {
    holder(stage.folder.path()).is_some()
}

/// The holder is known by its argument and by the drill's folder, which it works in.
fn holder(folder: &Path) -> Option<i32> {
    let folder = folder.canonicalize().ok()?;
    std::fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let id: i32 = entry.file_name().to_str()?.parse().ok()?;
        let command = std::fs::read(entry.path().join("cmdline")).ok()?;
        let is_holder = command.split(|byte| *byte == 0).any(|word| word == b"hold-snapshot");
        (is_holder && std::fs::read_link(entry.path().join("cwd")).ok()? == folder).then_some(id)
    })
}

async fn kill_holder(folder: &Path) -> Result<Option<String>, Error> {
    let Some(id) = holder(folder).filter(|id| send_kill(*id)) else { return Ok(None) };
    let deadline = Instant::now() + GONE_LIMIT;
    while holder(folder) == Some(id) {
        if Instant::now() >= deadline {
            return Err(Error::Ended);
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(Some(format!("process {id} got signal 9, and is gone")))
}

async fn end_sessions(stage: &Stage, end: End) -> Result<Option<String>, Error> {
    let sql = "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
                WHERE application_name LIKE 'atalaya%' AND application_name NOT IN ('atalaya ledger', 'atalaya writer')";
    let count = end.of(stage).psql(sql).await?.trim().parse().unwrap_or_default();
    Ok(counted(count, "sessions ended by pg_terminate_backend"))
}
