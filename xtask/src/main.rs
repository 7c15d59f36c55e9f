//! Chores of the moorline repository.
fn main() {}
