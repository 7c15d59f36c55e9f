//! The `moorline` command: data on stdout, messages on stderr, exit codes from one table.

mod bench;
mod cert;
#[cfg(feature = "chaos")]
mod chaos;
mod check;
mod config;
mod confirm;
mod conformance;
mod contexts;
mod coordinator;
mod demo;
mod dev;
mod event;
mod exit;
mod explain;
mod files;
mod global;
mod hash_file;
mod logs;
mod outcomes;
mod output;
mod progress;
mod server;
mod service;
mod shell;
mod signals;
#[cfg(feature = "sim")]
mod sim;
mod systemd;
mod task;
mod tls;
pub(crate) mod values;
mod version;
mod watch;
mod worker;

#[cfg(feature = "chaos")]
pub use chaos::fuzzing::chaos_script;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::Error;
use crate::config::Sources;
use exit::Exit;
use global::{Format, GlobalArgs};
use logs::LogSettings;

/// Keeps distributed workers moored to their coordinator.
#[derive(Parser, Debug)]
#[command(name = "moorline", version, propagate_version = false, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    global: GlobalArgs,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run a coordinator: it takes tasks, leases them to workers and applies each result once.
    Coordinator(Box<coordinator::Args>),
    /// Run a worker, or look at workers.
    #[command(visible_alias = "agent")]
    Worker(Box<worker::Args>),
    /// Submit tasks, look at them, wait for them.
    #[command(subcommand)]
    Task(task::Command),
    /// See what happened, and what happens.
    #[command(subcommand)]
    Event(event::Command),
    /// Certificates for workers and coordinators: a small private authority.
    #[command(subcommand)]
    Cert(cert::Command),
    /// Begin a configuration, check it, show it, and say what its times mean.
    #[command(subcommand)]
    Config(config::Command),
    /// Run a coordinator and one worker in one process, with a temporary store, to try things out.
    Dev(dev::Args),
    /// Hash the files of a directory while processes are killed and connections cut, and check that
    /// every result was applied once.
    Demo(demo::Args),
    /// Look at a coordinator, a worker or all workers as a monitoring plugin: exit code 0 ok, 1 warning,
    /// 2 critical, 3 unknown.
    Check(check::Args),
    /// Judge a worker or a coordinator of any make by what it says on the wire.
    #[command(subcommand)]
    Conformance(conformance::Command),
    /// Names for coordinators.
    #[command(subcommand)]
    Context(contexts::Command),
    /// Say what a code or a reason means, when it happens and what to do.
    Explain(explain::Args),
    /// Run whole fleets in virtual time, where everything goes wrong that can, and see whether every
    /// promise is kept.
    #[cfg(feature = "sim")]
    #[command(subcommand)]
    Sim(sim::Command),
    /// Do to real connections what bad networks do.
    #[cfg(feature = "chaos")]
    #[command(subcommand)]
    Chaos(chaos::Command),
    /// Print what an init system needs: systemd units.
    #[command(subcommand)]
    Service(service::Command),
    /// Print the versions of the software, of the protocol, of the store's schema and of SQLite; with
    /// --server or --context also those of that coordinator.
    Version(version::Args),
    /// Print what makes a shell complete commands and flags.
    Completion(shell::CompletionArgs),
    /// Print the manual page, or write the pages of all commands.
    Man(shell::ManArgs),
    /// Hash the file whose path is on stdin: the demo's handler.
    #[command(hide = true)]
    HashFile(hash_file::Args),
    /// Measure from outside, beside other systems.
    #[command(hide = true, subcommand)]
    Bench(bench::Command),
}

/// What every command needs to know.
#[derive(Clone, Copy, Debug)]
struct Context {
    /// Print data as JSON.
    json: bool,
    /// How data is printed.
    format: Format,
    /// How it logs, if it reads no configuration.
    log: LogSettings,
    /// Yes to everything that would be asked.
    yes: bool,
    /// Nothing may be asked.
    no_input: bool,
}

/// What a command ends with.
type Outcome = Result<Exit, Error>;

/// Runs the command this process was started with.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are data and no errors; clap knows which is which. A closed stdout
            // has nobody to tell.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Done }.into();
        }
    };
    let context = cli.global.context();
    global::set_look(cli.global.look());
    let sources = cli.global.sources();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output::failed(&Error::Start(error), context.json).into(),
    };
    let outcome = runtime.block_on(run(cli.command, sources, context));
    // Handlers that block a thread are not waited for.
    runtime.shutdown_timeout(Duration::from_millis(500));
    let exit = outcome.unwrap_or_else(|error| output::failed(&error, context.json));
    logs::flush();
    exit.into()
}

async fn run(command: Command, sources: Sources, context: Context) -> Outcome {
    match command {
        Command::Coordinator(args) => coordinator::run(*args, sources, context).await,
        Command::Worker(args) => worker::run(*args, sources, context).await,
        Command::Config(command) => config::run(command, &sources, context),
        Command::Task(command) => {
            logs::for_client(context.log);
            task::run(command, context).await
        }
        Command::Event(command) => {
            logs::for_client(context.log);
            event::run(command, context).await
        }
        Command::Dev(args) => {
            logs::for_server(context.log);
            dev::run(args, context).await
        }
        Command::Demo(args) => {
            logs::for_demo(context.log);
            demo::run(args, context).await
        }
        Command::Check(args) => {
            logs::for_client(context.log);
            check::run(args).await
        }
        Command::Cert(command) => cert::run(command, context),
        Command::Conformance(command) => {
            logs::for_client(context.log);
            conformance::run(command, context).await
        }
        Command::Context(command) => contexts::run(command, context),
        Command::Completion(args) => shell::completion(&args),
        Command::Man(args) => shell::man(&args),
        Command::Explain(args) => explain::run(&args, context),
        #[cfg(feature = "sim")]
        Command::Sim(command) => sim::run(command, context),
        #[cfg(feature = "chaos")]
        Command::Chaos(command) => {
            logs::for_client(context.log);
            chaos::run(command, context).await
        }
        Command::Service(command) => {
            logs::for_client(context.log);
            service::run(command, context).await
        }
        Command::Version(args) => {
            logs::for_client(context.log);
            version::run(args, context).await
        }
        Command::HashFile(args) => hash_file::run(args).await,
        Command::Bench(command) => {
            logs::for_demo(context.log);
            bench::run(command).await
        }
    }
}

#[cfg(test)]
mod tests;
