//! Feeds the fuzzer's input to the property `damaged_store`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gnocchi_fuzz::damaged_store(data));
