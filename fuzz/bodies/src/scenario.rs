//! Scenario files: refused with lines and hints, or read as they are written again.

use moorline_sim::scenario::Scenario;

/// Reads a scenario.
pub fn scenario(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Scenario::parse(text) {
        Ok(scenario) => {
            let written = scenario.to_text();
            let again = Scenario::parse(&written);
            assert_eq!(again, Ok(scenario), "written as\n{written}");
        }
        Err(errors) => {
            assert!(!errors.is_empty(), "it is refused for a reason");
            let lines = text.split('\n').count();
            for error in errors {
                assert!((1..=lines).contains(&error.line), "of {lines} lines: {error:?}");
                assert!(!error.what.is_empty() && !error.hint.is_empty(), "{error:?}");
            }
        }
    }
}
