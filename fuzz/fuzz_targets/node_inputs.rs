//! Whatever may happen to a node: see the body.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nodetree::testing::fuzz::node_inputs(data));
