//! Changes as scripts and requests write them, and as events tell them.

use std::num::NonZeroU64;
use std::time::Duration;

use moorline_chaos::{Change, Faults, Patch, Share, Ways};
use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::values::{bandwidth, bandwidth_text, latency, share, share_of, share_text, time_text};

/// Which ways are meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(super) enum WayWord {
    /// Both.
    #[default]
    Both,
    /// To the target.
    ToTarget,
    /// Back from it.
    Back,
}

impl From<WayWord> for Ways {
    fn from(word: WayWord) -> Self {
        match word {
            WayWord::Both => Self::Both,
            WayWord::ToTarget => Self::ToTarget,
            WayWord::Back => Self::Back,
        }
    }
}

/// The word of these ways.
pub(super) fn way_text(ways: Ways) -> &'static str {
    match ways {
        Ways::Both => "both",
        Ways::ToTarget => "to-target",
        Ways::Back => "back",
    }
}

/// What to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verb {
    Set,
    Cut,
    Reset,
    HalfOpen,
    OneWay,
    Heal,
}

impl Verb {
    pub(super) const ALL: [Self; 6] =
        [Self::Set, Self::Cut, Self::Reset, Self::HalfOpen, Self::OneWay, Self::Heal];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Cut => "cut",
            Self::Reset => "reset",
            Self::HalfOpen => "half-open",
            Self::OneWay => "one-way",
            Self::Heal => "heal",
        }
    }
}

/// What belongs to a verb: the way, and the faults that are set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Terms {
    pub(super) way: Option<WayWord>,
    #[serde(default, deserialize_with = "time")]
    pub(super) latency: Option<Duration>,
    #[serde(default, deserialize_with = "time")]
    pub(super) jitter: Option<Duration>,
    #[serde(default, deserialize_with = "part")]
    pub(super) loss: Option<Share>,
    #[serde(default, deserialize_with = "rate")]
    pub(super) bandwidth: Option<Option<NonZeroU64>>,
    #[serde(default, deserialize_with = "part")]
    pub(super) corrupt: Option<Share>,
    #[serde(default, deserialize_with = "part")]
    pub(super) reorder: Option<Share>,
    #[serde(default, deserialize_with = "part")]
    pub(super) duplicate: Option<Share>,
}

impl Terms {
    /// The faults that are set.
    pub(super) fn patch(self) -> Patch {
        let Self { way: _, latency, jitter, loss, bandwidth, corrupt, reorder, duplicate } = self;
        Patch { latency, jitter, loss, bandwidth, corrupt, reorder, duplicate }
    }

    /// The change that a verb with these terms is.
    pub(super) fn change(self, verb: Verb) -> Result<Change, String> {
        let patch = self.patch();
        let none = patch == Patch::default();
        let word = verb.word();
        match verb {
            Verb::Set if none => Err("nothing is set: name a fault, such as latency".to_owned()),
            Verb::Set => Ok(Change::Set { ways: self.way.unwrap_or_default().into(), patch }),
            _ if !none => Err(format!("{word} sets no faults: that is what set is for")),
            Verb::OneWay => match self.way {
                Some(WayWord::ToTarget) => Ok(Change::Silence(Ways::ToTarget)),
                Some(WayWord::Back) => Ok(Change::Silence(Ways::Back)),
                Some(WayWord::Both) | None => {
                    Err("one-way needs the way that is silent: to-target or back".to_owned())
                }
            },
            _ if self.way.is_some() => Err(format!("{word} is about both ways")),
            Verb::Cut => Ok(Change::Cut),
            Verb::Reset => Ok(Change::Reset),
            Verb::HalfOpen => Ok(Change::Silence(Ways::Both)),
            Verb::Heal => Ok(Change::Heal),
        }
    }
}

pub(super) fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(from)?;
    latency(&text).map(Some).map_err(D::Error::custom)
}

#[expect(clippy::option_option, reason = "a limit that is taken away is not one that stays")]
pub(super) fn rate<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Option<NonZeroU64>>, D::Error> {
    let text = String::deserialize(from)?;
    bandwidth(&text).map(Some).map_err(D::Error::custom)
}

pub(super) fn part<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Share>, D::Error> {
    from.deserialize_any(ShareText).map(Some)
}

/// A share as a text or as a number.
struct ShareText;

impl Visitor<'_> for ShareText {
    type Value = Share;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a share such as \"1%\" or 0.01")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Share, E> {
        share(text).map_err(E::custom)
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Share, E> {
        share_of(number).ok_or_else(|| E::custom(format!("{number} is not from 0 to 1")))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Share, E> {
        match number {
            0 => Ok(Share::NONE),
            1 => Ok(Share::ALL),
            _ => Err(E::custom(format!("{number} is not from 0 to 1"))),
        }
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Share, E> {
        self.visit_u64(number.try_into().unwrap_or(u64::MAX))
    }
}

/// A change as it is told: `do`, `way` and what is set.
pub(super) fn told(change: Change) -> Map<String, Value> {
    let mut told = Map::new();
    let (verb, way) = match change {
        Change::Set { ways, .. } => (Verb::Set, Some(ways)),
        Change::Cut => (Verb::Cut, None),
        Change::Reset => (Verb::Reset, None),
        Change::Silence(Ways::Both) => (Verb::HalfOpen, None),
        Change::Silence(way) => (Verb::OneWay, Some(way)),
        Change::Heal => (Verb::Heal, None),
    };
    told.insert("do".into(), verb.word().into());
    if let Some(ways) = way {
        told.insert("way".into(), way_text(ways).into());
    }
    if let Change::Set { patch, .. } = change {
        let share = |share: Option<Share>| share.map(share_text);
        let all = [
            ("latency", patch.latency.map(time_text)),
            ("jitter", patch.jitter.map(time_text)),
            ("loss", share(patch.loss)),
            ("bandwidth", patch.bandwidth.map(bandwidth_text)),
            ("corrupt", share(patch.corrupt)),
            ("reorder", share(patch.reorder)),
            ("duplicate", share(patch.duplicate)),
        ];
        for (name, value) in all {
            if let Some(value) = value {
                told.insert(name.into(), value.into());
            }
        }
    }
    told
}

/// All faults of a way, as they are told.
pub(super) fn faults(faults: Faults) -> Map<String, Value> {
    let Faults { latency, jitter, loss, bandwidth, corrupt, reorder, duplicate } = faults;
    let patch = Patch {
        latency: Some(latency),
        jitter: Some(jitter),
        loss: Some(loss),
        bandwidth: Some(bandwidth),
        corrupt: Some(corrupt),
        reorder: Some(reorder),
        duplicate: Some(duplicate),
    };
    let mut told = told(Change::Set { ways: Ways::Both, patch });
    told.remove("do");
    told.remove("way");
    told
}
