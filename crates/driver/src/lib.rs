//! Runs moorline nodes over a transport, a clock, a store and a runtime.
