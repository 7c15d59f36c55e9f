//! RFC 6455 once more, in few lines and at leisure: what the packets in a text of frames are.

use bytes::Bytes;
use moorline_transport::PACKET_MAX;
use tungstenite::protocol::Role;

/// Up to the first thing that is not allowed, an end, or the end of the text. `role` is who reads.
pub(super) fn packets(mut said: &[u8], role: Role) -> Vec<Bytes> {
    let mut packets = Vec::new();
    let mut begun: Option<Vec<u8>> = None;
    while let Some(frame) = Frame::next(&mut said) {
        let is_masked = frame.mask.is_some();
        if frame.reserved != 0 || is_masked != (role == Role::Server) {
            break;
        }
        match (frame.opcode, &mut begun) {
            // Continues what was begun.
            (0, Some(message)) => message.extend(frame.payload()),
            // Begins something, which is all binary here.
            (2, None) => begun = Some(frame.payload()),
            // Pings and pongs may come at any time.
            (9 | 10, _) if frame.is_last && frame.payload.len() <= 125 => continue,
            // A close, a text, what is out of turn or unknown.
            _ => break,
        }
        if begun.as_ref().is_some_and(|message| message.len() > PACKET_MAX) {
            break;
        }
        if frame.is_last {
            packets.extend(begun.take().map(Bytes::from));
        }
    }
    packets
}

struct Frame<'a> {
    is_last: bool,
    reserved: u8,
    opcode: u8,
    mask: Option<[u8; 4]>,
    payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// None, if it is not all there.
    fn next(said: &mut &'a [u8]) -> Option<Self> {
        let [first, second] = take(said)?;
        let length = match second & 0x7f {
            126 => u64::from(u16::from_be_bytes(take(said)?)),
            127 => u64::from_be_bytes(take(said)?),
            short => u64::from(short),
        };
        let mask = if second & 0x80 == 0 { None } else { Some(take(said)?) };
        let length = usize::try_from(length).ok().filter(|length| *length <= said.len())?;
        let (payload, rest) = said.split_at(length);
        *said = rest;
        let (is_last, reserved) = (first & 0x80 != 0, first & 0x70);
        Some(Self { is_last, reserved, opcode: first & 0x0f, mask, payload })
    }

    fn payload(&self) -> Vec<u8> {
        let mask = self.mask.unwrap_or_default();
        self.payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect()
    }
}

fn take<const N: usize>(said: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = said.split_first_chunk()?;
    *said = rest;
    Some(*taken)
}
