//! `moorline sim plan`.

use serde_json::json;

use super::source::Mode;
use crate::cli::exit::Exit;
use crate::cli::{Context, Outcome, output};

#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    /// Which seed.
    #[arg(long, value_name = "N")]
    seed: u64,

    /// What may go wrong: honest, or hostile for what networks and disks never should do.
    #[arg(long, value_enum, value_name = "MODE", default_value_t = Mode::Honest)]
    #[arg(hide_possible_values = true)]
    mode: Mode,
}

pub(super) fn run(args: &Args, context: Context) -> Outcome {
    let text = moorline_sim::scenario::to_text(&args.mode.plan(args.seed));
    if context.json {
        output::json(&json!({"seed": args.seed, "scenario": text}))?;
    } else {
        output::bytes(text.as_bytes())?;
    }
    Ok(Exit::Done)
}
