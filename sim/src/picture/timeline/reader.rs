//! From the records of a run to what a picture shows of it.

use std::collections::BTreeMap;

use super::{Arrow, Band, Bar, Fate, Lane, Mark, MarkKind, Pin, Span, SpanKind, Timeline};
use crate::plan::Who;
use crate::{FrameKind, Plan, Record, Recording, What};

/// What is known of a packet while the records are read.
struct Packet {
    arrow: usize,
}

/// Reads the records once.
struct Reader<'a> {
    plan: &'a Plan,
    timeline: Timeline,
    /// The span of each lane that has not ended.
    open: Vec<Option<Span>>,
    /// What a frozen lane was before.
    thawed: Vec<Option<SpanKind>>,
    packets: BTreeMap<u32, Packet>,
    /// Handlers that run, by lane and by their record.
    running: Vec<BTreeMap<(u32, u64), usize>>,
}

/// Reads all records, in their order.
pub(super) fn read(plan: &Plan, recording: &Recording) -> Timeline {
    let first = recording.iter().next().map_or(0, |(_, record)| record.at);
    let last = recording.iter().last().map_or(0, |(_, record)| record.at);
    let mut lanes = vec![Lane { name: String::from("coordinator"), node: 0 }];
    lanes.extend(
        (1..).zip(&plan.workers).map(|(node, _)| Lane { name: format!("w{}", node - 1), node }),
    );
    // Second processes have lanes of their own behind those of the plan.
    let behind = lanes.last().map_or(1, |lane| lane.node + 1);
    lanes.extend((behind..).zip(plan.seconds()).map(|(node, _)| {
        let name = format!("w{}, second", node - 1);
        Lane { name, node }
    }));
    let timeline = Timeline {
        title: format!("seed {}", plan.seed),
        from: first,
        to: last,
        lanes,
        spans: Vec::new(),
        arrows: Vec::new(),
        bars: Vec::new(),
        bands: Vec::new(),
        marks: Vec::new(),
        phases: Vec::new(),
        pin: None,
        records: Vec::new(),
        forgotten: recording.iter().next().map_or(0, |(number, _)| number - 1),
        words: Vec::new(),
        kinds: What::ALL.iter().map(|what| format!("{what:?}")).collect(),
    };
    let lanes = timeline.lanes.len();
    let mut reader = Reader {
        plan,
        timeline,
        open: vec![None; lanes],
        thawed: vec![None; lanes],
        packets: BTreeMap::new(),
        running: vec![BTreeMap::new(); lanes],
    };
    // Those are not there from the beginning on, and some never are.
    let record = recording.iter().next().map_or(0, |(number, _)| number);
    for lane in usize::from(behind)..lanes {
        let kind = SpanKind::Gone;
        reader.open[lane] = Some(Span { lane, from: first, to: first, kind, record });
    }
    for (number, record) in recording.iter() {
        reader.read(number, record, recording.words(number).unwrap_or_default());
    }
    reader.finish()
}

impl Reader<'_> {
    fn lane(&self, record: &Record) -> Option<usize> {
        let lane = usize::from(record.node);
        (record.node != Record::NOBODY && lane < self.timeline.lanes.len()).then_some(lane)
    }

    fn read(&mut self, number: u32, record: &Record, words: &str) {
        let Record { at, value, cause, conn, task, node, what } = *record;
        self.timeline.records.push((at, what as u8, node, conn, task, value, cause));
        self.timeline.words.push(words.to_owned());
        let lane = self.lane(record);
        match what {
            What::Phase => self.timeline.phases.push((at, words.to_owned())),
            What::Violation => {
                self.timeline.pin = Some(Pin { at, words: words.to_owned(), record: number });
            }
            What::Fault => self.fault(number, record, words),
            What::Asks | What::Answered => self.mark(number, record, 0, MarkKind::Client),
            What::Begins
            | What::Gone
            | What::Freezes
            | What::Thaws
            | What::Wakes
            | What::Dials
            | What::DialFails
            | What::Opens
            | What::Accepts
            | What::Sends
            | What::Says
            | What::Gets
            | What::Loses
            | What::Closes
            | What::Notices
            | What::Cut
            | What::State
            | What::Presence
            | What::Event
            | What::Starts
            | What::Aborts
            | What::Ends
            | What::Wants
            | What::Durable
            | What::Conflicts => {
                if let Some(lane) = lane {
                    self.of_process(number, record, lane);
                }
            }
        }
    }

    /// Something that happens to a process.
    fn of_process(&mut self, number: u32, record: &Record, lane: usize) {
        let at = record.at;
        match record.what {
            What::Begins => {
                let kind = if lane == 0 { SpanKind::Up } else { SpanKind::Disconnected };
                self.turn(lane, at, kind, number);
            }
            What::Gone => {
                self.turn(lane, at, SpanKind::Gone, number);
                self.thawed[lane] = None;
                for (_, bar) in std::mem::take(&mut self.running[lane]) {
                    self.timeline.bars[bar].to = at;
                }
            }
            What::Freezes => {
                self.thawed[lane] = self.open[lane].as_ref().map(|span| span.kind);
                self.turn(lane, at, SpanKind::Frozen, number);
            }
            What::Thaws => {
                if let Some(kind) = self.thawed[lane].take() {
                    self.turn(lane, at, kind, number);
                }
            }
            What::State => self.turn(lane, at, SpanKind::of_state(record.value), number),
            What::Wakes => self.mark(number, record, lane, MarkKind::Timer),
            What::Dials => self.mark(number, record, lane, MarkKind::Dial),
            What::DialFails | What::Notices => self.mark(number, record, lane, MarkKind::Ended),
            What::Durable => self.mark(number, record, lane, MarkKind::Commit),
            What::Sends => {
                self.packets.insert(number, Packet { arrow: self.timeline.arrows.len() });
                self.timeline.arrows.push(Arrow {
                    from: lane,
                    to: lane,
                    sent: at,
                    ended: at,
                    fate: Fate::Open,
                    says: Vec::new(),
                    tasks: Vec::new(),
                    routine: true,
                    record: number,
                    end: 0,
                });
            }
            What::Says => {
                if let Some(packet) = self.packets.get(&record.cause) {
                    let arrow = &mut self.timeline.arrows[packet.arrow];
                    let kind = usize::try_from(record.value & u64::from(u32::MAX)).ok();
                    let kind = kind.and_then(|kind| FrameKind::ALL.get(kind));
                    arrow.says.extend(kind.map(|kind| kind.name()));
                    arrow.routine &= kind.is_some_and(|kind| is_routine(*kind));
                    if let Some(task) = record.task.checked_sub(1)
                        && !arrow.tasks.contains(&task)
                    {
                        arrow.tasks.push(task);
                    }
                }
            }
            What::Gets => self.arrives(number, record, lane, Fate::Delivered),
            What::Loses => self.arrives(number, record, lane, Fate::Lost),
            What::Starts => self.starts(number, record, lane),
            What::Ends => {
                let key = (record.task, record.value);
                if let Some(bar) = self.running[lane].remove(&key) {
                    self.timeline.bars[bar].to = at;
                }
            }
            What::Opens
            | What::Accepts
            | What::Closes
            | What::Cut
            | What::Presence
            | What::Event
            | What::Aborts
            | What::Wants
            | What::Conflicts
            | What::Asks
            | What::Answered
            | What::Fault
            | What::Phase
            | What::Violation => {}
        }
    }

    /// A process is something else from here on.
    fn turn(&mut self, lane: usize, at: u64, kind: SpanKind, record: u32) {
        // What a machine says while its process is frozen was said before.
        if let Some(mut span) = self.open[lane].take() {
            span.to = at;
            if span.from < at {
                self.timeline.spans.push(span);
            }
        }
        self.open[lane] = Some(Span { lane, from: at, to: at, kind, record });
    }

    fn mark(&mut self, number: u32, record: &Record, lane: usize, kind: MarkKind) {
        let task = record.task.checked_sub(1);
        let (at, value) = (record.at, record.value);
        self.timeline.marks.push(Mark { lane, at, kind, value, task, record: number });
    }

    fn arrives(&mut self, number: u32, record: &Record, lane: usize, fate: Fate) {
        let Some(packet) = self.packets.remove(&record.cause) else { return };
        let arrow = &mut self.timeline.arrows[packet.arrow];
        (arrow.to, arrow.ended, arrow.end) = (lane, record.at, number);
        let slow = record.at - arrow.sent > self.plan.slowest();
        arrow.fate = if fate == Fate::Delivered && slow { Fate::Late } else { fate };
    }

    fn starts(&mut self, number: u32, record: &Record, lane: usize) {
        let running = &self.running[lane];
        let taken = |row| running.values().any(|bar| self.timeline.bars[*bar].row == row);
        let row = (0..).find(|row| !taken(*row)).unwrap_or(0);
        let key = (record.task, record.value);
        self.running[lane].insert(key, self.timeline.bars.len());
        self.timeline.bars.push(Bar {
            lane,
            row,
            from: record.at,
            to: record.at,
            task: record.task.saturating_sub(1),
            attempt: record.value,
            record: number,
        });
    }

    fn fault(&mut self, number: u32, record: &Record, words: &str) {
        let episode = usize::try_from(record.value).ok().and_then(|i| self.plan.episodes.get(i));
        let struck = episode.map_or_else(Vec::new, |episode| episode.fault.strikes(self.plan));
        let lasts = episode.map_or(0, |episode| episode.fault.lasts());
        let count = self.timeline.lanes.len();
        let lanes = struck.into_iter().map(lane_of).filter(|lane| *lane < count).collect();
        self.timeline.bands.push(Band {
            lanes,
            from: record.at,
            to: record.at + lasts,
            words: words.to_owned(),
            record: number,
        });
    }

    fn finish(mut self) -> Timeline {
        let end = self.timeline.to;
        for span in self.open.iter_mut().filter_map(Option::take) {
            self.timeline.spans.push(Span { to: end, ..span });
        }
        for bar in self.running.iter().flat_map(BTreeMap::values) {
            self.timeline.bars[*bar].to = end;
        }
        // An open packet went to whoever is at the other end: the coordinator, or nobody knows whom.
        for packet in self.packets.values() {
            let arrow = &mut self.timeline.arrows[packet.arrow];
            if arrow.from > 0 {
                arrow.to = 0;
            }
        }
        for band in &mut self.timeline.bands {
            band.to = band.to.min(end);
        }
        self.timeline
    }
}

/// Frames that travel also where there is nothing to do.
const fn is_routine(kind: FrameKind) -> bool {
    matches!(
        kind,
        FrameKind::Beat
            | FrameKind::BeatAnswer
            | FrameKind::Statistics
            | FrameKind::WorkerAck
            | FrameKind::CoordinatorAck
    )
}

fn lane_of(who: Who) -> usize {
    match who {
        Who::Coordinator => 0,
        Who::Worker(index) => index + 1,
    }
}
