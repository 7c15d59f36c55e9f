//! What a handler sees: its input, its context, and how it says that it failed.

mod ctx;
mod typed;

use bytes::Bytes;
use futures::future::BoxFuture;
use moorline_work::Outcome;

pub use ctx::TaskCtx;
pub(crate) use ctx::{Abort, Stop};
pub(crate) use typed::Typed;
#[cfg(any(test, feature = "client"))]
pub(crate) use typed::decode;
#[cfg(test)]
pub(crate) use typed::encode;

use crate::BoxError;

/// Runs tasks of one type.
pub(crate) trait Handler: Send + Sync + 'static {
    /// Runs one attempt. Dropping the future ends it.
    fn call(&self, ctx: TaskCtx, input: Bytes) -> BoxFuture<'static, Finished>;
}

/// How an attempt ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Finished {
    /// How.
    pub(crate) outcome: Outcome,
    /// The result, or the error in words.
    pub(crate) body: Bytes,
}

impl Finished {
    /// With a result.
    pub(crate) fn succeeded(result: Bytes) -> Self {
        Self { outcome: Outcome::Succeeded, body: result }
    }

    /// With an error in words; `retryable` if another attempt may help.
    pub(crate) fn failed(retryable: bool, error: impl Into<String>) -> Self {
        let mut error: String = error.into();
        if error.len() > ERROR_MAX {
            let end = (0..=ERROR_MAX).rev().find(|&at| error.is_char_boundary(at)).unwrap_or(0);
            error.truncate(end);
            error.push('…');
        }
        Self { outcome: Outcome::Failed { retryable }, body: error.into() }
    }
}

/// Longest error text that is kept: 16 KiB.
const ERROR_MAX: usize = 16 << 10;

/// An error after which no further attempt is made, whatever `max_retries` says.
///
/// ```
/// use moorline::{BoxError, Fatal, TaskCtx};
///
/// async fn resize(_ctx: TaskCtx, width: u32) -> Result<u32, BoxError> {
///     if width == 0 {
///         return Err(Fatal::new("a picture without width stays one").into());
///     }
///     Ok(width / 2)
/// }
/// # let _ = resize;
/// ```
#[derive(Debug)]
pub struct Fatal(BoxError);

impl Fatal {
    /// Marks an error as one that no retry can heal.
    ///
    /// ```
    /// use moorline::{BoxError, Fatal};
    ///
    /// let error: BoxError = Fatal::new("no such table").into();
    /// assert_eq!(error.to_string(), "no such table");
    /// ```
    pub fn new(error: impl Into<BoxError>) -> Self {
        Self(error.into())
    }
}

impl std::fmt::Display for Fatal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Fatal {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

/// An error with its causes, in one line.
pub(crate) fn error_text(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        // Many errors repeat their cause in their own text.
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
