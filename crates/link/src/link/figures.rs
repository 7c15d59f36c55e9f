//! What the coordinator is told of this link's statistics: with every sixth beat, if it wants to know.

use core::time::Duration;

use super::{Connection, Link};
use crate::{Features, Instant, LinkVerdict, Statistics};

/// One report to so many beats.
const BEATS: u32 = 6;

impl Connection {
    fn takes_figures(&self) -> bool {
        self.features & Features::STATISTICS != 0
    }
}

impl Link {
    /// A beat was written at `now`: with it, and every sixth one after, the figures as of then. The
    /// second beat of a connection is the first that knows of a round trip on it.
    pub(super) fn figures_with_beat(&mut self, now: Instant, seq: u32) {
        if seq % BEATS != 2 || !self.connection.as_ref().is_some_and(Connection::takes_figures) {
            return;
        }
        let figures = self.figures(now);
        if let Some(connection) = &mut self.connection {
            connection.figures_due = Some(figures);
        }
    }

    fn figures(&self, now: Instant) -> Statistics {
        let statistics = &self.statistics;
        let trips = statistics.round_trips();
        let micros = |of: fn(&crate::RoundTripFigures) -> Duration| {
            let micros = trips.as_ref().map_or(0, |trips| of(trips).as_micros());
            u32::try_from(micros).unwrap_or(u32::MAX)
        };
        let whole = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Statistics {
            rtt_mean_micros: micros(|trips| trips.mean),
            rtt_deviation_micros: micros(|trips| trips.deviation),
            rtt_p50_micros: micros(|trips| trips.p50),
            rtt_p99_micros: micros(|trips| trips.p99),
            connected_micros: whole(statistics.connected(now)),
            disconnected_micros: whole(statistics.disconnected(now)),
            recent_stability_ppm: statistics.recent_stability_ppm(now),
            dials: statistics.dials(),
            successes: statistics.successes(),
            failures: statistics.failures(),
            outages: statistics.outages_count(),
            degraded: self.degraded,
        }
    }

    pub(super) fn on_reset_statistics(&mut self, now: Instant) -> LinkVerdict {
        self.statistics.reset(now);
        LinkVerdict::Accepted
    }
}
