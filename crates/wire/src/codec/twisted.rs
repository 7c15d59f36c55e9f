//! Packets that another implementation, another version or an attacker might write: what protobuf
//! allows and what it does not, made of packets that mean something.

use crate::generated::shapes;
use crate::shape::{self, BLOCK, FIXED64, Key, Shape, VARINT};

/// Numbers that look random, from one that is.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.roll() % u64::try_from(bound).unwrap()).unwrap()
    }

    /// A number of any length.
    fn number(&mut self) -> u64 {
        let shift = self.below(64);
        self.roll() >> shift
    }
}

/// A field as it is to be written.
#[derive(Clone)]
struct Field {
    number: u64,
    said: Node,
}

#[derive(Clone)]
enum Node {
    /// A number, and how many bytes more than it needs.
    Varint(u64, usize),
    Fixed64(u64),
    Fixed32(u32),
    Block(Vec<u8>),
    Message(Vec<Field>),
    /// A wire type that no field has, with nothing behind it.
    Wire(u64),
}

/// The same packet with up to `twists` things about it that are odd.
pub(super) fn twisted(packet: &[u8], twists: usize, dice: &mut Dice) -> Vec<u8> {
    let mut fields = parse(&shapes::PACKET, packet);
    for _ in 0..dice.below(twists + 1) {
        twist(&mut fields, dice);
    }
    let mut bytes = written(&fields);
    match dice.below(12) {
        0 => bytes.truncate(dice.below(bytes.len() + 1)),
        1 if !bytes.is_empty() => {
            let at = dice.below(bytes.len());
            bytes[at] = dice.roll() as u8;
        }
        _ => {}
    }
    bytes
}

fn parse(shape: &Shape, mut bytes: &[u8]) -> Vec<Field> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let (number, wire) = Key::take(&mut bytes).unwrap().check().unwrap();
        let said = match wire {
            VARINT => Node::Varint(shape::varint(&mut bytes).unwrap(), 0),
            FIXED64 => Node::Fixed64(shape::fixed64(&mut bytes).unwrap()),
            BLOCK => {
                let block = shape::block(&mut bytes).unwrap();
                match shape.inner(number) {
                    Some(inner) => Node::Message(parse(inner, block)),
                    None => Node::Block(block.to_vec()),
                }
            }
            _ => unreachable!("nobody writes one"),
        };
        fields.push(Field { number: number.into(), said });
    }
    fields
}

fn varint(out: &mut Vec<u8>, mut value: u64, more: usize) {
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    for _ in 0..more {
        *out.last_mut().unwrap() |= 0x80;
        out.push(0);
    }
}

fn written(fields: &[Field]) -> Vec<u8> {
    let mut out = Vec::new();
    for Field { number, said } in fields {
        let wire = match said {
            Node::Varint(..) => 0,
            Node::Fixed64(_) => 1,
            Node::Block(_) | Node::Message(_) => 2,
            Node::Fixed32(_) => 5,
            Node::Wire(wire) => *wire,
        };
        // Now and then in more bytes than it needs: keys are numbers as any other.
        varint(&mut out, number << 3 | wire, usize::from(number % 29 == 28));
        match said {
            Node::Varint(value, more) => varint(&mut out, *value, *more),
            Node::Fixed64(value) => out.extend(value.to_le_bytes()),
            Node::Fixed32(value) => out.extend(value.to_le_bytes()),
            Node::Block(bytes) => {
                varint(&mut out, bytes.len() as u64, 0);
                out.extend(bytes);
            }
            Node::Message(fields) => {
                let bytes = written(fields);
                varint(&mut out, bytes.len() as u64, 0);
                out.extend(bytes);
            }
            Node::Wire(_) => {}
        }
    }
    out
}

fn anything(dice: &mut Dice) -> Node {
    match dice.below(5) {
        0 => Node::Fixed64(dice.roll()),
        1 => Node::Fixed32(dice.roll() as u32),
        2 => Node::Block((0..dice.below(12)).map(|_| dice.roll() as u8).collect()),
        3 => {
            let key = Field { number: 1, said: Node::Fixed64(dice.roll()) };
            let key = Field { number: 1, said: Node::Message(vec![key]) };
            let word = Field { number: 2, said: Node::Varint(dice.roll() % 7, 0) };
            Node::Message(vec![key, word])
        }
        _ => Node::Varint(dice.number(), 0),
    }
}

/// One thing that is odd, somewhere.
fn twist(fields: &mut Vec<Field>, dice: &mut Dice) {
    let inner = fields.iter_mut().filter_map(|field| match &mut field.said {
        Node::Message(inner) => Some(inner),
        Node::Varint(..) | Node::Fixed64(_) | Node::Fixed32(_) | Node::Block(_) | Node::Wire(_) => {
            None
        }
    });
    let mut inner: Vec<_> = inner.collect();
    if !inner.is_empty() && dice.below(5) > 0 {
        let which = dice.below(inner.len());
        return twist(inner[which], dice);
    }
    if fields.is_empty() {
        fields.push(Field { number: dice.below(22) as u64 + 1, said: anything(dice) });
        return;
    }
    let (at, to) = (dice.below(fields.len()), dice.below(fields.len()));
    match dice.below(12) {
        // In another order.
        0 | 1 => fields.swap(at, to),
        // Twice, or as if it were another field.
        2 => fields.insert(to, fields[at].clone()),
        3 => {
            let mut twin = fields[at].clone();
            // 4 is lane C and 5 lane B.
            twin.number = match twin.number {
                4 | 5 if dice.below(2) == 0 => twin.number ^ 1,
                _ => dice.below(21) as u64 + 1,
            };
            match dice.below(2) {
                0 => fields.insert(to, twin),
                _ => fields[at] = twin,
            }
        }
        // In two halves.
        4 | 5 => {
            if let Node::Message(whole) = &mut fields[at].said {
                let half = dice.below(whole.len() + 1);
                let half = Node::Message(whole.split_off(half));
                fields.push(Field { number: fields[at].number, said: half });
            }
        }
        // What a later version says.
        6 => {
            let number = [13, 14, 15, 21, 28, 57, 300, (1 << 29) - 1][dice.below(8)];
            fields.insert(to, Field { number, said: anything(dice) });
        }
        7 => drop(fields.remove(at)),
        // Another value, of the same type or not.
        8 => fields[at].said = anything(dice),
        9 | 10 => match &mut fields[at].said {
            Node::Varint(value, more) => match dice.below(6) {
                0 => *value = dice.number(),
                1 => *value = dice.roll() % 9,
                // More bits than the field has.
                2 => *value |= dice.roll() << 32,
                // Up to ten bytes are a number, more are none.
                3 => *more = dice.below(11),
                4 => fields[at].said = Node::Fixed32(dice.roll() as u32),
                _ => fields[at].said = Node::Fixed64(dice.roll()),
            },
            Node::Block(block) => match dice.below(4) {
                0 => block.push(0xff),
                1 => *block = vec![b'n'; 128 + dice.below(3)],
                2 => block.insert(0, 0x1b),
                _ => block.clear(),
            },
            Node::Fixed64(value) => fields[at].said = Node::Varint(*value, 0),
            Node::Fixed32(_) | Node::Message(_) | Node::Wire(_) => {}
        },
        // Rarely, as nothing after it is read.
        _ if dice.below(3) == 0 => match dice.below(3) {
            0 => fields[at].number = [0, 1 << 29, 1 << 40][dice.below(3)],
            _ => fields[at].said = Node::Wire([3, 4, 6, 7][dice.below(4)]),
        },
        _ => {}
    }
}
