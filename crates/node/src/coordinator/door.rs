//! Who is let in by what a certificate proves: the one worker it is for, and nobody else.

use moorline_link::Reason;

use crate::Name;

/// Letters of a certificate's name in a hint: a name of a worker is no longer.
const SHOWN: usize = Name::MAX;

/// Why whoever calls itself `name` is not let in, and what is to be done; none: it may be. `proven`: the
/// name in its certificate, none if it was not asked for one. `wanted`: without one nobody comes in.
pub(super) fn refusal(proven: Option<&str>, name: &Name, wanted: bool) -> Option<(Reason, String)> {
    match proven {
        Some(proven) if proven == name.as_str() => None,
        Some("") => {
            let hint = format!(
                "The certificate shown is for nobody, and the worker calls itself {name}. Give it one \
                 whose subject has that name as its common name (CN)."
            );
            Some((Reason::AuthRejected, hint))
        }
        Some(proven) => {
            // Whatever is in there is no control character any more, and not long.
            let proven: String = proven.escape_debug().take(SHOWN).collect();
            let hint = format!(
                "The certificate shown is for {proven}, and the worker calls itself {name}. Give the \
                 worker that name, or a certificate for the name it has."
            );
            Some((Reason::AuthRejected, hint))
        }
        None if wanted => {
            let hint = "Only who shows a certificate is let in, and this connection asked for none. \
                        Give the worker a certificate for its name, and the URL of an endpoint with TLS.";
            Some((Reason::AuthMissing, hint.to_owned()))
        }
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Name, Reason, refusal};
    use crate::frame::HINT_MAX;

    fn name(text: &str) -> Name {
        Name::new(text).expect("a name")
    }

    #[test]
    fn a_certificate_is_good_for_its_own_name_whatever_else_is_wanted() {
        for wanted in [false, true] {
            assert_eq!(refusal(Some("w1"), &name("w1"), wanted), None);
            for other in ["w2", "W1", "w1 ", "w", ""] {
                let reason = refusal(Some(other), &name("w1"), wanted).map(|(reason, _)| reason);
                assert_eq!(reason, Some(Reason::AuthRejected), "{other:?}");
            }
        }
        assert_eq!(refusal(None, &name("w1"), false), None);
        let reason = refusal(None, &name("w1"), true).map(|(reason, _)| reason);
        assert_eq!(reason, Some(Reason::AuthMissing));
    }

    #[test]
    fn a_hint_names_both_and_fits_whatever_stands_in_a_certificate() {
        let (_, hint) = refusal(Some("w2"), &name("w1"), false).expect("it is another one");
        assert!(hint.contains("for w2,") && hint.contains("itself w1."), "{hint}");
        let long = name(&"n".repeat(Name::MAX));
        for proven in ["\u{202e}".repeat(40_000), "\n".repeat(70_000), "\u{10ffff}".repeat(600)] {
            let (_, hint) = refusal(Some(&proven), &long, false).expect("it is another one");
            assert!(hint.len() <= HINT_MAX, "{} {hint}", hint.len());
            assert!(!hint.chars().any(char::is_control), "{hint:?}");
        }
        let (_, hint) = refusal(None, &long, true).expect("one is wanted");
        assert!(hint.len() <= HINT_MAX);
        let (_, hint) = refusal(Some(""), &long, true).expect("it names nobody");
        assert!(hint.len() <= HINT_MAX);
    }
}
