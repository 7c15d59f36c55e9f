//! Bytes that the codec of this version would not write: what is newer, too large, or no packet at all.

use bytes::Bytes;

/// A field with a block of bytes.
pub(crate) fn block(number: u32, bytes: &[u8]) -> Vec<u8> {
    let mut field = varint(u64::from(number) << 3 | 2);
    field.extend(varint(bytes.len() as u64));
    field.extend_from_slice(bytes);
    field
}

/// A field with a number.
pub(crate) fn number(field: u32, value: u64) -> Vec<u8> {
    let mut bytes = varint(u64::from(field) << 3);
    bytes.extend(varint(value));
    bytes
}

/// A packet of frames, each of which is the bytes of a kind beside its number.
pub(crate) fn packet(frames: &[(u32, Vec<u8>)]) -> Bytes {
    frames.iter().flat_map(|(kind, bytes)| block(1, &block(*kind, bytes))).collect()
}

/// A packet that is a byte longer than one may be, and in order otherwise: behind these frames is a field
/// that nobody knows.
pub(crate) fn too_large(frames: &[(u32, Vec<u8>)]) -> Bytes {
    const TOO_LARGE: usize = moorline_transport::PACKET_MAX + 1;
    let mut bytes = packet(frames).to_vec();
    // The key of field 1,000 has two bytes, and the length of more than 16 KiB three.
    let padding = TOO_LARGE - bytes.len() - 5;
    bytes.extend(block(1_000, &vec![0; padding]));
    debug_assert_eq!(bytes.len(), TOO_LARGE);
    bytes.into()
}

/// What is no packet, whatever one knows.
pub(crate) fn garbage() -> Bytes {
    Bytes::from_static(&[0xff; 48])
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_large_is_so_by_a_byte_and_a_packet_otherwise() {
        let bytes = too_large(&[(14, Vec::new())]);
        assert_eq!(bytes.len(), moorline_transport::PACKET_MAX + 1);
        let cut = block(1, &block(14, &[]));
        assert_eq!(bytes[..cut.len()], cut[..]);
        let probe = moorline_wire::decode_down(cut.into()).expect("a packet");
        assert_eq!(probe.frames, [moorline_node::DownFrame::Probe]);
    }

    #[test]
    fn garbage_is_no_packet() {
        assert!(moorline_wire::decode_down(garbage()).is_err());
        assert!(moorline_wire::decode_up(garbage()).is_err());
    }
}
