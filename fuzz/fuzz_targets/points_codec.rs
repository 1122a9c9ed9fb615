//! Feeds the fuzzer's input to the property `points_codec`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gnocchi_fuzz::points_codec(data));
