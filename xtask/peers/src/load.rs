//! What every peer is put under, and what is measured of it.

use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};

use crate::Error;

// The same percentiles as ours. Formatted where it lives.
#[rustfmt::skip]
#[path = "../../../crates/moorline/src/cli/bench/histogram.rs"]
mod histogram;

/// Bytes of a task, and of its result.
const SIZE: usize = 64;

/// The task that finds out whether the worker is there: it has no place in the window.
pub(crate) const PROBE: u32 = u32::MAX;

/// So many tasks under way for so long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) window: u32,
    time: Duration,
}

impl Load {
    pub(crate) fn new(window: u32, time: Duration) -> Result<Self, Error> {
        match window {
            1..=65_536 if !time.is_zero() => Ok(Self { window, time }),
            _ => Err("a window of 1 to 65536, for at least a second".into()),
        }
    }
}

/// 64 bytes that say which place of the window they are for.
pub(crate) fn task(place: u32) -> Bytes {
    let mut bytes = [7; SIZE];
    bytes[..4].copy_from_slice(&place.to_le_bytes());
    Bytes::copy_from_slice(&bytes)
}

/// The place of the task with this result.
pub(crate) fn place(result: &[u8]) -> Result<u32, Error> {
    match result.first_chunk() {
        Some(place) if result.len() == SIZE => Ok(u32::from_le_bytes(*place)),
        _ => Err(format!("a result of {} bytes", result.len()).into()),
    }
}

/// A task under way.
#[derive(Clone, Copy)]
struct Place {
    since: Instant,
    /// What has still to be heard before it has ended.
    missing: u8,
}

/// The tasks under way, and how long those took that have ended.
pub(crate) struct Window {
    places: Vec<Place>,
    signs: u8,
    counts_from: Instant,
    end: Instant,
    histogram: histogram::Histogram,
}

impl Window {
    /// The time begins. A task has ended when so many `signs` of it were heard, such as that it is
    /// kept and that it has a result.
    pub(crate) fn new(load: Load, signs: u8) -> Self {
        let start = Instant::now();
        let place = Place { since: start, missing: 0 };
        Self {
            places: vec![place; load.window as usize],
            signs,
            counts_from: start + load.time / 5,
            end: start + load.time,
            histogram: histogram::Histogram::default(),
        }
    }

    pub(crate) fn end(&self) -> tokio::time::Instant {
        self.end.into()
    }

    /// The task that is submitted in this place now.
    pub(crate) fn open(&mut self, place: u32) -> Bytes {
        self.places[place as usize] = Place { since: Instant::now(), missing: self.signs };
        task(place)
    }

    /// A sign of the task in this place was heard. Whether it was the last: another task has to follow.
    pub(crate) fn heard(&mut self, place: u32) -> Result<bool, Error> {
        if place == PROBE {
            return Ok(false);
        }
        let task = self.places.get_mut(place as usize).ok_or("a result of no task")?;
        task.missing = task.missing.checked_sub(1).ok_or("a task that ended twice")?;
        if task.missing > 0 {
            return Ok(false);
        }
        let now = Instant::now();
        if now >= self.counts_from && now < self.end {
            self.histogram.record(now - task.since);
        }
        Ok(true)
    }

    /// As `moorline bench coordinator` prints them.
    pub(crate) fn figures(&self) -> Result<Value, Error> {
        let total = self.histogram.total();
        if total == 0 {
            return Err("no task has ended: is the worker gone?".into());
        }
        let rounded = |value: f64| (value * 10.0).round() / 10.0;
        let counted = (self.end - self.counts_from).as_secs_f64();
        Ok(json!({
            "tasks_per_s": rounded(total as f64 / counted),
            "p50_us": rounded(self.histogram.micros(0.5)),
            "p99_us": rounded(self.histogram.micros(0.99)),
            "p999_us": rounded(self.histogram.micros(0.999)),
            "tasks": total,
        }))
    }
}
