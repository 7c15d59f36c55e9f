//! What goes wrong when.

use crate::Workers;
use crate::plan::{
    Dialled, Ending, Episode, Fault, Kept, MS, Manner, Moment, Nudge, Refusal, SEC, Side, Told,
    Twin, Way, Who,
};
use crate::scenario::form::{Form, Key};
use crate::scenario::kind::{Kind, kebab};

/// Of each kind of fault one, with what it is called: what it says is what is left out of a file says.
pub(in crate::scenario) const FAULTS: &[(&str, Fault)] = {
    const ALL: Workers = Workers::ALL;
    const BOTH: Way = Way::Both;
    &[
        ("spikes", Fault::Spikes { workers: ALL, way: BOTH, ppm: 10_000, most: SEC, lasts: 0 }),
        (
            "stalls",
            Fault::Stalls {
                workers: ALL,
                way: BOTH,
                ppm: 10_000,
                burst: 1,
                rto: 200 * MS,
                lasts: 0,
            },
        ),
        (
            "replay",
            Fault::Replay { workers: ALL, way: BOTH, ppm: 10_000, copies: 1, delay: SEC, lasts: 0 },
        ),
        ("corrupt", Fault::Corrupt { workers: ALL, way: BOTH, ppm: 10_000, lasts: 0 }),
        ("partition", Fault::Partition { workers: ALL, way: BOTH, lasts: 0, again: 0 }),
        ("flap", Fault::Flap { workers: ALL, way: BOTH, period: SEC, broken: 500_000, lasts: 0 }),
        ("swizzle", Fault::Swizzle { workers: ALL, spread: SEC, lasts: 0 }),
        (
            "narrow",
            Fault::Narrow { workers: ALL, way: BOTH, rate: 1_000_000, queue: 1 << 16, lasts: 0 },
        ),
        ("segments", Fault::Segments { workers: ALL, way: BOTH, size: 1, gap: MS, lasts: 0 }),
        ("dials", Fault::Dials { worker: 0, outcome: Dialled::Refused, lasts: 0 }),
        ("close", Fault::Close { worker: 0, way: BOTH, after: 0, ending: Ending::Reset }),
        ("cut", Fault::Cut { worker: 0, told: Told::Both }),
        ("rebind", Fault::Rebind { worker: 0, answered: false }),
        ("jam", Fault::Jam { worker: 0, way: BOTH, lasts: 0, haunts: false }),
        (
            "crash",
            Fault::Crash {
                who: Who::Coordinator,
                manner: Manner::Killed,
                back: 0,
                kept: Kept::All,
            },
        ),
        (
            "crash-loop",
            Fault::CrashLoop {
                who: Who::Coordinator,
                manner: Manner::Killed,
                back: 0,
                lives: SEC,
                times: 3,
            },
        ),
        ("freeze", Fault::Freeze { who: Who::Coordinator, lasts: 0, suspended: false }),
        ("busy", Fault::Busy { who: Who::Coordinator, each: MS, lasts: 0 }),
        ("twin", Fault::Twin { worker: 0, twin: Twin::Same, lasts: 0 }),
        ("swallow", Fault::Swallow { worker: 0, lasts: 0 }),
        ("set-clock", Fault::SetClock { by: 0 }),
        ("late", Fault::Late { who: Who::Coordinator, most: SEC, grain: 0, lasts: 0 }),
        ("slow", Fault::Slow { delay: SEC, lasts: 0 }),
        ("fails", Fault::Fails { lasts: 0 }),
        ("credential", Fault::Credential { worker: 0, refusal: Refusal::Expired, ends: false }),
        ("vetting", Fault::Vetting { delay: SEC, lasts: 0 }),
        ("nudge", Fault::Nudge { worker: 0, nudge: Nudge::Reconnect }),
    ]
};

/// The place of a fault's kind among them.
pub(in crate::scenario) const fn place(fault: &Fault) -> usize {
    match fault {
        Fault::Spikes { .. } => 0,
        Fault::Stalls { .. } => 1,
        Fault::Replay { .. } => 2,
        Fault::Corrupt { .. } => 3,
        Fault::Partition { .. } => 4,
        Fault::Flap { .. } => 5,
        Fault::Swizzle { .. } => 6,
        Fault::Narrow { .. } => 7,
        Fault::Segments { .. } => 8,
        Fault::Dials { .. } => 9,
        Fault::Close { .. } => 10,
        Fault::Cut { .. } => 11,
        Fault::Rebind { .. } => 12,
        Fault::Jam { .. } => 13,
        Fault::Crash { .. } => 14,
        Fault::CrashLoop { .. } => 15,
        Fault::Freeze { .. } => 16,
        Fault::Busy { .. } => 17,
        Fault::Twin { .. } => 18,
        Fault::Swallow { .. } => 19,
        Fault::SetClock { .. } => 20,
        Fault::Late { .. } => 21,
        Fault::Slow { .. } => 22,
        Fault::Fails { .. } => 23,
        Fault::Credential { .. } => 24,
        Fault::Vetting { .. } => 25,
        Fault::Nudge { .. } => 26,
    }
}

/// The name of a kind of fault.
fn name(place: usize) -> Option<String> {
    FAULTS.get(place).map(|(name, _)| (*name).to_owned())
}

/// Which kind of fault it is: by that it is known which keys there are.
pub(in crate::scenario) const FAULT: Key = Key::new("fault", "").needed();
/// What stands there.
pub(in crate::scenario) const KIND: Kind = Kind::Named(name);

/// `[[episode]]`.
pub(in crate::scenario) fn episode(form: &mut dyn Form, episode: &mut Episode) {
    let key = Key::new("at", "When it begins; with a moment: from when on that is waited for.");
    form.put(key.needed(), Kind::TIME, &mut episode.at);
    let mut moment =
        episode.moment.and_then(|moment| Moment::ALL.iter().position(|one| *one == moment));
    let key = Key::new("moment", "It strikes when this happens next, to whom it happens.");
    form.maybe(key, Kind::Named(|place| Moment::ALL.get(place).map(kebab)), &mut moment);
    episode.moment = moment.and_then(|place| Moment::ALL.get(place)).copied();
    let mut kind = place(&episode.fault);
    form.put(FAULT, KIND, &mut kind);
    if kind != place(&episode.fault) {
        episode.fault = FAULTS[kind].1;
    }
    fault(form, &mut episode.fault);
}

fn workers(form: &mut dyn Form, workers: &mut Workers) {
    form.put(Key::new("workers", "Whose links."), Kind::Workers, workers);
}

fn worker(form: &mut dyn Form, worker: &mut usize) {
    form.put(Key::new("worker", "Which worker.").needed(), Kind::Worker, worker);
}

fn node(form: &mut dyn Form, who: &mut Who) {
    form.put(Key::new("node", "Which process.").needed(), Kind::Node, who);
}

fn lasts(form: &mut dyn Form, lasts: &mut u64) {
    form.put(Key::new("for", "For how long.").needed(), Kind::TIME, lasts);
}

fn share(form: &mut dyn Form, doc: &'static str, ppm: &mut u64) {
    form.put(Key::new("share", doc), Kind::Share, ppm);
}

fn way(form: &mut dyn Form, way: &mut Way) {
    let key = Key::new("direction", "Both ways, up to the coordinator, or down to workers.");
    form.choose(key, &["both", "up", "down"], &[Way::Both, Way::Up, Way::Down], way);
}

fn manner(form: &mut dyn Form, manner: &mut Manner) {
    let key = Key::new(
        "manner",
        "Killed: connections are reset; vanished: nobody is told; asked to stop first.",
    );
    let all = [Manner::Killed, Manner::Vanished, Manner::Asked];
    form.choose(key, &["killed", "vanished", "asked"], &all, manner);
}

const TIME: Kind = Kind::TIME;

/// The keys of a fault.
pub(in crate::scenario) fn fault(form: &mut dyn Form, fault: &mut Fault) {
    match fault {
        Fault::Spikes { workers: whose, way: direction, ppm, most, lasts: time } => {
            workers(form, whose);
            way(form, direction);
            share(form, "How many packets take longer.", ppm);
            form.put(Key::new("most", "How much longer at most."), TIME, most);
            lasts(form, time);
        }
        Fault::Stalls { workers: whose, way: direction, ppm, burst, rto, lasts: time } => {
            workers(form, whose);
            way(form, direction);
            share(form, "How many packets begin a burst of losses.", ppm);
            let key = Key::new("burst", "How many packets a burst may hit.");
            form.put(key, Kind::Count { min: 1, max: 1_000_000 }, burst);
            let key = Key::new(
                "rto",
                "How long it takes to notice a loss: each waits for one to four of these.",
            );
            form.put(key, TIME, rto);
            lasts(form, time);
        }
        Fault::Replay { workers: whose, way: direction, ppm, copies, delay, lasts: time } => {
            workers(form, whose);
            way(form, direction);
            share(form, "How many packets arrive again.", ppm);
            let key = Key::new("copies", "How often at most.");
            form.put(key, Kind::Count { min: 1, max: 100 }, copies);
            form.put(Key::new("delay", "How much later at most."), TIME, delay);
            lasts(form, time);
        }
        Fault::Corrupt { workers: whose, way: direction, ppm, lasts: time } => {
            workers(form, whose);
            way(form, direction);
            share(form, "How many packets change on their way.", ppm);
            lasts(form, time);
        }
        Fault::Partition { workers: whose, way: direction, lasts: time, again } => {
            workers(form, whose);
            way(form, direction);
            lasts(form, time);
            let key = Key::new(
                "again",
                "What was sent meanwhile is sent again after so much more time at most.",
            );
            form.put(key.unless(0), TIME, again);
        }
        Fault::Flap { workers: whose, way: direction, period, broken, lasts: time } => {
            workers(form, whose);
            way(form, direction);
            form.put(Key::new("period", "From one break to the next."), Kind::SOME_TIME, period);
            form.put(
                Key::new("broken", "In which share of that nothing travels."),
                Kind::Share,
                broken,
            );
            lasts(form, time);
        }
        Fault::Swizzle { workers: whose, spread, lasts: time } => {
            workers(form, whose);
            form.put(
                Key::new("spread", "Within which time links go, and come back."),
                TIME,
                spread,
            );
            let key = Key::new("for", "When the first may come back.");
            form.put(key.needed(), TIME, time);
        }
        Fault::Narrow { workers: whose, way: direction, rate, queue, lasts: time } => {
            workers(form, whose);
            way(form, direction);
            form.put(Key::new("rate", "Bytes a second."), Kind::Rate, rate);
            let key = Key::new("queue", "Bytes that may wait before the sender has to.");
            form.put(key, Kind::Size { min: 0, max: 1 << 40 }, queue);
            lasts(form, time);
        }
        Fault::Segments { workers: whose, way: direction, size, gap, lasts: time } => {
            workers(form, whose);
            way(form, direction);
            let key = Key::new("size", "Bytes of a piece at most.");
            form.put(key, Kind::Size { min: 1, max: 1 << 30 }, size);
            form.put(Key::new("gap", "How long each further piece takes at most."), TIME, gap);
            lasts(form, time);
        }
        Fault::Dials { worker: whose, outcome, lasts: time } => {
            worker(form, whose);
            dialled(form, outcome);
            lasts(form, time);
        }
        Fault::Close { worker: whose, way: direction, after, ending } => {
            worker(form, whose);
            way(form, direction);
            let key = Key::new("after", "When so many more bytes were sent.");
            form.put(key, Kind::Size { min: 0, max: 1 << 40 }, after);
            let key = Key::new("ending", "Reset, closed in order, or one direction only.");
            let all = [Ending::Reset, Ending::Closed, Ending::Half];
            form.choose(key, &["reset", "closed", "half"], &all, ending);
        }
        Fault::Cut { worker: whose, told } => {
            worker(form, whose);
            let key = Key::new("told", "Who is told that the connection is dead.");
            let all =
                [Told::Both, Told::Only(Side::Worker), Told::Only(Side::Coordinator), Told::Nobody];
            form.choose(key, &["both", "worker", "coordinator", "nobody"], &all, told);
        }
        Fault::Rebind { worker: whose, answered } => {
            worker(form, whose);
            let key =
                Key::new("answered", "Whoever sends on a dead connection is told that it is.");
            form.put(key.unless(0), Kind::Flag, answered);
        }
        Fault::Jam { worker: whose, way: direction, lasts: time, haunts } => {
            worker(form, whose);
            way(form, direction);
            lasts(form, time);
            let key = Key::new(
                "haunts",
                "It arrives even where the receiver has closed the connection (hostile).",
            );
            form.put(key.unless(0), Kind::Flag, haunts);
        }
        Fault::Crash { who, manner: how, back, kept } => {
            node(form, who);
            manner(form, how);
            form.put(Key::new("back", "Back after this time.").needed(), TIME, back);
            store(form, kept);
        }
        Fault::CrashLoop { who, manner: how, back, lives, times } => {
            node(form, who);
            manner(form, how);
            form.put(Key::new("back", "Back after this time.").needed(), TIME, back);
            form.put(Key::new("lives", "How long it lives."), TIME, lives);
            let key = Key::new("times", "How often it ends.");
            form.put(key, Kind::Count { min: 1, max: 1_000 }, times);
        }
        Fault::Freeze { who, lasts: time, suspended } => {
            node(form, who);
            lasts(form, time);
            let key = Key::new("suspended", "Its clock stands still as well.");
            form.put(key.unless(0), Kind::Flag, suspended);
        }
        Fault::Busy { who, each, lasts: time } => {
            node(form, who);
            form.put(Key::new("each", "How long it takes for every event."), TIME, each);
            lasts(form, time);
        }
        Fault::Twin { worker: whose, twin, lasts: time } => {
            worker(form, whose);
            let key = Key::new(
                "twin",
                "The same worker again, a copy under another name, or another one of its name.",
            );
            let all = [Twin::Same, Twin::Renamed, Twin::Namesake];
            form.choose(key, &["same", "renamed", "namesake"], &all, twin);
            lasts(form, time);
        }
        Fault::Swallow { worker: whose, lasts: time } => {
            worker(form, whose);
            lasts(form, time);
        }
        Fault::SetClock { by } => {
            form.put(Key::new("by", "By how much.").needed(), Kind::Shift, by);
        }
        Fault::Late { who, most, grain, lasts: time } => {
            node(form, who);
            form.put(Key::new("most", "By how much at most."), TIME, most);
            let key = Key::new("grain", "Timers fire at multiples of this, many at once.");
            form.put(key.unless(0), TIME, grain);
            lasts(form, time);
        }
        Fault::Slow { delay, lasts: time } => {
            form.put(Key::new("delay", "How much longer commits take."), TIME, delay);
            lasts(form, time);
        }
        Fault::Fails { lasts: time } => lasts(form, time),
        Fault::Credential { worker: whose, refusal: why, ends } => {
            worker(form, whose);
            refusal(form, why);
            let key = Key::new("ends", "Its connection is ended at once, for that reason.");
            form.put(key.unless(0), Kind::Flag, ends);
        }
        Fault::Vetting { delay, lasts: time } => {
            let key = Key::new("delay", "How much longer it takes to find out what is shown.");
            form.put(key, TIME, delay);
            lasts(form, time);
        }
        Fault::Nudge { worker: whose, nudge: what } => {
            worker(form, whose);
            nudge(form, what);
        }
    }
}

/// What becomes of dials.
fn dialled(form: &mut dyn Form, outcome: &mut Dialled) {
    let all = [Dialled::Refused, Dialled::Hangs, Dialled::Closed, Dialled::Late { by: SEC }];
    let mut kind = match outcome {
        Dialled::Refused => 0,
        Dialled::Hangs => 1,
        Dialled::Closed => 2,
        Dialled::Late { .. } => 3,
    };
    let before = kind;
    let words = Kind::Word(&["refused", "hang", "closed", "late"]);
    form.put(Key::new("outcome", "What becomes of its dials."), words, &mut kind);
    if kind != before {
        *outcome = all[kind];
    }
    if let Dialled::Late { by } = outcome {
        form.put(Key::new("by", "How late they are taken."), TIME, by);
    }
}

/// What is left of the store.
fn store(form: &mut dyn Form, kept: &mut Kept) {
    let all = [Kept::All, Kept::Synced, Kept::Before { commits: 1 }, Kept::Nothing];
    let mut kind = match kept {
        Kept::All => 0,
        Kept::Synced => 1,
        Kept::Before { .. } => 2,
        Kept::Nothing => 3,
    };
    let before: usize = kind;
    let words = Kind::Word(&["all", "synced", "before", "nothing"]);
    let key = Key::new(
        "disk",
        "What is left of the coordinator's store; before and nothing are hostile.",
    );
    form.put(key.unless(0), words, &mut kind);
    if kind != before {
        *kept = all[kind];
    }
    if let Kept::Before { commits } = kept {
        let key = Key::new("commits", "So many commits before the last one.");
        form.put(key, Kind::Count { min: 1, max: 1_000_000 }, commits);
    }
}

/// Why a credential is refused.
fn refusal(form: &mut dyn Form, refusal: &mut Refusal) {
    let all = [Refusal::Expired, Refusal::Rejected { lasts: SEC }, Refusal::Revoked { lasts: SEC }];
    let mut kind = match refusal {
        Refusal::Expired => 0,
        Refusal::Rejected { .. } => 1,
        Refusal::Revoked { .. } => 2,
    };
    let before: usize = kind;
    let words = Kind::Word(&["expired", "rejected", "revoked"]);
    let key = Key::new(
        "refusal",
        "A fresh one is good; nothing it shows is good for a while; the same, and that is final.",
    );
    form.put(key.needed(), words, &mut kind);
    if kind != before {
        *refusal = all[kind];
    }
    match refusal {
        Refusal::Expired => {}
        Refusal::Rejected { lasts: time } | Refusal::Revoked { lasts: time } => lasts(form, time),
    }
}

/// What an operator does.
fn nudge(form: &mut dyn Form, nudge: &mut Nudge) {
    let all = [
        Nudge::Reconnect,
        Nudge::Migrate,
        Nudge::Kick,
        Nudge::Disconnect,
        Nudge::Stop { within: 30 * SEC, back: SEC },
        Nudge::Redirect { nowhere: false },
        Nudge::Redirect { nowhere: true },
    ];
    let mut kind = match nudge {
        Nudge::Reconnect => 0,
        Nudge::Migrate => 1,
        Nudge::Kick => 2,
        Nudge::Disconnect => 3,
        Nudge::Stop { .. } => 4,
        Nudge::Redirect { nowhere: false } => 5,
        Nudge::Redirect { nowhere: true } => 6,
    };
    let before: usize = kind;
    let words = Kind::Word(&[
        "reconnect",
        "migrate",
        "kick",
        "disconnect",
        "stop",
        "redirect",
        "redirect-nowhere",
    ]);
    form.put(Key::new("nudge", "What an operator does.").needed(), words, &mut kind);
    if kind != before {
        *nudge = all[kind];
    }
    if let Nudge::Stop { within, back } = nudge {
        form.put(Key::new("within", "It drains so long at most."), TIME, within);
        form.put(Key::new("back", "It comes back after this time."), TIME, back);
    }
}

/// Faults of the same kind that have other keys.
#[cfg(test)]
pub(in crate::scenario) fn variants(kind: usize) -> Vec<Fault> {
    let all = [
        Fault::Dials { worker: 0, outcome: Dialled::Late { by: SEC }, lasts: 0 },
        Fault::Crash {
            who: Who::Coordinator,
            manner: Manner::Killed,
            back: 0,
            kept: Kept::Before { commits: 1 },
        },
        Fault::Credential { worker: 0, refusal: Refusal::Rejected { lasts: 0 }, ends: false },
        Fault::Nudge { worker: 0, nudge: Nudge::Stop { within: 30 * SEC, back: SEC } },
    ];
    all.into_iter().filter(|fault| place(fault) == kind).collect()
}
