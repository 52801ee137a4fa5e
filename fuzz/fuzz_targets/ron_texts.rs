//! Any text as RON, and any value written as RON: see the body.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nodetree::testing::fuzz::ron_texts(data));
