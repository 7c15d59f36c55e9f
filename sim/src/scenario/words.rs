//! What a mistyped word was probably meant to be.

/// `: did you mean …?`, if one of these is near.
pub(super) fn meant<'a>(text: &str, words: impl IntoIterator<Item = &'a str>) -> String {
    let distance = |word: &str| strsim::damerau_levenshtein(text, word);
    let nearest = words.into_iter().min_by_key(|word| distance(word));
    let near = 1 + text.chars().count() / 4;
    nearest
        .filter(|word| distance(word) <= near)
        .map(|word| format!(": did you mean `{word}`?"))
        .unwrap_or_default()
}
