//! What a check comes to while it runs.

/// What ends a check before its end.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It cannot be judged; why.
    NotJudged(String),
    /// The promise is broken.
    Broken { expected: String, saw: String },
}

/// What a check comes to.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// The promise is broken.
pub(crate) fn broken<T>(expected: impl Into<String>, saw: impl Into<String>) -> Outcome<T> {
    Err(Failure::Broken { expected: expected.into(), saw: saw.into() })
}

/// The promise is broken unless this holds.
pub(crate) fn holds(
    kept: bool,
    expected: impl Into<String>,
    saw: impl FnOnce() -> String,
) -> Outcome {
    if kept { Ok(()) } else { broken(expected, saw()) }
}

/// Something that no peer may do, seen by a machine that watches everything: of which promise it is.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) promise: &'static str,
    pub(crate) expected: String,
    pub(crate) saw: String,
}
