//! How the worlds of seeds are drawn: the same options for every command.

use clap::ValueEnum;
use moorline_sim::{Families, Family, Moment, Origin};

/// What may go wrong in a world that a seed makes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(super) enum Mode {
    /// What networks, machines and people do: every promise holds.
    #[default]
    Honest,
    /// Also what they never should.
    Hostile,
}

/// How large a world is that a seed makes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(super) enum Size {
    /// Up to 64 workers and ten minutes of faults.
    #[default]
    Usual,
    /// Up to 4 workers and half a minute of faults: more than ten for one of the others.
    Brief,
}

/// How the worlds of seeds are drawn.
#[derive(clap::Args, Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Drawing {
    /// What may go wrong in the world of a seed: honest, or hostile for what networks and disks never
    /// should do.
    #[arg(long, value_enum, value_name = "MODE", default_value_t = Mode::Honest)]
    #[arg(hide_possible_values = true)]
    mode: Mode,

    /// How large the world of a seed is: usual, or brief for a few workers and half a minute.
    #[arg(long, value_enum, value_name = "SIZE", default_value_t = Size::Usual)]
    #[arg(hide_possible_values = true)]
    size: Size,

    /// Only faults of these families, such as partition,crash: ids or names as in docs/simulation.md.
    /// A seed makes another world then.
    #[arg(long, value_name = "FAMILY", value_delimiter = ',', value_parser = family)]
    only: Vec<Family>,

    /// Draw many faults, every second of which waits for this step of the protocol, such as result. A seed
    /// makes another world then.
    #[arg(long, value_name = "STEP", value_parser = moment)]
    at: Option<Moment>,
}

/// The options of [`Drawing`], for what conflicts with them.
pub(super) const OPTIONS: [&str; 4] = ["mode", "size", "only", "at"];

impl Drawing {
    /// Where the world of a seed comes from.
    pub(super) fn origin(&self, seed: u64) -> Origin {
        Origin {
            mode: match self.mode {
                Mode::Honest => moorline_sim::Mode::Honest,
                Mode::Hostile => moorline_sim::Mode::Hostile,
            },
            size: match self.size {
                Size::Usual => moorline_sim::Size::Usual,
                Size::Brief => moorline_sim::Size::Brief,
            },
            only: self.only.iter().fold(Families::NONE, |some, family| some.with(*family)),
            at: self.at,
            ..Origin::new(seed)
        }
    }

    /// What has to stand behind seeds so that they are drawn like this; begins with a space if it is
    /// anything.
    pub(super) fn flags(&self) -> String {
        let (seed, origin) = (format!("--seed {}", 0), self.origin(0).to_string());
        origin.strip_prefix(&seed).unwrap_or_default().to_owned()
    }
}

/// The name of a family as it is typed: `half-open`.
pub(super) fn typed(family: Family) -> String {
    family.title().replace(' ', "-")
}

pub(super) fn family(text: &str) -> Result<Family, String> {
    let word = text.trim().to_ascii_lowercase();
    let all = Family::ALL.iter().copied();
    let is_it =
        |family: &Family| family.name().eq_ignore_ascii_case(&word) || typed(*family) == word;
    all.clone().find(is_it).ok_or_else(|| {
        let names: Vec<_> =
            all.map(|family| format!("{} {}", family.name(), typed(family))).collect();
        format!("there is no such family; there are {}", names.join(", "))
    })
}

fn moment(text: &str) -> Result<Moment, String> {
    let word = text.trim().to_ascii_lowercase();
    Moment::ALL.into_iter().find(|moment| moment.name() == word).ok_or_else(|| {
        format!("there is no such step; there are {}", Moment::ALL.map(Moment::name).join(", "))
    })
}

#[cfg(test)]
mod tests;
