#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nidus_wasm_fuzz::targets::log::run(bytes));
