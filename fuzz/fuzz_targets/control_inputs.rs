//! Whatever may happen to the control node: see the body.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nodetree::testing::fuzz::control_inputs(data));
