//! Texts that only fit some settings: each is read by the type that will take it.

use tracing_subscriber::EnvFilter;

use crate::StoreAt;

/// Every text fits.
pub(super) fn any(_text: &str) -> Result<(), String> {
    Ok(())
}

/// `sqlite:FILE` or `memory`.
pub(super) fn store(text: &str) -> Result<(), String> {
    text.parse::<StoreAt>().map(|_| ()).map_err(|error| error.to_string())
}

/// A level, or directives of a log filter.
pub(super) fn log_filter(text: &str) -> Result<(), String> {
    let wrong =
        |_| format!("`{text}` is not a level (error, warn, info, debug, trace) or a log filter");
    // A word that is no level is taken for the name of a module.
    let words = ["off", "error", "warn", "info", "debug", "trace"];
    let level =
        text.contains(['=', ',', '[']) || words.iter().any(|word| text.eq_ignore_ascii_case(word));
    match EnvFilter::try_new(text) {
        Ok(_) if level => Ok(()),
        Ok(_) => Err(wrong(())),
        Err(_) => Err(wrong(())),
    }
}

/// An address with a port, where health can be served.
pub(super) fn health_address(text: &str) -> Result<(), String> {
    crate::health::address(text)
        .map(|_| ())
        .map_err(|_| format!("`{text}` is not an address; write it as 127.0.0.1:8742"))
}
