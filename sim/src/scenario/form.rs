//! What a part of a scenario consists of, said once: reading, writing and the reference are made of it.

use super::kind::Kind;
use crate::plan::{Latency, Who};
use crate::{Side, Workers};

/// A key of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    /// What it is for, in a sentence.
    pub(super) doc: &'static str,
    /// What holds where it is left out, and then it is left out also when it is written; none: what
    /// the part has before it is read, and it is always written.
    pub(super) unless: Option<i128>,
    /// It may not be left out.
    pub(super) needed: bool,
}

impl Key {
    /// One that is always written.
    pub(super) const fn new(name: &'static str, doc: &'static str) -> Self {
        Self { name, doc, unless: None, needed: false }
    }

    /// One that is left out when it says this.
    pub(super) const fn unless(self, value: i128) -> Self {
        Self { unless: Some(value), ..self }
    }

    /// One that may not be left out.
    pub(super) const fn needed(self) -> Self {
        Self { needed: true, ..self }
    }
}

/// Goes through the keys of one table, one after the other: to read them, to write them or to list them.
pub(super) trait Form {
    /// A key: what it says in the end. None is nothing.
    fn field(&mut self, key: Key, kind: Kind, value: Option<i128>) -> Option<i128>;

    /// A latency: a text for the simple laws, a table for the others.
    fn latency(&mut self, key: Key, value: &mut Latency);

    /// A sentence, or several.
    fn text(&mut self, key: Key, value: &mut String);
}

/// A value that is a whole number, as the file knows it.
pub(super) trait Whole: Copy {
    fn number(self) -> i128;
    /// The value of a number that its kind has accepted.
    fn of(number: i128) -> Option<Self>;
}

macro_rules! whole {
    ($($type:ty)*) => {
        $(impl Whole for $type {
            fn number(self) -> i128 {
                i128::try_from(self).unwrap_or(i128::MAX)
            }
            fn of(number: i128) -> Option<Self> {
                Self::try_from(number).ok()
            }
        })*
    };
}

whole! { u8 u16 u32 u64 usize i16 i32 i64 }

impl Whole for bool {
    fn number(self) -> i128 {
        self.into()
    }
    fn of(number: i128) -> Option<Self> {
        Some(number != 0)
    }
}

impl Whole for Who {
    fn number(self) -> i128 {
        match self {
            Self::Coordinator => 0,
            Self::Worker(worker) => worker.number() + 1,
        }
    }
    fn of(number: i128) -> Option<Self> {
        match number {
            0 => Some(Self::Coordinator),
            worker => usize::of(worker - 1).map(Self::Worker),
        }
    }
}

impl Whole for Workers {
    fn number(self) -> i128 {
        self.bits().into()
    }
    fn of(number: i128) -> Option<Self> {
        u64::of(number).map(Self::from_bits)
    }
}

impl Whole for Side {
    fn number(self) -> i128 {
        match self {
            Self::Worker => 0,
            Self::Coordinator => 1,
        }
    }
    fn of(number: i128) -> Option<Self> {
        match number {
            0 => Some(Self::Worker),
            1 => Some(Self::Coordinator),
            _ => None,
        }
    }
}

impl dyn Form + '_ {
    /// A key that has a value.
    pub(super) fn put<T: Whole>(&mut self, key: Key, kind: Kind, value: &mut T) {
        let said = self.field(key, kind, Some(value.number()));
        if let Some(said) = said.and_then(T::of) {
            *value = said;
        }
    }

    /// A key that may say nothing.
    pub(super) fn maybe<T: Whole>(&mut self, key: Key, kind: Kind, value: &mut Option<T>) {
        let said = self.field(key, kind, value.map(Whole::number));
        *value = said.and_then(T::of);
    }

    /// A key that says which of these it is.
    pub(super) fn choose<T: PartialEq + Copy>(
        &mut self,
        key: Key,
        words: &'static [&'static str],
        values: &[T],
        value: &mut T,
    ) {
        let mut place = values.iter().position(|one| one == value).unwrap_or(0);
        self.put(key, Kind::Word(words), &mut place);
        if let Some(chosen) = values.get(place) {
            *value = *chosen;
        }
    }
}
