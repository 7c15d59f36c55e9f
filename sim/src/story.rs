//! What led to a broken promise, in words.
//!
//! Every record has its cause, so what led to the violation is a walk back. That walk, and what else
//! happened to the same task and the same workers on the way, are told in the order of time.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::report::seconds;
use crate::{FrameKind, Record, Recording, What};

/// Sentences of a story at most.
const SENTENCES_MAX: usize = 20;
/// So many of them are kept for what led to the violation step by step.
const CAUSES_MAX: usize = 12;

/// One thing that happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sentence {
    /// When, in nanoseconds.
    pub at: u64,
    /// What.
    pub words: String,
    /// It led to the violation, step by step; else it happened to the same task or worker meanwhile.
    pub is_cause: bool,
    /// Its record.
    pub record: u32,
}

/// What led to a broken promise.
///
/// ```
/// use moorline_sim::{Plan, Run, Sabotage, Story};
///
/// let plan = Plan { sabotage: Some(Sabotage::AnswersLie), ..Plan::new(7) };
/// let recording = Run::new(plan).recorded(1_000_000).go().recording.expect("it was asked for");
/// let story = Story::new(&recording).expect("a promise is broken");
/// assert!((5..=20).contains(&story.sentences.len()), "{story}");
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Story {
    /// Which promise, and how.
    pub verdict: String,
    /// When, in nanoseconds.
    pub at: u64,
    /// What led to it, in the order of time.
    pub sentences: Vec<Sentence>,
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "At {} {}", seconds(self.at), self.verdict)?;
        for Sentence { at, words, is_cause, .. } in &self.sentences {
            let mark = if *is_cause { '>' } else { ' ' };
            writeln!(f, "{:>16} {mark} {words}", seconds(*at))?;
        }
        writeln!(f, "  > led to it, step by step; the rest happened to the same task or worker")
    }
}

/// What a packet says, and what became of it.
#[derive(Default)]
struct Packet {
    says: Vec<(FrameKind, Option<u32>, u64)>,
    end: Option<(u64, What)>,
}

impl Story {
    /// The story of the violation with which a recording ends; `None` if it ends without one.
    #[must_use]
    pub fn new(recording: &Recording) -> Option<Self> {
        let last = recording.iter().filter(|(_, record)| record.what == What::Violation).last();
        let (number, violation) = last?;
        let chain: BTreeSet<u32> = recording.causes(number).map(|(number, _)| number).collect();
        let teller = Teller { recording, packets: packets(recording), chain };
        Some(Self {
            verdict: recording.words(number).unwrap_or_default().to_owned(),
            at: violation.at,
            sentences: teller.tell(number),
        })
    }
}

fn packets(recording: &Recording) -> BTreeMap<u32, Packet> {
    let mut packets: BTreeMap<u32, Packet> = BTreeMap::new();
    for (number, record) in recording.iter() {
        if record.what == What::Sends {
            packets.insert(number, Packet::default());
            continue;
        }
        let Some(packet) = packets.get_mut(&record.cause) else { continue };
        if record.what == What::Says {
            let kind = usize::try_from(record.value & u64::from(u32::MAX)).ok();
            let kind = kind.and_then(|kind| FrameKind::ALL.get(kind)).copied();
            let task = record.task.checked_sub(1);
            packet.says.extend(kind.map(|kind| (kind, task, record.value >> 32)));
        } else if record.what == What::Gets || record.what == What::Loses {
            packet.end = Some((record.at, record.what));
        }
    }
    packets
}

struct Teller<'a> {
    recording: &'a Recording,
    packets: BTreeMap<u32, Packet>,
    chain: BTreeSet<u32>,
}

impl Teller<'_> {
    fn tell(&self, violation: u32) -> Vec<Sentence> {
        let task = self.task_of(violation);
        let nodes: BTreeSet<u16> = self
            .chain
            .iter()
            .filter_map(|number| self.recording.get(*number))
            .map(|record| record.node)
            .collect();
        // Nobody did it: then it is about all that did not happen, and to whom.
        let everybody = nodes.iter().all(|node| *node == Record::NOBODY);
        let mut causes = Vec::new();
        let mut others = Vec::new();
        let mut is_durable = false;
        for (number, record) in self.recording.iter().filter(|(number, _)| *number < violation) {
            let is_cause = self.chain.contains(&number);
            let tells = if is_cause {
                is_step(record.what)
            } else {
                everybody && is_progress(record.what) || self.concerns(number, record, task, &nodes)
            };
            if tells {
                let sentence = Sentence {
                    at: record.at,
                    words: self.words(number, record),
                    is_cause,
                    record: number,
                };
                if !is_cause {
                    others.push(sentence);
                    continue;
                }
                // Of commits that led to each other the last one says it all.
                if record.what == What::Durable && is_durable {
                    causes.pop();
                }
                is_durable = record.what == What::Durable;
                causes.push(sentence);
            }
        }
        // What is nearest to the violation says most.
        causes.drain(..causes.len().saturating_sub(CAUSES_MAX));
        let room = SENTENCES_MAX - causes.len();
        others.drain(..others.len().saturating_sub(room));
        causes.append(&mut others);
        causes.sort_unstable_by_key(|sentence| sentence.record);
        causes
    }

    /// The task that the violation is about: the latest that led to it.
    fn task_of(&self, violation: u32) -> Option<u32> {
        self.recording.causes(violation).find_map(|(number, record)| {
            let sent = if record.what == What::Gets { record.cause } else { number };
            let said = self.packets.get(&sent);
            let said = said.and_then(|packet| packet.says.iter().find_map(|says| says.1));
            record.task.checked_sub(1).or(said)
        })
    }

    /// Whether something that did not lead to the violation belongs to its story.
    fn concerns(
        &self,
        number: u32,
        record: &Record,
        task: Option<u32>,
        nodes: &BTreeSet<u16>,
    ) -> bool {
        let is_its = task.is_some() && record.task.checked_sub(1) == task;
        match record.what {
            What::Fault => true,
            What::Starts | What::Ends | What::Aborts | What::Asks | What::Answered => is_its,
            What::Begins | What::Gone | What::Freezes | What::Thaws | What::State | What::Cut => {
                nodes.contains(&record.node)
            }
            What::Sends => self.packets.get(&number).is_some_and(|packet| {
                task.is_some() && packet.says.iter().any(|says| says.1 == task)
            }),
            What::Wakes
            | What::Dials
            | What::DialFails
            | What::Opens
            | What::Accepts
            | What::Says
            | What::Gets
            | What::Loses
            | What::Closes
            | What::Notices
            | What::Presence
            | What::Event
            | What::Wants
            | What::Durable
            | What::Conflicts
            | What::Phase
            | What::Violation => false,
        }
    }

    fn words(&self, number: u32, record: &Record) -> String {
        let words = self.recording.words(number).unwrap_or_default().to_owned();
        let Some(packet) = self.packets.get(&number) else { return words };
        let who = record.who().map_or_else(|| String::from("somebody"), |who| who.to_string());
        let said: Vec<String> = packet.says.iter().map(|says| frame(*says)).collect();
        let end = match packet.end {
            Some((at, What::Loses)) => format!("it is lost at {}", seconds(at)),
            Some((at, _)) => format!("it arrives at {}", seconds(at)),
            None => String::from("it never arrives"),
        };
        format!("{who} says {}; {end}", said.join(", "))
    }
}

/// What gets a worker back, or not.
fn is_progress(what: What) -> bool {
    [What::Begins, What::Gone, What::State, What::DialFails, What::Thaws].contains(&what)
}

/// `result of t17 (attempt 1)`.
fn frame((kind, task, attempt): (FrameKind, Option<u32>, u64)) -> String {
    match task {
        Some(task) => format!("{} of t{task} (attempt {attempt})", kind.name()),
        None => kind.name().to_owned(),
    }
}

/// Whether a cause is a step of its own: that a packet arrives is told where it is sent.
const fn is_step(what: What) -> bool {
    match what {
        What::Gets | What::Says | What::Wakes | What::Violation | What::Wants | What::Presence => {
            false
        }
        What::Begins
        | What::Gone
        | What::Freezes
        | What::Thaws
        | What::Dials
        | What::DialFails
        | What::Opens
        | What::Accepts
        | What::Sends
        | What::Loses
        | What::Closes
        | What::Notices
        | What::Cut
        | What::State
        | What::Event
        | What::Starts
        | What::Aborts
        | What::Ends
        | What::Durable
        | What::Conflicts
        | What::Asks
        | What::Answered
        | What::Fault
        | What::Phase => true,
    }
}

#[cfg(test)]
mod tests;
