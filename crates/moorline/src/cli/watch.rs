//! `--watch`: a list again and again.

use std::io::IsTerminal;
use std::time::Duration;

use super::values::some_duration;
use super::{Outcome, output};

#[derive(clap::Args, Clone, Copy, Debug)]
pub(super) struct WatchArgs {
    /// Print it again every so long, 2s if not given, until interrupted.
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "2s", value_parser = some_duration)]
    watch: Option<Duration>,
}

impl WatchArgs {
    /// Prints it once, or again and again until that fails. A terminal shows the last one alone.
    pub(super) async fn run(self, mut print: impl AsyncFnMut() -> Outcome) -> Outcome {
        loop {
            if self.watch.is_some() && std::io::stdout().is_terminal() {
                output::bytes(b"\x1b[H\x1b[2J")?;
            }
            let exit = print().await?;
            let Some(pause) = self.watch else { return Ok(exit) };
            tokio::time::sleep(pause).await;
        }
    }
}
