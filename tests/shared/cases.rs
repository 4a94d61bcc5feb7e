/// Returns the number of cases. Only `npm run test:long` asks for all of them.
pub fn few_or(few: u32, all: u32) -> u32 {
    if std::env::var_os("NIDUS_EVERY_CASE").is_some() { all } else { few }
}
