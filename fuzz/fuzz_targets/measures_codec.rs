//! Feeds the fuzzer's input to the property `measures_codec`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gnocchi_fuzz::measures_codec(data));
