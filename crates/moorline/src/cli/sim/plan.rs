//! `moorline sim plan`.

use serde_json::json;

use super::drawing::Drawing;
use crate::cli::exit::Exit;
use crate::cli::{Context, Outcome, output};

#[derive(clap::Args, Debug)]
pub(in crate::cli) struct Args {
    /// Which seed.
    #[arg(long, value_name = "N")]
    seed: u64,

    #[command(flatten)]
    drawing: Drawing,
}

pub(super) fn run(args: &Args, context: Context) -> Outcome {
    let text = moorline_sim::scenario::to_text(&args.drawing.origin(args.seed).plan());
    if context.json {
        output::json(&json!({"seed": args.seed, "scenario": text}))?;
    } else {
        output::bytes(text.as_bytes())?;
    }
    Ok(Exit::Done)
}
