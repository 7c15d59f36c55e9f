//! `moorline chaos`: what bad networks do, between real sockets.

mod change;
mod control;
pub(super) mod fuzzing;
mod proxy;
mod report;
mod script;
mod values;

use clap::Subcommand;

use super::{Context, Outcome};

#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// Pass connections on, and delay, lose, cut, corrupt or silence what goes through: by flags, by a
    /// script, or as one goes along.
    #[command(after_long_help = proxy::EXAMPLES)]
    Proxy(Box<proxy::Args>),
}

pub(super) async fn run(command: Command, context: Context) -> Outcome {
    match command {
        Command::Proxy(args) => proxy::run(*args, context).await,
    }
}

#[cfg(test)]
mod tests;
