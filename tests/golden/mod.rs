//! Reads the golden files in this directory. A line names a file, and the lines after it have its bytes in hex, up to a
//! `|`. Lines that begin with `#` are comments.

/// Returns `data` and `log`.
pub fn parse(text: &str) -> (Vec<u8>, Vec<u8>) {
    let (mut data, mut log) = (Vec::new(), Vec::new());
    let mut into = &mut data;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        match line {
            "data" => into = &mut data,
            "log" => into = &mut log,
            line => {
                let hex = line.split('|').next().unwrap_or_default().split_whitespace();
                into.extend(hex.map(|byte| u8::from_str_radix(byte, 16).expect("hex")));
            }
        }
    }
    (data, log)
}
