//! Events in memory: the latest ones, dense by number.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::convert::Infallible;

use moorline_link::Epoch;
use moorline_node::Event;

use crate::event::Paging;
use crate::rule;
use crate::{EventPage, EventQuery, EventRecord, Retention, WallTime};

/// So many are kept at most, whatever the retention: they are for looking back a little, and the
/// process has other uses for its memory.
const KEPT_MAX: usize = 65_536;

#[derive(Debug, Default)]
pub(super) struct Events {
    last: u64,
    kept: VecDeque<EventRecord>,
}

impl Events {
    pub(super) fn push(&mut self, at: WallTime, epoch: Epoch, event: Event) {
        self.last += 1;
        if self.kept.len() == KEPT_MAX {
            self.kept.pop_front();
        } else if self.kept.len() == self.kept.capacity() {
            // By a quarter: doubled, it would mostly be room for events to come.
            let more = (self.kept.len() / 4).max(64);
            self.kept.reserve_exact(more.min(KEPT_MAX - self.kept.len()));
        }
        self.kept.push_back(EventRecord { seq: self.last, at, epoch, event });
    }

    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// When the last of them happened.
    pub(super) fn last_at(&self) -> Option<WallTime> {
        self.kept.back().map(|record| record.at)
    }

    pub(super) fn len(&self) -> u64 {
        self.kept.len() as u64
    }

    fn first(&self) -> u64 {
        self.kept.front().map_or(self.last + 1, |record| record.seq)
    }

    fn place(&self, seq: u64) -> usize {
        usize::try_from(seq.saturating_sub(self.first())).unwrap_or(usize::MAX).min(self.kept.len())
    }

    pub(super) fn page(&self, query: &EventQuery) -> EventPage {
        let at = |seq| Ok::<_, Infallible>(self.kept[self.place(seq)].at);
        let Ok((after, before)) = query.range(self.first(), self.last, at);
        let range = self.place(after + 1)..self.place(before.max(after + 1));
        let end = if query.newest_first { after + 1 } else { before.saturating_sub(1) };
        let mut paging = Paging::new(query, end);
        let mut rows;
        let mut reversed;
        let rows: &mut dyn Iterator<Item = &EventRecord> = if query.newest_first {
            reversed = self.kept.range(range).rev();
            &mut reversed
        } else {
            rows = self.kept.range(range);
            &mut rows
        };
        for record in rows.filter(|record| query.looks_at(&record.event)) {
            if !paging.look(Cow::Borrowed(record)) {
                break;
            }
        }
        paging.page()
    }

    pub(super) fn prune(&mut self, now: WallTime, retention: &Retention) -> u64 {
        let ages = self.kept.iter().map(|record| Ok::<_, Infallible>(record.at));
        let Ok(gone) = rule::prunable_events(now, retention, self.first(), self.last, ages);
        self.kept.drain(..self.place(self.first() + gone));
        gone
    }
}
