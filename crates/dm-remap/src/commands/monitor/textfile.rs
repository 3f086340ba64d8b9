//! A file for `node_exporter`'s textfile collector: whoever reads it sees all of one look, never a part.

use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};

/// Replaces what is in `path`. The file is readable for everybody, since the collector is another user; it is
/// not synced, since after a power cut the next look writes it again.
pub fn write(path: &Path, text: &str) -> Result<()> {
    let failed = || format!("cannot write {}", path.display());
    let path = std::path::absolute(path).with_context(failed)?;
    let folder = path.parent().with_context(failed)?;
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(failed)?;
    file.write_all(text.as_bytes()).with_context(failed)?;
    file.as_file().set_permissions(Permissions::from_mode(0o644)).with_context(failed)?;
    file.persist(&path).with_context(failed)?;
    Ok(())
}
