//! Stack frames of the engine: a kernel's stack is 16 KiB, and the disks below want most of it.

use anyhow::{Context, Result, bail};
use object::{Object, ObjectSection, ObjectSymbol, RelocationTarget};

/// For functions that may wait for a disk, in bytes.
const LIMIT: u64 = 2800;

/// Functions that wait for nothing and call little; while one is at work the stack below it is short.
const LEAVES: [&str; 6] =
    ["planned_addition", "planned_removal", "4plan", "set_of", "superblocks4take", "Superblock"];
/// For those, in bytes.
const LEAF_LIMIT: u64 = 4800;

/// Fails for a frame that is too large. Reads the section `.stack_sizes`: an address of 8 bytes and a size in
/// ULEB128 for every function (LLVM's `docs/CodeGenerator.rst`, "Emitting function stack size information").
pub fn check(bytes: &[u8]) -> Result<()> {
    let file = object::File::parse(bytes)?;
    let mut seen = 0;
    let mut bad = Vec::new();
    for section in file.sections().filter(|section| section.name() == Ok(".stack_sizes")) {
        let data = section.data()?;
        for (at, relocation) in section.relocations() {
            let after = usize::try_from(at)? + 8;
            let size = uleb128(data.get(after..).unwrap_or_default()).context("a cut stack size")?;
            let name = match relocation.target() {
                RelocationTarget::Symbol(index) => function(&file, index)?,
                other => format!("{other:?}"),
            };
            let is_leaf = LEAVES.iter().any(|leaf| name.contains(leaf));
            if size > if is_leaf { LEAF_LIMIT } else { LIMIT } {
                bad.push(format!("{name}: {size} bytes"));
            }
            seen += 1;
        }
    }
    if seen == 0 {
        bail!("the engine was built without the sizes of its stack frames");
    }
    if !bad.is_empty() {
        bail!("stack frames too large for a kernel:\n  {}", bad.join("\n  "));
    }
    Ok(())
}

/// The name of a function; the relocation may be to its section.
fn function(file: &object::File<'_>, index: object::SymbolIndex) -> Result<String> {
    let symbol = file.symbol_by_index(index)?;
    let name = symbol.name()?;
    if !name.is_empty() {
        return Ok(name.to_owned());
    }
    let section = symbol.section_index().context("a symbol of no section")?;
    Ok(file.section_by_index(section)?.name()?.to_owned())
}

fn uleb128(bytes: &[u8]) -> Option<u64> {
    let mut value = 0;
    for (at, byte) in bytes.iter().take(9).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::uleb128;

    #[test]
    fn sizes_of_one_and_more_bytes_are_read() {
        assert_eq!(uleb128(&[0x08]), Some(8));
        assert_eq!(uleb128(&[0xe5, 0x8e, 0x26, 0xff]), Some(624_485));
        assert_eq!(uleb128(&[0x80]), None);
    }
}
