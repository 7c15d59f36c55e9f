//! A run as a picture: an HTML page for people who look for a cause, an SVG for documents.
//!
//! Both show the same [`Timeline`]: a lane for each process, coloured by the state of its link; packets
//! as arrows, coloured by what became of them; faults as bands behind the lanes; timers as ticks;
//! handlers as bars; the broken promise, if there is one, as a pin.

mod html;
mod svg;
mod timeline;

pub use timeline::{Arrow, Band, Bar, Fate, Lane, Mark, MarkKind, Pin, Span, SpanKind, Timeline};

#[cfg(test)]
mod tests;
