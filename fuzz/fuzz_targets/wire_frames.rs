//! Any bytes on a link, and frames made by chance: see the body.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nodetree::testing::fuzz::wire_frames(data));
