#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nidus_wasm_fuzz::targets::glob_filter::run(bytes));
