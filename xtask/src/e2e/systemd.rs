//! The printed units, as systemd reads them.

use std::path::Path;
use std::process::Command;

use super::{must, on_path};

/// The first systemd with `Type=notify-reload`.
const NOTIFY_RELOAD: u32 = 253;

/// `systemd-analyze verify` of all units. Where there is no systemd, that is said: the units' grammar
/// and settings are tested without it too.
pub(super) fn verify(moorline: &Path) -> Result<(), String> {
    let Some(analyze) = on_path("systemd-analyze") else {
        println!("e2e: no systemd-analyze here: the units are not verified");
        return Ok(());
    };
    let version = must(Command::new(&analyze).arg("--version"))?;
    let version = String::from_utf8_lossy(&version.stdout);
    let version: u32 = version
        .split(' ')
        .nth(1)
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| format!("systemd-analyze has no version: {version}"))?;
    let kind = if version >= NOTIFY_RELOAD { "notify-reload" } else { "notify" };
    println!("e2e: systemd {version}: verifying units of type {kind}");
    let home = tempfile::tempdir().map_err(|error| error.to_string())?;
    for role in ["worker", "coordinator"] {
        for user in [false, true] {
            let mut print = Command::new(moorline);
            print.args(["service", "unit", role, "--type", kind]);
            if user {
                print.arg("--user");
            }
            let unit = must(&mut print)?.stdout;
            let file = home.path().join(format!("moorline-{role}.service"));
            std::fs::write(&file, unit).map_err(|error| error.to_string())?;
            let mut verify = Command::new(&analyze);
            verify.arg("verify").arg("--man=no").arg(if user { "--user" } else { "--system" });
            // A user's systemd wants to know where its sockets would be.
            verify.env("XDG_RUNTIME_DIR", home.path());
            let output = must(verify.arg(&file))?;
            let said = String::from_utf8_lossy(&output.stderr);
            // What it says of units that are not ours is not ours to mend.
            let ours: Vec<_> = said.lines().filter(|line| line.contains("moorline")).collect();
            if !ours.is_empty() {
                return Err(format!("moorline-{role}.service: {}", ours.join("\n")));
            }
        }
    }
    Ok(())
}
