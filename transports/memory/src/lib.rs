//! Moorline packets inside one process.
