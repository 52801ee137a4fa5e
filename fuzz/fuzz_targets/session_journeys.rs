//! Two ends of a session over a hostile way: see the body.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nodetree::testing::fuzz::session_journeys(data));
