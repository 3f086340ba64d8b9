//! A spare's metadata in a file.
//!
//! | offset | size | what |
//! | --- | --- | --- |
//! | 0 | 4096 | head: `dmREMAPB`, version u32 = 1, number of pages u32, seconds since 1970 u64, zeros |
//! | 4096 | 4096 | the superblock as the spare had it |
//! | 8192 | 4096 each | the map pages; zeros for a page of which no copy was valid |
//!
//! Little endian. Superblock and pages carry their own checksums; the file's length follows from the head.

use std::io::{Read, Write};

use anyhow::{Context as _, Result, bail};
use remap_core::format::page::Page;
use remap_core::format::superblock::Superblock;
use remap_core::layout::PAGE_BYTES;

const MAGIC: &[u8; 8] = b"dmREMAPB";
const VERSION: u32 = 1;

/// A backup as read from a file, checked.
#[derive(Debug)]
pub struct Backup {
    pub superblock: Superblock,
    pub made_unix_s: u64,
    /// By index; `None` for one that was not valid when the backup was made.
    pub pages: Vec<Option<Box<[u8; PAGE_BYTES]>>>,
}

/// Writes the head and the superblock; the pages follow, ascending.
pub fn begin(out: &mut impl Write, superblock: &Superblock, now_unix_s: u64) -> Result<()> {
    let mut head = [0; PAGE_BYTES];
    head[..8].copy_from_slice(MAGIC);
    head[8..12].copy_from_slice(&VERSION.to_le_bytes());
    head[12..16].copy_from_slice(&superblock.pages().to_le_bytes());
    head[16..24].copy_from_slice(&now_unix_s.to_le_bytes());
    out.write_all(&head)?;
    let mut bytes = [0; PAGE_BYTES];
    superblock.encode(&mut bytes);
    Ok(out.write_all(&bytes)?)
}

impl Backup {
    /// Reads and checks a backup; `name` is for messages.
    pub fn read(from: &mut impl Read, name: &str) -> Result<Self> {
        let cut = || format!("{name} is cut short: use another backup");
        let mut head = [0; PAGE_BYTES];
        from.read_exact(&mut head).with_context(cut)?;
        if !head.starts_with(MAGIC) {
            bail!("{name} is no backup of metadata: `dm-remap metadata backup` makes one");
        }
        let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        if word(8) != VERSION {
            bail!("{name} was written by another version of dm-remap: use that one");
        }
        let made_unix_s = u64::from(word(16)) | u64::from(word(20)) << 32;
        let mut bytes = [0; PAGE_BYTES];
        from.read_exact(&mut bytes).with_context(cut)?;
        let superblock =
            Superblock::parse(&bytes).with_context(|| format!("{name} is damaged: use another backup"))?;
        if superblock.pages() != word(12) {
            bail!("{name} is damaged (its number of pages is wrong): use another backup");
        }
        let pages = (0..superblock.pages()).map(|index| {
            from.read_exact(&mut bytes).with_context(cut)?;
            if bytes.iter().all(|byte| *byte == 0) {
                return Ok(None);
            }
            let (set, block_size) = (superblock.set, superblock.block_size);
            Page::parse(&bytes, set, index, block_size, superblock.main.sectors)
                .with_context(|| format!("{name} is damaged (page {index}): use another backup"))?;
            Ok(Some(Box::new(bytes)))
        });
        let pages = pages.collect::<Result<_>>()?;
        Ok(Self { superblock, made_unix_s, pages })
    }
}
