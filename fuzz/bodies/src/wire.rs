//! The wire format: any bytes are refused or read, and what was read is what is written (SAFE-12).

use std::fmt::Debug;

use bytes::Bytes;
use moorline_node::{DownFrame, Packet, UpFrame};
use moorline_wire::{DecodeError, Decoded, decode_down, decode_up, encode_down, encode_up, limits};

/// Reads the bytes as a worker's packet.
pub fn wire_up(bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    let read = decode_up(bytes.clone());
    #[cfg(fuzzing)]
    assert_eq!(read, moorline_wire::generated_decode_up(&bytes), "not as the generated code");
    round_trip(&bytes, read, encode_up, decode_up, UpFrame::size_bound);
}

/// Reads the bytes as a coordinator's packet.
pub fn wire_down(bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    let read = decode_down(bytes.clone());
    #[cfg(fuzzing)]
    assert_eq!(read, moorline_wire::generated_decode_down(&bytes), "not as the generated code");
    round_trip(&bytes, read, encode_down, decode_down, DownFrame::size_bound);
}

fn round_trip<F: Clone + PartialEq + Debug>(
    bytes: &Bytes,
    read: Result<Decoded<F>, DecodeError>,
    encode: impl Fn(&Packet<F>) -> Bytes,
    decode: impl Fn(Bytes) -> Result<Decoded<F>, DecodeError>,
    size_bound: impl Fn(&F) -> usize,
) {
    let Decoded { lane, frames, .. } = match read {
        Ok(read) => read,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    assert!(bytes.len() <= limits::PACKET_MAX);
    if frames.is_empty() {
        return;
    }
    let bound: usize = frames.iter().map(size_bound).sum();
    let packet = Packet { lane, frames };
    let written = encode(&packet);
    assert!(written.len() <= bound, "{} bytes, said to be at most {bound}", written.len());
    if written.len() > limits::PACKET_MAX {
        return;
    }
    let again = decode(written.clone()).expect("it was read once");
    assert_eq!((again.lane, &again.frames), (packet.lane, &packet.frames));
    assert_eq!((again.unknown_frames, again.unknown_fields), (0, 0), "it invents nothing");
    assert_eq!(encode(&packet), written);
}
