//! What an object must be like for a module loader to take it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use object::read::archive::ArchiveFile;
use object::{Object, ObjectSection, ObjectSymbol, RelocationFlags, elf};

/// Relocations that `arch/x86/kernel/module.c` applies.
const RELOCATIONS: [u32; 5] =
    [elf::R_X86_64_64, elf::R_X86_64_32, elf::R_X86_64_32S, elf::R_X86_64_PC32, elf::R_X86_64_PLT32];

/// What every kernel exports to modules.
const KERNEL_SYMBOLS: [&str; 6] = ["memcmp", "memcpy", "memmove", "memset", "strlen", "__x86_return_thunk"];

/// The one member of an archive whose name begins with `prefix`.
pub fn member(archive: &Path, prefix: &str) -> Result<Vec<u8>> {
    let bytes = fs::read(archive).with_context(|| format!("cannot read {}", archive.display()))?;
    let parsed = ArchiveFile::parse(&*bytes)?;
    let mut found = Vec::new();
    for member in parsed.members() {
        let member = member?;
        if member.name().starts_with(prefix.as_bytes()) {
            found.push(member.data(&*bytes)?.to_vec());
        }
    }
    match <[_; 1]>::try_from(found) {
        Ok([only]) => Ok(only),
        Err(found) => bail!("{} has {} members {prefix}*, not one", archive.display(), found.len()),
    }
}

/// Fails for a relocation that no module loader knows, or a symbol that neither glue nor kernel has.
pub fn check(bytes: &[u8]) -> Result<()> {
    let file = object::File::parse(bytes)?;
    let mut bad = BTreeSet::new();
    for section in file.sections() {
        for (_, relocation) in section.relocations() {
            match relocation.flags() {
                RelocationFlags::Elf { r_type } if RELOCATIONS.contains(&r_type) => {}
                other => {
                    bad.insert(format!("a relocation {other:?} in {}", section.name()?));
                }
            }
        }
    }
    for symbol in file.symbols().filter(object::read::Symbol::is_undefined) {
        let name = symbol.name()?;
        let is_known = name.is_empty()
            || name.starts_with("dmr_glue_")
            || name.starts_with("__x86_indirect_thunk_")
            || KERNEL_SYMBOLS.contains(&name);
        if !is_known {
            bad.insert(format!("the undefined symbol {name}"));
        }
    }
    if !bad.is_empty() {
        bail!("no module loader takes the engine: {}", bad.into_iter().collect::<Vec<_>>().join(", "));
    }
    Ok(())
}
