//! Laws of latencies: `"20ms"`, `"1ms..20ms"`, or a table that names the law.

use super::form::{Form, Key};
use super::kind::{DAY, Kind, Refused};
use super::units;
use crate::plan::{Latency, MS};

/// What one looks like.
pub(super) const FORM: &str = "a latency such as \"20ms\", \"1ms..20ms\" or { law = \"bimodal\", fast = \"20ms\", slow = \"2s\", slow_share = 0.01 }";

/// No packet takes longer.
const LONGEST: u64 = 20 * 60_000 * MS;
const TIME: Kind = Kind::Time { min: 0, max: LONGEST };

const LAWS: &[&str] = &["fixed", "uniform", "exponential", "bimodal", "pareto"];

/// Of each law one, in the order of their names.
const EXAMPLES: [Latency; 5] = [
    Latency::Fixed { at: MS },
    Latency::Uniform { min: MS, max: 20 * MS },
    Latency::Exponential { min: MS, mean: 10 * MS, cap: 1_000 * MS },
    Latency::Bimodal { fast: 20 * MS, slow: 1_000 * MS, ppm: 10_000 },
    Latency::Pareto { min: MS, shape: 1_500, cap: 1_000 * MS },
];

/// The place of a law among them.
const fn place(latency: &Latency) -> usize {
    match latency {
        Latency::Fixed { .. } => 0,
        Latency::Uniform { .. } => 1,
        Latency::Exponential { .. } => 2,
        Latency::Bimodal { .. } => 3,
        Latency::Pareto { .. } => 4,
    }
}

/// The keys of its table.
pub(super) fn fields(form: &mut dyn Form, latency: &mut Latency) {
    let mut law = place(latency);
    form.put(Key::new("law", "How latencies are spread.").needed(), Kind::Word(LAWS), &mut law);
    if law != place(latency) {
        *latency = EXAMPLES[law];
    }
    match latency {
        Latency::Fixed { at } => form.put(Key::new("at", "Always this.").needed(), TIME, at),
        Latency::Uniform { min, max } => {
            form.put(Key::new("min", "The shortest.").needed(), TIME, min);
            form.put(Key::new("max", "The longest.").needed(), TIME, max);
        }
        Latency::Exponential { min, mean, cap } => {
            form.put(Key::new("min", "The shortest.").needed(), TIME, min);
            form.put(Key::new("mean", "On average.").needed(), TIME, mean);
            form.put(Key::new("cap", "The longest.").needed(), TIME, cap);
        }
        Latency::Bimodal { fast, slow, ppm } => {
            form.put(Key::new("fast", "The longest of the short ones.").needed(), TIME, fast);
            form.put(Key::new("slow", "The longest of the long ones.").needed(), TIME, slow);
            form.put(Key::new("slow_share", "How many are long.").needed(), Kind::Share, ppm);
        }
        Latency::Pareto { min, shape, cap } => {
            form.put(Key::new("min", "The shortest.").needed(), TIME, min);
            let shapes = Kind::Factor { min: 1, max: 1_000_000 };
            form.put(Key::new("shape", "The exponent of the tail.").needed(), shapes, shape);
            form.put(Key::new("cap", "The longest.").needed(), TIME, cap);
        }
    }
}

/// The text of a simple law.
pub(super) fn short(latency: &Latency) -> Option<String> {
    match latency {
        Latency::Fixed { at } => Some(format!("\"{}\"", units::time(*at))),
        Latency::Uniform { min, max } => {
            Some(format!("\"{}..{}\"", units::time(*min), units::time(*max)))
        }
        Latency::Exponential { .. } | Latency::Bimodal { .. } | Latency::Pareto { .. } => None,
    }
}

/// The law of a text.
pub(super) fn read_short(text: &str) -> Result<Latency, Refused> {
    let time = |text: &str| match units::quantity(text, units::TIME) {
        Ok(nanos) if nanos <= LONGEST => Ok(nanos),
        Ok(_) => Err(format!("{text} is longer than {}", units::time(LONGEST))),
        Err(_) => Err(format!("`{text}` is no time")),
    };
    let read = || match text.split_once("..") {
        Some((min, max)) => Ok(Latency::Uniform { min: time(min)?, max: time(max)? }),
        None => Ok(Latency::Fixed { at: time(text)? }),
    };
    read().map_err(|what: String| (what, format!("Write {FORM}.")))
}

/// The same, if it makes sense.
pub(super) fn checked(latency: Latency) -> Result<Latency, Refused> {
    let rising: &[(&str, u64)] = match &latency {
        Latency::Fixed { .. } => &[],
        Latency::Uniform { min, max } => &[("min", *min), ("max", *max)],
        Latency::Exponential { min, mean, cap } => &[("min", *min), ("mean", *mean), ("cap", *cap)],
        Latency::Bimodal { fast, slow, .. } => &[("fast", *fast), ("slow", *slow)],
        Latency::Pareto { min, cap, .. } => &[("min", *min), ("cap", *cap)],
    };
    for pair in rising.windows(2) {
        let [(low, least), (high, most)] = [pair[0], pair[1]];
        if least > most {
            let what = format!(
                "{low} is {}, which is longer than {high}: {}",
                units::time(least),
                units::time(most)
            );
            return Err((what, format!("Let {low} be at most {high}.")));
        }
    }
    debug_assert!(latency.max() <= DAY);
    Ok(latency)
}
