//! Any bytes as an input: see the body.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nodetree::testing::fuzz::command_line(data));
