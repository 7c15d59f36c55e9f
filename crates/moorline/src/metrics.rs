//! Metrics in Prometheus' text format, from what the loops have counted and from live state.
//!
//! Gauges are computed when somebody scrapes: nothing that is gone leaves a series behind. The format
//! is written here and not by a library: the one that fits (prometheus-client) writes OpenMetrics, in
//! which a counter's name loses its `_total` in `# TYPE`, and that is what `promtool check metrics`
//! refuses; and two thirds of it are cells for counting, which are in the driver.

mod catalogue;
#[cfg(feature = "coordinator")]
mod coordinator;
mod page;
mod process;
#[cfg(feature = "coordinator")]
mod traffic;
mod worker;

#[cfg(feature = "coordinator")]
pub(crate) use coordinator::measure_coordinator;
pub(crate) use page::Page;
#[cfg(all(test, feature = "coordinator"))]
pub(crate) use traffic::STREAMS;
#[cfg(feature = "coordinator")]
pub(crate) use traffic::Traffic;
pub(crate) use worker::measure_worker;

use catalogue::BUILD_INFO;

/// What every page has.
fn measure_process(page: &mut Page, role: &str) {
    page.put(&BUILD_INFO, [(&[env!("CARGO_PKG_VERSION"), role][..], 1)]);
    process::measure(page);
}

#[cfg(all(test, feature = "coordinator"))]
pub(crate) use coordinator::workers;
#[cfg(test)]
pub(crate) mod tests;
#[cfg(test)]
pub(crate) use tests::same_document;
