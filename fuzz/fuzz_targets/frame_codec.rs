//! Feeds the fuzzer's input to the property `frame_codec`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gnocchi_fuzz::frame_codec(data));
