//! Reads the golden files in this directory: hex up to a `|`, under a line that names the file. Lines with `#` are no
//! hex.

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
