//! Feeds the fuzzer's input to the property `line_protocol`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gnocchi_fuzz::line_protocol(data));
