//! The coordinator's node against a scripted worker and a scripted store: frames and answers as values.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one variant")]

mod admit;
mod adopt;
mod elsewhere;
mod events;
mod laws;
mod members;
mod memory;
mod script;
mod silent;
mod store;
mod work;
mod yard;
