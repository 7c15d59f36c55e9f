//! What clients do with the admin API.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{Method, StatusCode};
use moorline_driver::Histogram;
use tokio::sync::Semaphore;

use super::catalogue::{HTTP_REQUEST, STREAM_CLIENTS};
use super::page::Page;

/// Clients that follow the events at once, at most.
pub(crate) const STREAMS: usize = 64;

/// Answers from memory up to the longest wait for a task.
static BOUNDS: [Duration; 11] = [
    Duration::from_millis(1),
    Duration::from_micros(2_500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_millis(2_500),
    Duration::from_secs(10),
    Duration::from_secs(30),
];

/// Requests by route, method and class of status: as many as there are of these.
type Requests = BTreeMap<(String, &'static str, &'static str), Histogram>;

/// What clients do with the admin API.
#[derive(Debug)]
pub(crate) struct Traffic {
    requests: Mutex<Requests>,
    streams: Arc<Semaphore>,
}

impl Default for Traffic {
    fn default() -> Self {
        Self { requests: Mutex::default(), streams: Arc::new(Semaphore::new(STREAMS)) }
    }
}

impl Traffic {
    /// Room for those who follow the events.
    pub(crate) fn streams(&self) -> &Arc<Semaphore> {
        &self.streams
    }

    /// A request was answered. `route` is the pattern of its path; none if there is no such path, whose
    /// text would be a label of the client's making.
    pub(crate) fn answered(
        &self,
        route: Option<&str>,
        method: &Method,
        status: StatusCode,
        took: Duration,
    ) {
        let key = (route.unwrap_or("other").to_owned(), word(method), class(status));
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.entry(key).or_insert_with(|| Histogram::new(&BOUNDS)).observe(took);
    }

    pub(super) fn measure(&self, page: &mut Page) {
        let clients = STREAMS.saturating_sub(self.streams.available_permits());
        page.one(&STREAM_CLIENTS, clients as u64);
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let series: Vec<_> = requests
            .iter()
            .map(|((route, method, class), all)| ([route.as_str(), method, class], all.view()))
            .collect();
        page.durations(
            &HTTP_REQUEST,
            series.iter().map(|(labels, all)| (&labels[..], all.clone())),
        );
    }
}

/// A client may call a method what it likes: those that are answered have a word.
fn word(method: &Method) -> &'static str {
    [
        (Method::GET, "GET"),
        (Method::POST, "POST"),
        (Method::DELETE, "DELETE"),
        (Method::HEAD, "HEAD"),
    ]
    .into_iter()
    .find(|(known, _)| known == method)
    .map_or("other", |(_, word)| word)
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}

#[cfg(test)]
mod tests;
