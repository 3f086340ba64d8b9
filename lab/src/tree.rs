//! A tree of real files: copied onto a file system under test, and compared later.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// What a tree held when it was copied.
#[derive(Debug, Default)]
pub struct Tree {
    /// By path within the tree.
    entries: BTreeMap<PathBuf, Entry>,
    bytes: u64,
}

/// A file by its length and a hash of its contents, or a link.
#[derive(Debug, PartialEq, Eq)]
enum Entry {
    File { length: u64, hash: u64 },
    Link(PathBuf),
}

impl Tree {
    /// Copies `from` to the new folder `to`, until it has copied `most_bytes` bytes of files. The same files
    /// come each time.
    pub fn copy(from: &Path, to: &Path, most_bytes: u64) -> Result<Self> {
        let mut tree = Self::default();
        tree.copy_folder(from, to, Path::new(""), most_bytes)?;
        Ok(tree)
    }

    /// How many bytes its files hold.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many files and links it has.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing was copied.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What is different in the copy at `folder`: a line for each entry that cannot be read or is not what
    /// was copied.
    pub fn differences(&self, folder: &Path) -> Vec<String> {
        let difference = |(path, entry): (&PathBuf, &Entry)| match read(&folder.join(path)) {
            Ok(found) if found == *entry => None,
            Ok(_) => Some(format!("{}: other contents", path.display())),
            Err(error) => Some(format!("{}: {error:#}", path.display())),
        };
        self.entries.iter().filter_map(difference).collect()
    }

    fn copy_folder(&mut self, from: &Path, to: &Path, within: &Path, most_bytes: u64) -> Result<()> {
        fs::create_dir_all(to)?;
        let mut names: Vec<_> = fs::read_dir(from)?.flatten().map(|entry| entry.file_name()).collect();
        names.sort();
        for name in names {
            if self.bytes >= most_bytes {
                return Ok(());
            }
            let (from, to, within) = (from.join(&name), to.join(&name), within.join(&name));
            let kind = from.symlink_metadata()?.file_type();
            if kind.is_dir() {
                self.copy_folder(&from, &to, &within, most_bytes)?;
            } else if kind.is_symlink() {
                let target = fs::read_link(&from)?;
                symlink(&target, &to)?;
                self.entries.insert(within, Entry::Link(target));
            } else if kind.is_file() {
                let bytes = fs::read(&from)?;
                fs::write(&to, &bytes).with_context(|| format!("writing {}", to.display()))?;
                self.bytes += bytes.len() as u64;
                self.entries.insert(within, file(&bytes));
            }
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<Entry> {
    if path.symlink_metadata()?.file_type().is_symlink() {
        return Ok(Entry::Link(fs::read_link(path)?));
    }
    Ok(file(&fs::read(path)?))
}

fn file(bytes: &[u8]) -> Entry {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    Entry::File { length: bytes.len() as u64, hash: hasher.finish() }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::Tree;

    #[test]
    fn a_copy_is_the_same_until_something_is_changed_or_gone() {
        let home = std::env::temp_dir().join(format!("lab-tree-{}", std::process::id()));
        let (from, to) = (home.join("from"), home.join("to"));
        fs::create_dir_all(from.join("sub")).unwrap();
        fs::write(from.join("sub/a"), "a").unwrap();
        fs::write(from.join("sub/b"), "b").unwrap();
        fs::write(from.join("z"), "too much").unwrap();
        symlink("a", from.join("sub/c")).unwrap();
        let tree = Tree::copy(&from, &to, 2).unwrap();
        assert_eq!((tree.bytes(), tree.len()), (2, 2));
        assert!(tree.differences(&to).is_empty());
        fs::write(to.join("sub/a"), "b").unwrap();
        fs::remove_file(to.join("sub/b")).unwrap();
        let differences = tree.differences(&to);
        assert_eq!(differences.len(), 2);
        assert_eq!(differences[0], "sub/a: other contents");
        fs::remove_dir_all(home).unwrap();
    }
}
