//! Handlers with typed input and result: JSON by serde, `Bytes` as it is.

use std::any::{Any, TypeId};
use std::future::Future;
use std::marker::PhantomData;

use bytes::Bytes;
use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Fatal, Finished, Handler, TaskCtx, error_text};
use crate::BoxError;

/// An async function as a handler.
pub(crate) struct Typed<F, T> {
    function: F,
    input: PhantomData<fn(T)>,
}

impl<F, T> Typed<F, T> {
    pub(crate) fn new(function: F) -> Self {
        Self { function, input: PhantomData }
    }
}

impl<F, T, R, E, Fut> Handler for Typed<F, T>
where
    F: Fn(TaskCtx, T) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, E>> + Send + 'static,
    T: DeserializeOwned + Send + 'static,
    R: Serialize + Send + 'static,
    E: Into<BoxError> + 'static,
{
    fn call(&self, ctx: TaskCtx, input: Bytes) -> BoxFuture<'static, Finished> {
        let input = match decode::<T>(input) {
            Ok(input) => input,
            Err(error) => {
                let text = format!("the input is not what the handler takes: {error}");
                return Box::pin(async { Finished::failed(false, text) });
            }
        };
        let run = (self.function)(ctx, input);
        Box::pin(async move { finished(run.await.map_err(Into::into)) })
    }
}

fn finished<R: Serialize + 'static>(result: Result<R, BoxError>) -> Finished {
    match result {
        Ok(result) => match encode(result) {
            Ok(body) => Finished::succeeded(body),
            Err(error) => {
                Finished::failed(false, format!("the result cannot be written as JSON: {error}"))
            }
        },
        Err(error) => {
            let retryable = error.downcast_ref::<Fatal>().is_none();
            Finished::failed(retryable, error_text(error.as_ref()))
        }
    }
}

/// Reads an input or a result. No bytes at all are JSON's `null`, so that a task without input
/// fits handlers that take `()` or an `Option`.
///
/// Whether `T` is `Bytes` is asked at run time: two blanket implementations, one for `Bytes` and
/// one for what serde reads, cannot stand beside each other.
pub(crate) fn decode<T: DeserializeOwned + 'static>(bytes: Bytes) -> serde_json::Result<T> {
    if TypeId::of::<T>() == TypeId::of::<Bytes>() {
        let mut raw = Some(bytes);
        let same: &mut dyn Any = &mut raw;
        if let Some(raw) = same.downcast_mut::<Option<T>>().and_then(Option::take) {
            return Ok(raw);
        }
        // Not reached: the types are the same.
        return serde_json::from_slice(b"null");
    }
    serde_json::from_slice(if bytes.is_empty() { b"null" } else { &bytes })
}

/// Writes an input or a result.
pub(crate) fn encode<T: Serialize + 'static>(value: T) -> serde_json::Result<Bytes> {
    let mut value = Some(value);
    let any: &mut dyn Any = &mut value;
    if let Some(raw) = any.downcast_mut::<Option<Bytes>>().and_then(Option::take) {
        return Ok(raw);
    }
    serde_json::to_vec(&value).map(Bytes::from)
}
