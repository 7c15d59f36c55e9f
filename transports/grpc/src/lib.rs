//! Moorline packets over gRPC (tonic).
