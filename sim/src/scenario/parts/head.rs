//! What a scenario is, and when its faults end.

use crate::plan::{Lull, Mode, Temper};
use crate::scenario::form::{Form, Key};
use crate::scenario::kind::{Kind, kebab};
use crate::{Invariant, Plan, Sabotage};

/// The version of the file's form.
pub(in crate::scenario) const FORMAT: u64 = 1;

/// What a scenario comes to: 0 is that every promise is kept.
fn outcome_name(place: usize) -> Option<String> {
    match place.checked_sub(1) {
        None => Some("pass".to_owned()),
        Some(place) => Invariant::ALL.get(place).map(|invariant| invariant.id().to_owned()),
    }
}

/// The head of the file.
pub(in crate::scenario) fn head(
    form: &mut dyn Form,
    about: &mut String,
    outcome: &mut Option<Invariant>,
    plan: &mut Plan,
) {
    let mut format = FORMAT;
    let key = Key::new("format", "The version of this form.");
    form.put(key.needed(), Kind::Count { min: 1, max: 1 }, &mut format);
    form.text(Key::new("about", ""), about);
    let key = Key::new("seed", "Feeds the decisions that are taken on the way.");
    form.put(key, Kind::Bits, &mut plan.seed);
    let key = Key::new(
        "mode",
        "Honest: every promise holds; hostile: also what networks and disks never should do.",
    );
    form.choose(key, &["honest", "hostile"], &[Mode::Honest, Mode::Hostile], &mut plan.mode);
    let key =
        Key::new("temper", "In a calm world any suspicion, reconnect or redelivery is a bug.");
    let tempers = [Temper::Calm, Temper::Common, Temper::Cranked, Temper::Extreme];
    form.choose(key, &["calm", "common", "cranked", "extreme"], &tempers, &mut plan.temper);
    let place = |wanted: &Invariant| Invariant::ALL.iter().position(|one| one == wanted);
    let mut said = outcome.as_ref().and_then(place).map_or(0, |place| place + 1);
    let key = Key::new("outcome", "What it comes to: pass, or the promise that is broken.");
    form.put(key, Kind::Named(outcome_name), &mut said);
    *outcome = said.checked_sub(1).and_then(|place| Invariant::ALL.get(place)).copied();
    let place = |wanted: Sabotage| Sabotage::ALL.iter().position(|one| *one == wanted);
    let mut said = plan.sabotage.and_then(place);
    let key = Key::new("sabotage", "A part of the world that is broken on purpose.");
    form.maybe(key, Kind::Named(|place| Sabotage::ALL.get(place).map(kebab)), &mut said);
    plan.sabotage = said.and_then(|place| Sabotage::ALL.get(place)).copied();
}

/// `[quiet]`.
pub(in crate::scenario) fn quiet(form: &mut dyn Form, plan: &mut Plan) {
    let key = Key::new("at", "From here on nothing goes wrong any more.");
    form.put(key, Kind::SOME_TIME, &mut plan.quiet_at);
    let key = Key::new("core", "The workers that have to be there after that; left out: all.");
    form.maybe(key, Kind::Workers, &mut plan.core);
}

/// `[lull]`.
pub(in crate::scenario) fn lull(form: &mut dyn Form, lull: &mut Lull) {
    let key =
        Key::new("at", "A time in the middle of the faults in which nothing goes wrong begins.");
    form.put(key.needed(), Kind::TIME, &mut lull.at);
    form.put(Key::new("for", "How long it is.").needed(), Kind::TIME, &mut lull.lasts);
}
