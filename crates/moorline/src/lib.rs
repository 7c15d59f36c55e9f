//! Keeps distributed workers moored to their coordinator.
