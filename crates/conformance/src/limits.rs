use std::time::Duration;

/// How patiently promises are judged, and how many at the same time.
///
/// ```
/// use std::time::Duration;
///
/// use moorline_conformance::Limits;
///
/// let slow_machine = Limits { patience: Duration::from_secs(60), jobs: 1, ..Limits::default() };
/// assert_eq!(slow_machine.limit, Duration::from_secs(120));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// How long is waited for each thing that has to happen. Default: 20 s, which only a broken promise
    /// takes.
    pub patience: Duration,
    /// How long a whole promise may take. Default: 2 min.
    pub limit: Duration,
    /// How many promises are judged at the same time; 0 is taken for 1. Default: 8.
    pub jobs: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { patience: Duration::from_secs(20), limit: Duration::from_secs(120), jobs: 8 }
    }
}
