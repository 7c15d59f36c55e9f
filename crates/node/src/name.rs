//! Names and their interned form.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A worker's name, a handler, a label: 1 to 128 bytes of UTF-8 without control characters.
///
/// ```
/// use moorline_node::Name;
///
/// let name = Name::new("resize")?;
/// assert_eq!(name.as_str(), "resize");
/// assert!(Name::new("").is_err());
/// # Ok::<(), moorline_node::NameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// Why a text is not a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum NameError {
    /// It is empty.
    Empty,
    /// It is longer than [`Name::MAX`] bytes, or [`Address::MAX`](crate::Address::MAX).
    TooLong {
        /// Its length in bytes.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// It holds a control character.
    Control {
        /// At this byte.
        at: usize,
    },
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "a name must not be empty"),
            Self::TooLong { len, max } => {
                write!(f, "a name has at most {max} bytes, this one has {len}")
            }
            Self::Control { at } => write!(f, "a name has no control characters (byte {at})"),
        }
    }
}

impl std::error::Error for NameError {}

impl NameError {
    /// Whether a text of at most `max` bytes is fit to be shown to people.
    pub(crate) fn check(text: &str, max: usize) -> Result<(), Self> {
        if text.is_empty() {
            return Err(Self::Empty);
        }
        if text.len() > max {
            return Err(Self::TooLong { len: text.len(), max });
        }
        match text.char_indices().find(|(_, c)| c.is_control()) {
            Some((at, _)) => Err(Self::Control { at }),
            None => Ok(()),
        }
    }
}

impl Name {
    /// Longest name in bytes.
    pub const MAX: usize = 128;

    /// Checks a text.
    ///
    /// # Errors
    /// [`NameError`] says what is wrong with it.
    pub fn new(text: &str) -> Result<Self, NameError> {
        NameError::check(text, Self::MAX)?;
        Ok(Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

/// The table of interned names of one node: bounded, ordered, never forgets.
///
/// ```
/// use moorline_node::{Name, Names};
///
/// let mut names = Names::new(1);
/// let greet = Name::new("greet")?;
/// assert_eq!(names.intern(&greet), names.get(&greet));
/// assert_eq!(names.intern(&Name::new("other")?), None, "the table is full");
/// # Ok::<(), moorline_node::NameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Names {
    by_name: BTreeMap<Name, u32>,
    by_sym: Vec<Name>,
    max: u32,
}

impl Names {
    /// An empty table for at most `max` names.
    #[must_use]
    pub fn new(max: u32) -> Self {
        Self { by_name: BTreeMap::new(), by_sym: Vec::new(), max }
    }

    /// The number of a name; a new one if it has none yet and the table is not full.
    pub fn intern(&mut self, name: &Name) -> Option<u32> {
        self.intern_below(name, self.max)
    }

    /// The same while the table holds fewer than `max` names.
    pub fn intern_below(&mut self, name: &Name, max: u32) -> Option<u32> {
        if let Some(&sym) = self.by_name.get(name) {
            return Some(sym);
        }
        let full = u32::try_from(self.by_sym.len()).is_ok_and(|count| count >= max);
        (!full).then(|| self.intern_always(name))
    }

    /// The same however full the table is: for names that are bounded elsewhere.
    pub fn intern_always(&mut self, name: &Name) -> u32 {
        if let Some(&sym) = self.by_name.get(name) {
            return sym;
        }
        // Four thousand million names do not fit into memory.
        let sym = u32::try_from(self.by_sym.len()).unwrap_or(u32::MAX);
        self.by_name.insert(name.clone(), sym);
        self.by_sym.push(name.clone());
        sym
    }

    /// The number of a name that was interned.
    #[must_use]
    pub fn get(&self, name: &Name) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    /// The name with this number.
    #[must_use]
    pub fn name(&self, sym: u32) -> Option<&Name> {
        self.by_sym.get(usize::try_from(sym).ok()?)
    }
}
