//! Times, sizes and shares as people write them, to whole numbers and back, without a loss and without
//! floats.

/// Units of time, in nanoseconds.
pub(super) const TIME: &[(&str, u64)] = &[
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// Units of size, in bytes.
pub(super) const SIZE: &[(&str, u64)] = &[
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

/// Why a text is no quantity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Wrong {
    /// It does not begin with a number.
    NoNumber,
    /// A number stands alone.
    NoUnit,
    /// There is no such unit.
    Unit(String),
    /// Finer than the smallest unit.
    TooFine,
    /// More than fits.
    TooLarge,
}

/// A quantity such as `1m30s` or `12.5ms`, in the smallest unit.
pub(super) fn quantity(text: &str, units: &[(&str, u64)]) -> Result<u64, Wrong> {
    let mut rest = text;
    let mut sum: u64 = 0;
    loop {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (whole, after) = rest.split_at(digits);
        if whole.is_empty() {
            return Err(Wrong::NoNumber);
        }
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => {
                let digits =
                    after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
                after.split_at(digits)
            }
            None => ("", after),
        };
        let letters =
            after.len() - after.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let (unit, after) = after.split_at(letters);
        if unit.is_empty() {
            return Err(Wrong::NoUnit);
        }
        let Some((_, one)) = units.iter().find(|(name, _)| *name == unit) else {
            return Err(Wrong::Unit(unit.to_owned()));
        };
        let part = scaled(whole, fraction, *one)?;
        sum = sum.checked_add(part).ok_or(Wrong::TooLarge)?;
        if after.is_empty() {
            return Ok(sum);
        }
        rest = after;
    }
}

/// `whole.fraction` times `one`, exactly.
pub(super) fn scaled(whole: &str, fraction: &str, one: u64) -> Result<u64, Wrong> {
    let whole: u64 = whole.parse().map_err(|_| Wrong::TooLarge)?;
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > 18 {
        return Err(Wrong::TooFine);
    }
    let part: u128 =
        if fraction.is_empty() { 0 } else { fraction.parse().map_err(|_| Wrong::NoNumber)? };
    let scale = 10_u128.pow(u32::try_from(fraction.len()).unwrap_or(18));
    let part = part * u128::from(one);
    if !part.is_multiple_of(scale) {
        return Err(Wrong::TooFine);
    }
    let part = u64::try_from(part / scale).map_err(|_| Wrong::TooLarge)?;
    whole.checked_mul(one).and_then(|whole| whole.checked_add(part)).ok_or(Wrong::TooLarge)
}

/// `value / one` with as many places behind the point as it takes; `one` is a power of ten.
pub(super) fn decimal(value: u64, one: u64) -> String {
    let (whole, part) = (value / one, value % one);
    if part == 0 {
        return whole.to_string();
    }
    let places = one.ilog10() as usize;
    let part = format!("{part:0places$}");
    format!("{whole}.{}", part.trim_end_matches('0'))
}

/// A time as `12.5s`, `20ms`, `0s`.
pub(super) fn time(nanos: u64) -> String {
    let (unit, one) = match nanos {
        1..1_000 => ("ns", 1),
        1_000..1_000_000 => ("us", 1_000),
        1_000_000..1_000_000_000 => ("ms", 1_000_000),
        0 | 1_000_000_000.. => ("s", 1_000_000_000),
    };
    format!("{}{unit}", decimal(nanos, one))
}

/// A size as `128KiB`, `300B`.
pub(super) fn size(bytes: u64) -> String {
    let whole = |one: u64| bytes > 0 && bytes.is_multiple_of(one);
    let (unit, one) = match bytes {
        _ if whole(1 << 30) => ("GiB", 1 << 30),
        _ if whole(1 << 20) => ("MiB", 1 << 20),
        _ if whole(1 << 10) => ("KiB", 1 << 10),
        _ => ("B", 1),
    };
    format!("{}{unit}", bytes / one)
}

/// Bytes a second as `1MB/s`, `64B/s`.
pub(super) fn rate(bytes: u64) -> String {
    let whole = |one: u64| bytes > 0 && bytes.is_multiple_of(one);
    let (unit, one) = match bytes {
        _ if whole(1_000_000_000) => ("GB", 1_000_000_000),
        _ if whole(1_000_000) => ("MB", 1_000_000),
        _ if whole(1_000) => ("kB", 1_000),
        _ => ("B", 1),
    };
    format!("{}{unit}/s", bytes / one)
}

#[cfg(test)]
mod tests {
    use super::{SIZE, TIME, Wrong, quantity, rate, size, time};

    #[test]
    fn times_are_read_exactly() {
        let read = |text| quantity(text, TIME);
        assert_eq!(read("12.5s"), Ok(12_500_000_000));
        assert_eq!(read("1m30s"), Ok(90_000_000_000));
        assert_eq!(read("0.000000001s"), Ok(1));
        assert_eq!(read("1.5ns"), Err(Wrong::TooFine));
        assert_eq!(read("0.1s"), Ok(100_000_000), "a float would not be");
        assert_eq!(read("5"), Err(Wrong::NoUnit));
        assert_eq!(read("5 s"), Err(Wrong::NoUnit));
        assert_eq!(read("5sec"), Err(Wrong::Unit("sec".into())));
        assert_eq!(read("s"), Err(Wrong::NoNumber));
        assert_eq!(read(""), Err(Wrong::NoNumber));
        assert_eq!(read("-5s"), Err(Wrong::NoNumber));
        assert_eq!(read("99999999999d"), Err(Wrong::TooLarge));
        assert_eq!(read("0.0000000000000000001s"), Err(Wrong::TooFine));
    }

    #[test]
    fn what_is_written_is_read_as_the_same() {
        let numbers =
            (0..64).flat_map(|bit| [0, 1, 7, 999].map(|low| (1_u64 << bit).saturating_add(low)));
        for number in numbers.chain([0, u64::MAX, 12_345_678_901]) {
            assert_eq!(quantity(&time(number), TIME), Ok(number), "{}", time(number));
            assert_eq!(quantity(&size(number), SIZE), Ok(number), "{}", size(number));
            let rate = rate(number);
            assert_eq!(quantity(rate.trim_end_matches("/s"), SIZE), Ok(number), "{rate}");
        }
    }

    #[test]
    fn each_is_written_in_its_largest_fitting_unit() {
        assert_eq!([0, 5, 20_000_000, 12_500_000_000].map(time), ["0s", "5ns", "20ms", "12.5s"]);
        assert_eq!([0, 1 << 17, 70_000].map(size), ["0B", "128KiB", "70000B"]);
        assert_eq!([64, 1_000_000].map(rate), ["64B/s", "1MB/s"]);
    }
}
