//! The figures of all rounds as a table of docs/performance.md.

use std::fmt::Write as _;

use serde_json::Value;

/// What one peer did in one round.
#[derive(Clone, Copy, Debug)]
pub(in crate::bench) struct Turn {
    /// Whole tasks per second.
    pub(in crate::bench) per_second: f64,
    /// The middle latency, in microseconds.
    pub(in crate::bench) p50: f64,
    /// In microseconds.
    pub(in crate::bench) p99: f64,
}

impl Turn {
    /// From the object in which the side that measures prints its figures.
    pub(in crate::bench) fn read(figures: &str) -> Result<Self, Box<dyn std::error::Error>> {
        let figures: Value = serde_json::from_str(figures)?;
        let figure =
            |name: &str| figures[name].as_f64().ok_or_else(|| format!("no {name}: {figures}"));
        let (p50, p99) = (figure("p50_us")?, figure("p99_us")?);
        Ok(Self { per_second: figure("tasks_per_s")?, p50, p99 })
    }
}

/// So many of the peers, the first ones, are ours.
const OURS: usize = 2;

/// Medians of all rounds, and ratios of ours to each peer in the same round. A round has one turn of each
/// of `names`, in their order. With many in flight ratios are of tasks per second, more is better; of a
/// lone task they are of p50, less is better.
pub(super) fn text(window: u32, names: &[&str], rounds: &[&[Turn]]) -> String {
    let alone = window == 1;
    let (what, of): (_, fn(&Turn) -> f64) =
        if alone { ("p50", |turn| turn.p50) } else { ("tasks/s", |turn| turn.per_second) };
    let count = rounds.len();
    let plural = if count == 1 { "" } else { "s" };
    let mut text =
        format!("| {window} in flight, {count} round{plural} | tasks/s | p50 / p99 us |");
    for ours in &names[..OURS] {
        let _ = write!(text, " {what} of {ours} to its |");
    }
    text.push_str("\n| --- | ---: | ---: |");
    text.push_str(&" ---: |".repeat(OURS));
    for (place, name) in names.iter().enumerate() {
        let all = |of: fn(&Turn) -> f64| median(rounds.iter().map(|round| of(&round[place])));
        let (per_second, p50, p99) =
            (all(|turn| turn.per_second), all(|turn| turn.p50), all(|turn| turn.p99));
        let (per_second, p50, p99) = (grouped(per_second), grouped(p50), grouped(p99));
        let _ = write!(text, "\n| {name} | {per_second} | {p50} / {p99} |");
        for ours in 0..OURS {
            let ratio = median(rounds.iter().map(|round| of(&round[ours]) / of(&round[place])));
            let _ = write!(text, " {ratio:.2} |");
        }
    }
    text.push('\n');
    text
}

/// The middle one; of an even number the larger of the two.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A whole number with its thousands apart.
pub(in crate::bench) fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
