//! Sizes: `64M`, `4 KiB`, `512`.

/// What a number without a suffix counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Bytes,
    Sectors,
}

/// Suffixes, without regard to case, and bytes in one.
const SUFFIXES: [(&str, u64); 23] = [
    ("b", 1),
    ("s", 512),
    ("k", 1 << 10),
    ("ki", 1 << 10),
    ("kib", 1 << 10),
    ("m", 1 << 20),
    ("mi", 1 << 20),
    ("mib", 1 << 20),
    ("g", 1 << 30),
    ("gi", 1 << 30),
    ("gib", 1 << 30),
    ("t", 1 << 40),
    ("ti", 1 << 40),
    ("tib", 1 << 40),
    ("p", 1 << 50),
    ("pi", 1 << 50),
    ("pib", 1 << 50),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("pb", 1_000_000_000_000_000),
    ("sectors", 512),
];

/// What was typed: bytes, and whether a suffix said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub bytes: u64,
    pub has_suffix: bool,
}

/// Reads a whole number with or without a suffix.
pub fn parse(text: &str, bare: Unit) -> Result<Size, String> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, suffix) = text.split_at(digits);
    let suffix = suffix.trim().to_ascii_lowercase();
    if number.is_empty() {
        return Err(format!("`{text}` is no size: write a whole number such as 4096 or 64M"));
    }
    let unit = if suffix.is_empty() {
        match bare {
            Unit::Bytes => 1,
            Unit::Sectors => 512,
        }
    } else {
        let known = SUFFIXES.iter().find(|(name, _)| *name == suffix);
        let known = known.map(|(_, bytes)| *bytes);
        known.ok_or_else(|| {
            format!("`{text}` ends in no unit: use s (sectors), K, M, G, T, P (powers of 1024) or KB, MB, … (of 1000)")
        })?
    };
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    let bytes = bytes.ok_or_else(|| format!("`{text}` is too large"))?;
    Ok(Size { bytes, has_suffix: !suffix.is_empty() })
}

/// A number of bytes, for clap: a bare number is bytes.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    parse(text, Unit::Bytes).map(|size| size.bytes)
}

/// A rate: a size, with or without `/s`.
pub fn parse_rate(text: &str) -> Result<u64, String> {
    parse_bytes(text.strip_suffix("/s").unwrap_or(text))
}

/// Bytes as a person says them: `512 B`, `4 KiB`, `1.5 GiB`.
pub fn show(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let power = (bytes.ilog2() / 10).min(6);
    let unit = UNITS[power as usize - 1];
    let one = 1u64 << (power * 10);
    let (whole, tenth) = (bytes / one, bytes % one * 10 / one);
    if tenth == 0 || whole >= 100 { format!("{whole} {unit}") } else { format!("{whole}.{tenth} {unit}") }
}

/// The same for a number of sectors.
pub fn show_sectors(sectors: u64) -> String {
    sectors.checked_mul(512).map_or_else(|| format!("{sectors} sectors"), show)
}

#[cfg(test)]
mod tests;
