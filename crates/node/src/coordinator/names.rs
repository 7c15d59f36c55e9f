//! The names of workers, as long as somebody bears them.

use std::collections::BTreeMap;

use moorline_link::Sym;

use crate::Name;

/// Interned names with the number of their bearers: a connection whose Hello is being judged, or a
/// worker that is known. A name without one is forgotten, and its number given to another, so that
/// strangers cannot fill the table (they are bounded, and so are the workers that are known).
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct WorkerNames {
    by_name: BTreeMap<Name, (Sym, u32)>,
    /// Numbers that were given back, and the next one that was never given.
    free: Vec<Sym>,
    next: u32,
}

impl WorkerNames {
    /// One more bears this name.
    pub(super) fn hold(&mut self, name: &Name) -> Sym {
        if let Some((sym, bearers)) = self.by_name.get_mut(name) {
            *bearers += 1;
            return *sym;
        }
        let sym = self.free.pop().unwrap_or_else(|| {
            self.next += 1;
            Sym(self.next - 1)
        });
        self.by_name.insert(name.clone(), (sym, 1));
        sym
    }

    /// One less does.
    pub(super) fn release(&mut self, name: &Name) {
        let Some((sym, bearers)) = self.by_name.get_mut(name) else {
            debug_assert!(false, "only names that are borne are released");
            return;
        };
        *bearers -= 1;
        if *bearers == 0 {
            self.free.push(*sym);
            self.by_name.remove(name);
        }
    }

    /// Names that are borne.
    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }
}

#[cfg(test)]
mod tests;
