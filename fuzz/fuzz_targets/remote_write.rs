//! Feeds the fuzzer's input to the property `remote_write`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gnocchi_fuzz::remote_write(data));
