//! Decisions that are laid down.

use crate::scenario::form::{Form, Key};
use crate::scenario::kind::{Kind, kebab};
use crate::{Base, Decision, Site};

/// The name of a place where decisions are taken.
fn site(place: usize) -> Option<String> {
    Site::ALL.get(place).map(kebab)
}

/// A decision of which nothing is said.
pub(in crate::scenario) const NONE: Decision =
    Decision { site: Site::Plan, entity: 0, k: 0, value: 0 };

/// `[decisions]`, but for those that are laid down.
pub(in crate::scenario) fn base(form: &mut dyn Form, base: &mut Base) {
    let key =
        Key::new("base", "What decisions are where none is laid down: by the seed, or benign.");
    form.choose(key, &["random", "benign"], &[Base::Random, Base::Benign], base);
}

/// One that is laid down.
pub(in crate::scenario) fn decision(form: &mut dyn Form, decision: &mut Decision) {
    let mut place = Site::ALL.iter().position(|site| *site == decision.site).unwrap_or(0);
    form.put(Key::new("site", "Where it is taken.").needed(), Kind::Named(site), &mut place);
    if let Some(site) = Site::ALL.get(place) {
        decision.site = *site;
    }
    form.put(Key::new("entity", "Whom it is about.").needed(), Kind::Bits, &mut decision.entity);
    let key = Key::new("k", "How often it was taken before.");
    form.put(key.needed(), Kind::Bits, &mut decision.k);
    let key = Key::new("value", "What comes of it; 0 is benign.");
    form.put(key.needed(), Kind::Bits, &mut decision.value);
}
