//! What values a key takes: each is a whole number, and a text that people write for it.

use toml::de::DeValue;

use super::units::{self, Wrong};
use super::words::meant;

/// What a value is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A time in nanoseconds.
    Time {
        /// The shortest.
        min: u64,
        /// The longest.
        max: u64,
    },
    /// A time in milliseconds, either way.
    Shift,
    /// Bytes.
    Size {
        /// The fewest.
        min: u64,
        /// The most.
        max: u64,
    },
    /// Bytes a second, at least 1.
    Rate,
    /// A whole number.
    Count {
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// A share of all, in millionths.
    Share,
    /// A factor, in thousandths.
    Factor {
        /// The smallest.
        min: u64,
        /// The largest.
        max: u64,
    },
    /// `true` or `false`.
    Flag,
    /// One of these words, by its place.
    Word(&'static [&'static str]),
    /// One of those that these are the names of, by its place.
    Named(fn(usize) -> Option<String>),
    /// 64 bits.
    Bits,
    /// A worker: `w3`.
    Worker,
    /// A task: `t3`.
    Task,
    /// The coordinator, or a worker: its number and one.
    Node,
    /// Some workers: a bit for each.
    Workers,
}

/// What the coordinator is called.
pub(super) const COORDINATOR: &str = "coordinator";

/// What is wrong with a value, and what to do.
pub(super) type Refused = (String, String);

/// How many workers and tasks there may be: names beyond that are none.
pub(super) const WORKERS_MAX: usize = crate::Workers::MAX;
/// See [`WORKERS_MAX`].
pub(super) const TASKS_MAX: usize = 10_000;

impl Kind {
    /// Any time up to a day.
    pub(super) const TIME: Self = Self::Time { min: 0, max: DAY };
    /// Any time but none, up to a day.
    pub(super) const SOME_TIME: Self = Self::Time { min: 1, max: DAY };

    /// A whole number up to this.
    pub(super) const fn up_to(max: i64) -> Self {
        Self::Count { min: 0, max }
    }

    /// A value as the file writes it.
    pub(super) fn show(self, value: i128) -> String {
        let positive = u64::try_from(value).unwrap_or(0);
        match self {
            Self::Time { .. } => quoted(&units::time(positive)),
            Self::Shift => {
                let sign = if value < 0 { "-" } else { "" };
                let millis = u64::try_from(value.unsigned_abs()).unwrap_or(u64::MAX);
                quoted(&format!("{sign}{}", units::time(millis.saturating_mul(MILLI))))
            }
            Self::Size { .. } => quoted(&units::size(positive)),
            Self::Rate => quoted(&units::rate(positive)),
            Self::Count { .. } => value.to_string(),
            Self::Share => with_point(units::decimal(positive, 1_000_000)),
            Self::Factor { .. } => with_point(units::decimal(positive, 1_000)),
            Self::Flag => (value != 0).to_string(),
            Self::Word(words) => {
                let place = usize::try_from(value).unwrap_or(usize::MAX);
                quoted(words.get(place).copied().unwrap_or_default())
            }
            Self::Named(name) => {
                let place = usize::try_from(value).unwrap_or(usize::MAX);
                quoted(&name(place).unwrap_or_default())
            }
            // Numbers beyond these are none in TOML.
            Self::Bits if positive <= i64::MAX as u64 => positive.to_string(),
            Self::Bits => quoted(&format!("0x{positive:016x}")),
            Self::Worker => quoted(&format!("w{value}")),
            Self::Task => quoted(&format!("t{value}")),
            Self::Node => quoted(&node(value)),
            Self::Workers => {
                let workers = crate::Workers::from_bits(positive);
                if workers == crate::Workers::ALL {
                    return quoted(ALL);
                }
                let names: Vec<_> = workers.iter().map(|worker| format!("\"w{worker}\"")).collect();
                format!("[{}]", names.join(", "))
            }
        }
    }

    /// What the file says, as a number. Workers and tasks need not be there for that.
    pub(super) fn read(self, value: &DeValue<'_>) -> Result<i128, Refused> {
        match (self, value) {
            (Self::Time { min, max }, DeValue::String(text)) => {
                let nanos = units::quantity(text, units::TIME);
                let nanos = nanos.map_err(|wrong| told(text, &wrong, self))?;
                within(nanos, min, max, text, units::time)
            }
            (Self::Shift, DeValue::String(text)) => {
                let (sign, rest) = match text.strip_prefix('-') {
                    Some(rest) => (-1, rest),
                    None => (1, &text[..]),
                };
                let nanos = units::quantity(rest, units::TIME);
                let nanos = nanos.map_err(|wrong| told(text, &wrong, self))?;
                if !nanos.is_multiple_of(MILLI) {
                    return Err(told(text, &Wrong::TooFine, self));
                }
                within(nanos, 0, 3_650 * DAY, text, units::time)?;
                Ok(sign * i128::from(nanos / MILLI))
            }
            (Self::Size { min, max }, DeValue::String(text)) => {
                let bytes = units::quantity(text, units::SIZE);
                let bytes = bytes.map_err(|wrong| told(text, &wrong, self))?;
                within(bytes, min, max, text, units::size)
            }
            (Self::Rate, DeValue::String(text)) => {
                let Some(bytes) = text.strip_suffix("/s") else {
                    return Err(told(text, &Wrong::NoUnit, self));
                };
                let bytes = units::quantity(bytes, units::SIZE);
                let bytes = bytes.map_err(|wrong| told(text, &wrong, self))?;
                within(bytes, 1, 1_000_000_000_000, text, units::rate)
            }
            (Self::Count { min, max }, DeValue::Integer(_)) => match integer(value) {
                Some(number) if (i128::from(min)..=i128::from(max)).contains(&number) => Ok(number),
                Some(_) | None => Err((
                    format!("it is {}, and has to be from {min} to {max}", plain(value)),
                    String::from("Write a number between the two."),
                )),
            },
            (Self::Share, DeValue::Float(_) | DeValue::Integer(_)) => {
                fraction(value, 1_000_000, 0, 1_000_000).ok_or_else(|| {
                    (
                        format!("{} is no share of all", plain(value)),
                        String::from("Write a number from 0 to 1 with up to six places: 0.01 is one of a hundred."),
                    )
                })
            }
            (Self::Factor { min, max }, DeValue::Float(_) | DeValue::Integer(_)) => {
                fraction(value, 1_000, min, max).ok_or_else(|| {
                    let [min, max] = [min, max].map(|bound| units::decimal(bound, 1_000));
                    (
                        format!("{} is not a factor from {min} to {max}", plain(value)),
                        String::from("Write a number with up to three places, such as 2.0."),
                    )
                })
            }
            (Self::Flag, DeValue::Boolean(flag)) => Ok((*flag).into()),
            (Self::Word(words), DeValue::String(text)) => {
                let place = words.iter().position(|word| word == text);
                place.and_then(|place| i128::try_from(place).ok()).ok_or_else(|| {
                    let hint = meant(text, words.iter().copied());
                    (
                        format!("there is no `{text}`{hint}"),
                        format!("Write one of {}.", words.join(", ")),
                    )
                })
            }
            (Self::Named(name), DeValue::String(text)) => {
                let names = all_names(name);
                let place = names.iter().position(|name| name == text);
                place.and_then(|place| i128::try_from(place).ok()).ok_or_else(|| {
                    let hint = meant(text, names.iter().map(String::as_str));
                    (
                        format!("there is no `{text}`{hint}"),
                        format!("Write one of {}.", names.join(", ")),
                    )
                })
            }
            (Self::Bits, DeValue::Integer(_)) => {
                let number = integer(value).filter(|number| u64::try_from(*number).is_ok());
                number.ok_or_else(|| {
                    (
                        format!("{} is not within 0 and 18446744073709551615", plain(value)),
                        String::from("Write a whole number."),
                    )
                })
            }
            (Self::Bits, DeValue::String(text)) => {
                let bits = text.strip_prefix("0x").map(|digits| u64::from_str_radix(digits, 16));
                match bits {
                    Some(Ok(bits)) => Ok(bits.into()),
                    Some(Err(_)) | None => Err((
                        format!("`{text}` is no number"),
                        String::from("Write a whole number, or a string such as \"0x1f\"."),
                    )),
                }
            }
            (Self::Worker, DeValue::String(text)) => named(text, "w", WORKERS_MAX),
            (Self::Task, DeValue::String(text)) => named(text, "t", TASKS_MAX),
            (Self::Node, DeValue::String(text)) if text == COORDINATOR => Ok(0),
            (Self::Node, DeValue::String(text)) => {
                named(text, "w", WORKERS_MAX).map(|worker| worker + 1).map_err(|(what, _)| {
                    (what, String::from("Write \"coordinator\", or a worker such as \"w0\"."))
                })
            }
            (Self::Workers, DeValue::String(text)) if text == ALL => {
                Ok(crate::Workers::ALL.bits().into())
            }
            (Self::Workers, DeValue::Array(items)) => {
                let mut workers = crate::Workers::NONE;
                for item in items {
                    let worker = Self::Worker.read(item.get_ref())?;
                    workers = workers.with(usize::try_from(worker).unwrap_or(usize::MAX));
                }
                Ok(workers.bits().into())
            }
            _ => Err((
                format!("it is {}, and has to be {}", article(value), self.form()),
                format!("Write {}.", self.form()),
            )),
        }
    }

    /// What its values look like.
    pub(super) fn form(self) -> String {
        match self {
            Self::Time { .. } => "a time such as \"12.5s\" or \"20ms\"".into(),
            Self::Shift => "a time such as \"90s\" or \"-3d\"".into(),
            Self::Size { .. } => "a size such as \"128KiB\" or \"300B\"".into(),
            Self::Rate => "a rate such as \"1MB/s\"".into(),
            Self::Count { min, max } => format!("a whole number from {min} to {max}"),
            Self::Share => "a share from 0 to 1, such as 0.01".into(),
            Self::Factor { .. } => "a factor such as 2.0".into(),
            Self::Flag => "true or false".into(),
            Self::Word(words) => format!("one of \"{}\"", words.join("\", \"")),
            Self::Named(name) => format!("one of \"{}\"", all_names(name).join("\", \"")),
            Self::Bits => "a whole number, or a string such as \"0x1f\"".into(),
            Self::Worker => "a worker such as \"w0\"".into(),
            Self::Task => "a task such as \"t0\"".into(),
            Self::Node => "\"coordinator\" or a worker such as \"w0\"".into(),
            Self::Workers => "workers such as [\"w0\", \"w2\"], or \"all\"".into(),
        }
    }
}

/// All names that there are.
fn all_names(name: fn(usize) -> Option<String>) -> Vec<String> {
    (0..).map_while(name).collect()
}

/// How the variant of an enum is called in files: `StoreForgets` is `store-forgets`.
pub(super) fn kebab(variant: impl std::fmt::Debug) -> String {
    let mut name = String::new();
    for c in format!("{variant:?}").chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}

/// A day in nanoseconds.
pub(super) const DAY: u64 = 86_400_000_000_000;
const MILLI: u64 = 1_000_000;
const ALL: &str = "all";

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

fn with_point(number: String) -> String {
    if number.contains('.') { number } else { format!("{number}.0") }
}

/// A node by its number.
pub(super) fn node(value: i128) -> String {
    if value == 0 { COORDINATOR.to_owned() } else { format!("w{}", value - 1) }
}

fn named(text: &str, prefix: &str, most: usize) -> Result<i128, Refused> {
    let digits = text.strip_prefix(prefix).filter(|digits| {
        let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        is_plain && !digits.is_empty() && (*digits == "0" || !digits.starts_with('0'))
    });
    let number = digits.and_then(|digits| digits.parse::<usize>().ok());
    match number {
        Some(number) if number < most => Ok(number as i128),
        Some(_) => Err((
            format!("`{text}` is too many"),
            format!("The last one there can be is \"{prefix}{}\".", most - 1),
        )),
        None => Err((
            format!("`{text}` is no name"),
            format!("Write \"{prefix}0\", \"{prefix}1\" and so on."),
        )),
    }
}

/// A TOML integer, in whatever notation.
fn integer(value: &DeValue<'_>) -> Option<i128> {
    let number = value.as_integer()?;
    i128::from_str_radix(number.as_str(), number.radix()).ok()
}

/// A TOML number with a fraction, exactly, as so many parts of one.
fn fraction(value: &DeValue<'_>, one: u64, min: u64, max: u64) -> Option<i128> {
    let text = match value.as_float() {
        Some(number) => number.as_str(),
        None => value.as_integer()?.as_str(),
    };
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let parts = units::scaled(whole, part, one).ok()?;
    (min..=max).contains(&parts).then_some(parts.into())
}

fn within(
    value: u64,
    min: u64,
    max: u64,
    text: &str,
    show: impl Fn(u64) -> String,
) -> Result<i128, Refused> {
    if (min..=max).contains(&value) {
        return Ok(value.into());
    }
    let (min, max) = (show(min), show(max));
    Err((
        format!("{text} is not within {min} and {max}"),
        String::from("Write a value between the two."),
    ))
}

/// What is wrong with a quantity.
fn told(text: &str, wrong: &Wrong, kind: Kind) -> Refused {
    let (units, after) = if matches!(kind, Kind::Size { .. }) {
        (units::SIZE, "")
    } else if matches!(kind, Kind::Rate) {
        (units::SIZE, "/s")
    } else {
        (units::TIME, "")
    };
    let names: Vec<_> = units.iter().map(|(name, _)| format!("{name}{after}")).collect();
    let what = match wrong {
        Wrong::NoNumber => format!("`{text}` does not begin with a number"),
        Wrong::NoUnit => format!("`{text}` has no unit"),
        Wrong::Unit(unit) => {
            let meant = meant(unit, units.iter().map(|(name, _)| *name));
            format!("`{text}` has a unit that is none: `{unit}`{meant}")
        }
        Wrong::TooFine => format!("`{text}` is finer than there is"),
        Wrong::TooLarge => format!("`{text}` is more than there is"),
    };
    (what, format!("Write {}; units are {}.", kind.form(), names.join(", ")))
}

/// A value for a message.
fn plain(value: &DeValue<'_>) -> String {
    let integer = value.as_integer().map(|number| number.as_str());
    let number = integer.or_else(|| value.as_float().map(|number| number.as_str()));
    number.map_or_else(|| article(value), str::to_owned)
}

/// What a value is, for a message.
pub(super) fn article(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the string \"{text}\""),
        DeValue::Integer(number) => format!("the number {}", number.as_str()),
        DeValue::Float(number) => format!("the number {}", number.as_str()),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "an array".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}
