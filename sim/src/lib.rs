//! A deterministic world around the real moorline nodes.
