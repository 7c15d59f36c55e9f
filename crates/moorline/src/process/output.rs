//! What a child writes: a bounded result, and the end of what it complains about.

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// More was written than a result may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Overflow;

/// Reads to the end, or to more than `max` bytes. A read that fails is the end.
pub(super) async fn read_result(
    from: Option<impl AsyncRead + Unpin>,
    max: usize,
) -> Result<Bytes, Overflow> {
    let mut result = BytesMut::new();
    let Some(mut from) = from else { return Ok(result.freeze()) };
    while let Ok(1..) = from.read_buf(&mut result).await {
        if result.len() > max {
            return Err(Overflow);
        }
    }
    Ok(result.freeze())
}

/// Reads to the end and keeps the last `max` bytes, as text from the first whole line of them.
pub(super) async fn read_tail(from: Option<impl AsyncRead + Unpin>, max: usize) -> String {
    let mut tail = BytesMut::new();
    let mut cut = false;
    if let Some(mut from) = from {
        while let Ok(1..) = from.read_buf(&mut tail).await {
            if tail.len() > 2 * max {
                drop(tail.split_to(tail.len() - max));
                cut = true;
            }
        }
    }
    if tail.len() > max {
        drop(tail.split_to(tail.len() - max));
        cut = true;
    }
    let text = String::from_utf8_lossy(&tail);
    match text.split_once('\n') {
        Some((_, whole)) if cut => format!("…\n{whole}"),
        Some(_) | None => text.into_owned(),
    }
}
