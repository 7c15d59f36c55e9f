//! What a script and a request to a proxy may say, for the fuzz target `chaos_script`.

use moorline_chaos::Change;

use super::change::{self, Terms, Verb};
use super::script;

/// Reads any bytes as a script and as a request. What is accepted is told in words that are read again as
/// the same change; what is not is refused in words.
#[doc(hidden)]
pub fn chaos_script(bytes: &[u8]) {
    if let Ok(terms) = serde_json::from_slice::<Terms>(bytes) {
        for verb in Verb::ALL {
            match terms.change(verb) {
                Ok(change) => told(change),
                Err(problem) => assert!(!problem.is_empty()),
            }
        }
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match script::parse(text) {
        Ok(script) => {
            assert!(script.steps.len() <= 2 * text.len(), "steps from nowhere");
            script.steps.iter().for_each(|step| told(step.change));
        }
        Err(problem) => assert!(!problem.is_empty()),
    }
}

fn told(change: Change) {
    let mut told = change::told(change);
    let verb = told.remove("do").expect("every change has a word");
    let verb = Verb::ALL.into_iter().find(|known| verb == known.word()).expect("a known word");
    let terms: Terms = serde_json::from_value(told.into()).expect("it is told as it is read");
    assert_eq!(terms.change(verb), Ok(change), "it is another change as it is told");
}
