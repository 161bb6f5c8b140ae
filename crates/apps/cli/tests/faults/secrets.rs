//! Passwords are nowhere but in the connection: not in output, state files, or what other users see of a process.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use atalaya_sandbox::client_tools;

use crate::support::{Move, Ran};

/// Programs in place of the real ones, which write down what can be seen of them and then do their work.
fn recording_tools(folder: &Path, version: u16) -> PathBuf {
    let (tools, real) = (folder.join("tools"), client_tools(version).unwrap());
    std::fs::create_dir(&tools).unwrap();
    for program in ["pg_dump", "pg_restore"] {
        let script = format!(
            "#!/bin/sh\n{{ tr '\\0' ' ' < /proc/$$/cmdline; echo; echo \"PGPASSWORD=$PGPASSWORD\"; \
             if [ -n \"$PGPASSFILE\" ]; then echo \"mode $(stat -c %a \"$PGPASSFILE\")\"; fi; }} >> '{}'\n\
             exec '{}' \"$@\"\n",
            folder.join("seen").display(),
            real.join(program).display()
        );
        let path = tools.join(program);
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    tools
}

/// Every file below a folder, with its content.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.clone(), std::fs::read(path).unwrap()));
        }
    }
    found
}

fn holds(bytes: &[u8], secret: &str) -> bool {
    bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
}

/// The command lines of a process and of everything it started.
fn command_lines(pid: i32) -> Vec<Vec<u8>> {
    let mut lines = vec![std::fs::read(format!("/proc/{pid}/cmdline")).unwrap()];
    for task in std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten() {
        let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        lines.extend(children.split_whitespace().flat_map(|child| command_lines(child.parse().unwrap())));
    }
    lines
}

#[test]
fn no_password_is_in_output_in_state_files_or_in_the_arguments_of_a_process() {
    let shop = Move::between(15, 18);
    let folder = tempfile::tempdir().unwrap();
    let secrets = [shop.source.superuser().password(), shop.target.superuser().password()];
    let assert_hidden = |place: &str, bytes: &[u8]| {
        for secret in secrets {
            assert!(!holds(bytes, secret), "{place} holds a password");
        }
    };
    shop.source.run_sql("shop", "CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item VALUES (1)").unwrap();
    let tools = recording_tools(folder.path(), 18);
    let tools = ["--stop-when", "caught-up", "--client-tools", tools.to_str().unwrap()];
    let mut run =
        shop.spawn_with("start", &tools, &[("ATALAYA_FAILPOINT", "copy-begun:1:stop"), ("ATALAYA_LOG", "trace")]);
    run.wait_for_halt();
    let lines = command_lines(run.pid());
    assert!(lines.iter().any(|line| holds(line, "hold-snapshot")), "the holder was not looked at");
    for line in &lines {
        assert_hidden("a command line", line);
    }
    run.go_on();
    let mut outputs: Vec<Ran> = vec![run.wait()];
    assert_eq!(outputs[0].code, Some(0), "{}", outputs[0].stderr);
    assert!(outputs[0].stderr.contains("connected"), "nothing was logged: {}", outputs[0].stderr);
    // A conflict, its error, and what status says of it.
    shop.target.run_sql("shop", "INSERT INTO item VALUES (2)").unwrap();
    shop.source.run_sql("shop", "INSERT INTO item VALUES (2)").unwrap();
    outputs.push(shop.run("start", &["--stop-when", "caught-up"]));
    assert_eq!(outputs[1].code, Some(3), "{}", outputs[1].stderr);
    outputs.push(shop.run("status", &["--output", "json"]));
    for ran in &outputs {
        assert_hidden("stdout", ran.stdout.as_bytes());
        assert_hidden("stderr", ran.stderr.as_bytes());
    }
    let state = files(&shop.state);
    assert!(state.iter().any(|(path, _)| path.extension().is_some_and(|name| name == "dump")), "no dump was looked at");
    for (path, content) in state {
        assert_hidden(&path.display().to_string(), &content);
    }
    let seen = std::fs::read_to_string(folder.path().join("seen")).unwrap();
    assert!(seen.contains("--section=pre-data") && seen.contains("mode 600"), "{seen}");
    assert!(seen.lines().filter(|line| line.starts_with("PGPASSWORD=")).all(|line| line == "PGPASSWORD="), "{seen}");
    assert_hidden("what pg_dump was given", seen.as_bytes());
    let rows = shop.target.run_sql("shop", "SELECT string_agg(m::text, ' ') FROM atalaya.migration m").unwrap();
    assert_hidden("atalaya.migration", rows.as_bytes());
    assert_hidden("the source's log", shop.source.log_tail(10_000).as_bytes());
    assert_hidden("the target's log", shop.target.log_tail(10_000).as_bytes());
}
