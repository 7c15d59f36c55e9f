//! The worker's node against a scripted coordinator: frames as values, time as a number.

mod drain;
mod elsewhere;
mod journal;
mod laws;
mod parts;
mod script;
mod sessions;
