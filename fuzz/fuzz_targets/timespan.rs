//! Feeds the fuzzer's input to the property `timespan`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gnocchi_fuzz::timespan(data));
