//! The wire format of moorline: node frames to protobuf bytes and back.
