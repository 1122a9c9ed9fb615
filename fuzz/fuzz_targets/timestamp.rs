//! Feeds the fuzzer's input to the property `timestamp`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gnocchi_fuzz::timestamp(data));
