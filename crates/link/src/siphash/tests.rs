use super::sip24;

/// The key of the reference vectors: the bytes 00 to 0f.
const KEY: [u64; 2] = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];

/// The message 00, 01, 02 ... of so many words.
fn message(words: u64) -> Vec<u64> {
    let bytes = |n: u64| (8 * n..8 * n + 8).map(|byte| byte.to_le_bytes()[0]);
    (0..words).map(|n| bytes(n).rev().fold(0, |word, byte| word << 8 | u64::from(byte))).collect()
}

#[test]
fn the_reference_vectors_of_whole_words_come_out() {
    // Rows 0, 8 and 16 of `vectors_sip64` in the authors' code, as numbers.
    let vectors =
        [(0, 0x726f_db47_dd0e_0e31), (1, 0x93f5_f579_9a93_2462), (2, 0x3f2a_cc7f_57c2_9bdb)];
    for (words, hash) in vectors {
        assert_eq!(sip24(KEY, &message(words)), hash, "{words} words");
    }
}

#[test]
#[expect(deprecated, reason = "the standard library's SipHash-2-4 is the second opinion")]
fn it_agrees_with_the_standard_library() {
    use std::hash::{Hasher, SipHasher};
    for words in 0..40 {
        for key in [KEY, [0, 0], [u64::MAX, 1]] {
            let mut other = SipHasher::new_with_keys(key[0], key[1]);
            for word in message(words) {
                other.write(&word.to_le_bytes());
            }
            assert_eq!(sip24(key, &message(words)), other.finish(), "{words} words");
        }
    }
}
