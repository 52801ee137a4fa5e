//! Any operations on any topology: see the body.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nodetree::testing::fuzz::topology_operations(data));
