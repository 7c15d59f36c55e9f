//! What a task asks for, and the body of the request that hands it in.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::INPUT_MAX;
use crate::{Error, Result, TaskId};

/// A task to hand in.
///
/// ```
/// use moorline::Submit;
///
/// let resize = Submit::json("resize", &("cat.png", 200))?.max_retries(3);
/// let raw = Submit::new("digest", "any bytes");
/// assert_ne!(resize.id(), raw.id());
/// # Ok::<(), moorline::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub struct Submit {
    pub(crate) id: TaskId,
    pub(crate) kind: String,
    pub(crate) input: Bytes,
    pub(crate) max_retries: u32,
    pub(crate) priority: i16,
    pub(crate) timeout: Option<Duration>,
}

impl Submit {
    /// A task of this type with this input as it is, under a new id.
    ///
    /// ```
    /// let task = moorline::Submit::new("digest", "any bytes");
    /// # let _ = task;
    /// ```
    pub fn new(kind: impl Into<String>, input: impl Into<Bytes>) -> Self {
        Self {
            id: TaskId::generate(),
            kind: kind.into(),
            input: input.into(),
            max_retries: 0,
            priority: 0,
            timeout: None,
        }
    }

    /// A task of this type with this input as JSON.
    ///
    /// # Errors
    /// [`Error::Json`] if the input cannot be written as JSON.
    ///
    /// ```
    /// let task = moorline::Submit::json("resize", &("cat.png", 200))?;
    /// # let _ = task;
    /// # Ok::<(), moorline::Error>(())
    /// ```
    pub fn json(kind: impl Into<String>, input: &impl Serialize) -> Result<Self> {
        Ok(Self::new(kind, serde_json::to_vec(input)?))
    }

    /// Under this id: submitting the same task under the same id again changes nothing.
    ///
    /// ```
    /// use moorline::{Submit, TaskId};
    ///
    /// let id = TaskId::generate();
    /// assert_eq!(Submit::new("digest", "bytes").with_id(id).id(), id);
    /// ```
    pub fn with_id(self, id: TaskId) -> Self {
        Self { id, ..self }
    }

    /// Further attempts after a failure that may be retried. Default 0.
    ///
    /// ```
    /// let task = moorline::Submit::new("digest", "bytes").max_retries(3);
    /// # let _ = task;
    /// ```
    pub fn max_retries(self, max_retries: u32) -> Self {
        Self { max_retries, ..self }
    }

    /// Larger goes first. Default 0.
    ///
    /// ```
    /// let urgent = moorline::Submit::new("digest", "bytes").priority(10);
    /// # let _ = urgent;
    /// ```
    pub fn priority(self, priority: i16) -> Self {
        Self { priority, ..self }
    }

    /// How long one attempt may run, at least 1 ms. Default: no limit but the worker's own.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let task = moorline::Submit::new("digest", "bytes").timeout(Duration::from_secs(60));
    /// # let _ = task;
    /// ```
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    /// Its id.
    ///
    /// ```
    /// use moorline::Submit;
    ///
    /// let task = Submit::new("digest", "bytes");
    /// println!("wait for {}", task.id());
    /// ```
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.id
    }
}

/// The body of `POST /tasks`.
///
/// The input is text where it can be, so that a request can be written by hand, and base64 else.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SubmitBody {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<TaskId>,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) input: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) input_base64: Option<String>,
    #[serde(default)]
    pub(crate) max_retries: u32,
    #[serde(default)]
    pub(crate) priority: i16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) timeout_ms: Option<u64>,
}

/// Largest body of a submit in bytes: the largest input as text with every character escaped once,
/// and room for the rest.
#[cfg(feature = "coordinator")]
pub(crate) const SUBMIT_BODY_MAX: usize = 2 * INPUT_MAX + (64 << 10);

impl SubmitBody {
    /// The body of this task.
    ///
    /// # Errors
    /// [`Error::TooLarge`].
    #[cfg(feature = "client")]
    pub(crate) fn of(task: &Submit) -> Result<Self> {
        let len = task.input.len();
        if len > INPUT_MAX {
            return Err(Error::TooLarge { len, max: INPUT_MAX });
        }
        // JSON writes a control character as six: base64 is shorter then, and as unreadable.
        let text = std::str::from_utf8(&task.input)
            .ok()
            .filter(|text| !text.bytes().any(|byte| byte < b' ' && !b"\n\r\t".contains(&byte)));
        let timeout_ms = task
            .timeout
            .map(|timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX).max(1));
        Ok(Self {
            id: Some(task.id),
            kind: task.kind.clone(),
            input: text.map(str::to_owned),
            input_base64: text.is_none().then(|| STANDARD.encode(&task.input)),
            max_retries: task.max_retries,
            priority: task.priority,
            timeout_ms,
        })
    }

    /// The input it carries: none is the empty one.
    ///
    /// # Errors
    /// [`Error::TooLarge`], or [`Error::Setting`] for two inputs or bad base64.
    #[cfg(feature = "coordinator")]
    pub(crate) fn take_input(&mut self) -> Result<Bytes> {
        let input = match (self.input.take(), self.input_base64.take()) {
            (Some(_), Some(_)) => {
                return Err(Error::setting("input", "give either input or input_base64"));
            }
            (Some(text), None) => Bytes::from(text),
            (None, Some(text)) => match STANDARD.decode(text) {
                Ok(bytes) => Bytes::from(bytes),
                Err(error) => return Err(Error::setting("input_base64", error)),
            },
            (None, None) => Bytes::new(),
        };
        if input.len() > INPUT_MAX {
            return Err(Error::TooLarge { len: input.len(), max: INPUT_MAX });
        }
        Ok(input)
    }
}
