//! Feeds the fuzzer's input to the property `router`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gnocchi_fuzz::router(data));
