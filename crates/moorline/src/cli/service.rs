//! `moorline service`: what an init system needs.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use super::{Context, Outcome, exit::Exit, output};
use crate::{Error, Result};

#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// Print a systemd unit, to be put into /etc/systemd/system or ~/.config/systemd/user.
    Unit(UnitArgs),
}

#[derive(clap::Args, Debug)]
pub(super) struct UnitArgs {
    /// What it runs.
    #[arg(value_enum)]
    role: Role,

    /// For a user's own systemd instead of the system's.
    #[arg(long)]
    user: bool,

    /// How systemd learns of a reload: notify-reload needs systemd 253; notify works with older ones.
    #[arg(long = "type", value_enum, value_name = "TYPE", default_value_t = Kind::NotifyReload)]
    kind: Kind,

    /// The command's path [default: that of this one].
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,

    /// What it is started with, behind `--` [default for a worker: the coordinator of this machine, and
    /// health on port 8742; for a coordinator: a store in its state directory].
    #[arg(last = true, value_name = "ARGUMENT")]
    arguments: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Role {
    /// A worker.
    Worker,
    /// A coordinator.
    Coordinator,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Kind {
    /// systemd 253 and newer.
    NotifyReload,
    /// Older ones.
    Notify,
}

/// Exit codes after which a restart cannot help, see docs and `exit`.
const PREVENT: &str = "2 5 73 74 76 77 78";

pub(super) async fn run(command: Command, context: Context) -> Outcome {
    match command {
        Command::Unit(args) => {
            let text = unit(&args)?;
            if context.json {
                output::json(&serde_json::json!({"unit": text}))?;
            } else {
                output::bytes(text.as_bytes())?;
            }
            Ok(Exit::Done)
        }
    }
}

fn unit(args: &UnitArgs) -> Result<String> {
    let binary = match &args.binary {
        Some(binary) => binary.clone(),
        None => std::env::current_exe().map_err(Error::Start)?,
    };
    if !binary.is_absolute() {
        return Err(Error::setting("binary", "systemd wants an absolute path"));
    }
    let role = match args.role {
        Role::Worker => "worker",
        Role::Coordinator => "coordinator",
    };
    let standard: &[&str] = match args.role {
        Role::Worker => &[
            "--coordinator=grpc://127.0.0.1:8740",
            "--data-dir=%S/moorline-worker",
            "--health-listen=127.0.0.1:8742",
        ],
        Role::Coordinator => &["--store=sqlite:%S/moorline-coordinator/moorline.db"],
    };
    // Specifiers of ours are to be replaced, those of a given argument are what it says.
    let arguments: Vec<String> = if args.arguments.is_empty() {
        standard.iter().map(|&argument| argument.to_owned()).collect()
    } else {
        args.arguments.iter().map(|argument| quoted(argument)).collect()
    };
    let mut text = format!(
        "# Written by `moorline service unit {role}`.\n\n[Unit]\nDescription=moorline {role}\n"
    );
    if !args.user {
        text += "Wants=network-online.target\nAfter=network-online.target\n";
    }
    // A coordinator that is away for an hour must not make systemd give up.
    text += "StartLimitIntervalSec=0\n\n[Service]\n";
    match args.kind {
        Kind::NotifyReload => text += "Type=notify-reload\n",
        Kind::Notify => text += "Type=notify\nExecReload=/bin/kill -HUP $MAINPID\n",
    }
    let binary = quoted(&binary.to_string_lossy());
    text += &format!("ExecStart={binary} {role} {}\n", arguments.join(" "));
    text += "NotifyAccess=main\n\
             # Fed only while the main loop turns.\n\
             WatchdogSec=30s\n\
             Restart=on-failure\n\
             RestartSec=1s\n\
             # Usage, conflict, in use, storage, versions, permission, configuration: not mended by a restart.\n";
    text += &format!("RestartPreventExitStatus={PREVENT}\n");
    text += "# A drain takes up to 30 s, and asks for more while it goes on.\n\
             TimeoutStopSec=45s\n\
             KillMode=mixed\n\
             LimitNOFILE=65536\n";
    text += &format!("StateDirectory=moorline-{role}\nStateDirectoryMode=0700\nUMask=0077\n");
    text += "NoNewPrivileges=yes\n\
             LockPersonality=yes\n\
             RestrictRealtime=yes\n\
             RestrictSUIDSGID=yes\n\
             SystemCallArchitectures=native\n";
    if !args.user {
        text += "DynamicUser=yes\n\
                 ProtectSystem=strict\n\
                 ProtectHome=yes\n\
                 PrivateTmp=yes\n\
                 PrivateDevices=yes\n\
                 ProtectClock=yes\n\
                 ProtectControlGroups=yes\n\
                 ProtectHostname=yes\n\
                 ProtectKernelLogs=yes\n\
                 ProtectKernelModules=yes\n\
                 ProtectKernelTunables=yes\n\
                 RestrictNamespaces=yes\n\
                 CapabilityBoundingSet=\n";
    }
    if args.role == Role::Coordinator {
        // A worker's handlers may be anything: just-in-time compilers, tools with other system calls.
        text += "MemoryDenyWriteExecute=yes\n\
                 RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX\n\
                 SystemCallFilter=@system-service\n";
    }
    let target = if args.user { "default.target" } else { "multi-user.target" };
    text += &format!("\n[Install]\nWantedBy={target}\n");
    Ok(text)
}

/// An argument as systemd reads it back: see systemd.service(5), Command lines.
fn quoted(argument: &str) -> String {
    let mut text = String::with_capacity(argument.len());
    for c in argument.chars() {
        match c {
            '%' => text += "%%",
            '$' => text += "$$",
            '"' => text += "\\\"",
            '\\' => text += "\\\\",
            '\n' => text += "\\n",
            c => text.push(c),
        }
    }
    let plain = |c: char| !(c.is_whitespace() || "\"'\\;".contains(c));
    if !argument.is_empty() && argument.chars().all(plain) { text } else { format!("\"{text}\"") }
}

#[cfg(test)]
mod tests;
