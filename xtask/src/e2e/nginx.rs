//! A worker behind Debian's nginx with its default settings: WebSocket has to pass, and to last.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::roles::{Role, free, get, ready, start};
use super::{must, on_path};
use crate::write::target;

/// nginx gives up what is silent for 60 s. A worker without work says no more than its heartbeats, here as far
/// apart as they may be (15 s), and WebSocket's own pings.
const QUIET: Duration = Duration::from_secs(75);
/// How long anything else may take.
const SOON: Duration = Duration::from_secs(60);
/// A payload that nginx has to pass on in many pieces.
const LARGE: usize = 1_000_000;

/// nginx, taken out of Debian's package where it is missing: installed, it would be started as a service.
fn find() -> Result<PathBuf, String> {
    if let Some(found) = on_path("nginx") {
        return Ok(found);
    }
    let home = target().join("xtask-e2e/nginx");
    let nginx = home.join("usr/sbin/nginx");
    if nginx.is_file() {
        return Ok(nginx);
    }
    println!("e2e: nginx is missing: taking it out of Debian's package with apt-get and dpkg");
    std::fs::create_dir_all(&home).map_err(|error| format!("{}: {error}", home.display()))?;
    let taken = must(Command::new("apt-get").args(["update", "--quiet"])).and_then(|_| {
        must(Command::new("apt-get").args(["download", "--quiet", "nginx"]).current_dir(&home))
    });
    taken.map_err(|error| {
        format!("nginx cannot be had; put it on the path and try again: {error}")
    })?;
    let files = std::fs::read_dir(&home).map_err(|error| error.to_string())?;
    let mut files = files.filter_map(|file| Some(file.ok()?.path()));
    let package = files.find(|path| path.extension().is_some_and(|end| end == "deb"));
    let package = package.ok_or("apt-get has brought no package")?;
    must(Command::new("dpkg").arg("-x").args([&package, &home]))?;
    Ok(nginx)
}

/// Nothing but what a WebSocket needs of nginx: all times and sizes are its defaults.
fn configuration(home: &Path, listen: SocketAddr, to: SocketAddr) -> String {
    let home = home.display();
    format!(
        "pid {home}/nginx.pid;
error_log {home}/error.log;
events {{}}
http {{
    access_log {home}/access.log;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    server {{
        listen {listen};
        location / {{
            proxy_pass http://{to};
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection \"upgrade\";
        }}
    }}
}}
"
    )
}

fn begin(nginx: &Path, home: &Path) -> Result<Role, String> {
    let (config, log) = (home.join("nginx.conf"), home.join("error.log"));
    let args = ["-c", &config.display().to_string(), "-e", &log.display().to_string()]
        .map(str::to_owned)
        .into_iter()
        // In the foreground, and without children: it ends with what started it.
        .chain(["-g".to_owned(), "daemon off; master_process off;".to_owned()]);
    start(nginx, &args.collect::<Vec<_>>())
}

/// A worker behind nginx does its work, outlasts a time without any, and comes back when nginx does.
pub(super) fn run(moorline: &Path) -> Result<(), String> {
    let nginx = find()?;
    let home = tempfile::tempdir().map_err(|error| error.to_string())?;
    let [front, listen, admin, of_worker] = [free()?, free()?, free()?, free()?];
    let config = configuration(home.path(), front, listen);
    std::fs::write(home.path().join("nginx.conf"), config).map_err(|error| error.to_string())?;
    let running = begin(&nginx, home.path())?;
    let _coordinator = start(
        moorline,
        &[
            "coordinator".to_owned(),
            format!("--listen=ws://{listen}"),
            format!("--admin-listen={admin}"),
            "--lost-after=10m".to_owned(),
            "--store=memory".to_owned(),
        ],
    )?;
    let _worker = start(
        moorline,
        &[
            "worker".to_owned(),
            "--name=w1".to_owned(),
            format!("--coordinator=ws://{front}"),
            format!("--data-dir={}", home.path().join("w1").display()),
            format!("--health-listen={of_worker}"),
            "--handler=work=cat".to_owned(),
            "--heartbeat-interval=15s".to_owned(),
            "--heartbeat-timeout=45s".to_owned(),
        ],
    )?;
    ready(of_worker)?;
    echoes(moorline, admin, home.path(), LARGE)?;
    println!("e2e: a worker behind nginx has no work for {QUIET:?}");
    let until = Instant::now() + QUIET;
    while Instant::now() < until {
        std::thread::sleep(Duration::from_secs(5));
        let (status, said) = get(of_worker, "/readyz").map_err(|error| error.to_string())?;
        if status != 200 {
            return Err(format!("the worker behind nginx is not ready: {status} {said}"));
        }
    }
    let outages = "moorline_worker_disconnects_total";
    let (_, page) = get(of_worker, "/metrics").map_err(|error| error.to_string())?;
    let is_outage = |line: &str| line.starts_with(outages) && !line.ends_with(" 0");
    if let Some(line) = page.lines().find(|line| is_outage(line)) {
        return Err(format!("the worker behind nginx lost its connection: {line}"));
    }
    echoes(moorline, admin, home.path(), 1)?;
    drop(running);
    until_not_ready(of_worker)?;
    let _running = begin(&nginx, home.path())?;
    ready(of_worker)?;
    echoes(moorline, admin, home.path(), 1)?;
    println!(
        "e2e: a worker behind nginx outlasts a time without work, and comes back when nginx does"
    );
    Ok(())
}

/// Hands in a task of this size, and sees the same come back.
fn echoes(moorline: &Path, admin: SocketAddr, home: &Path, size: usize) -> Result<(), String> {
    let input = home.join("input");
    std::fs::write(&input, vec![b'x'; size]).map_err(|error| error.to_string())?;
    let output = must(
        Command::new(moorline)
            .args(["task", "submit", "work", "--wait", "--timeout=60s", "--json"])
            .arg(format!("--input-file={}", input.display()))
            .arg(format!("--server=http://{admin}")),
    )?;
    let task: serde_json::Value =
        serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    if task["state"] == "succeeded" && task["result_bytes"] == size {
        return Ok(());
    }
    Err(format!("{size} bytes did not come back: {task}"))
}

fn until_not_ready(at: SocketAddr) -> Result<(), String> {
    let until = Instant::now() + SOON;
    while Instant::now() < until {
        if get(at, "/readyz").is_ok_and(|(status, _)| status != 200) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err("the worker is ready without nginx".to_owned())
}
