//! A real tree of files, copied in batches: which of them have been synced is known, and must stay.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Files between two syncs.
const BATCH: usize = 150;
/// Larger files are left out: there should be many.
const MAX_FILE_BYTES: u64 = 2 << 20;

pub struct Tree {
    root: PathBuf,
    /// Relative to the root.
    files: Vec<PathBuf>,
    /// So many of them are on disk: the filesystem has said so.
    synced: usize,
}

impl Tree {
    /// Plain files below `root`, `bytes` bytes of them at most.
    pub fn of(root: &str, bytes: u64) -> Self {
        let mut tree = Self { root: root.into(), files: Vec::new(), synced: 0 };
        let mut left = bytes;
        tree.collect(&PathBuf::from(root), &mut left);
        assert!(tree.files.len() > 100, "{root} is too small a tree to tell anything");
        tree
    }

    fn collect(&mut self, folder: &Path, left: &mut u64) {
        let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(Result::unwrap).collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                self.collect(&entry.path(), left);
            } else if kind.is_file() {
                let length = entry.metadata().unwrap().len();
                if length <= MAX_FILE_BYTES && length <= *left {
                    *left -= length;
                    self.files.push(entry.path().strip_prefix(&self.root).unwrap().to_owned());
                }
            }
        }
    }

    /// How many files have been copied and synced.
    pub fn synced(&self) -> usize {
        self.synced
    }

    /// Copies what has not been synced yet, until all is done or the filesystem fails.
    pub fn copy_to(&mut self, mount: &Path) -> io::Result<()> {
        let target = mount.join("tree");
        fs::create_dir_all(&target)?;
        let folder = File::open(&target)?;
        while self.synced < self.files.len() {
            let batch = &self.files[self.synced..self.files.len().min(self.synced + BATCH)];
            for file in batch {
                let to = target.join(file);
                fs::create_dir_all(to.parent().unwrap())?;
                fs::copy(self.root.join(file), to)?;
            }
            rustix::fs::syncfs(&folder)?;
            self.synced += batch.len();
        }
        Ok(())
    }

    /// Compares every file that was synced with its source, byte by byte.
    pub fn compare_with(&self, mount: &Path) {
        assert_eq!(self.synced, self.files.len());
        for file in &self.files[..self.synced] {
            let (source, copy) = (fs::read(self.root.join(file)), fs::read(mount.join("tree").join(file)));
            let copy = copy.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            assert!(source.unwrap() == copy, "{} is not as it was copied and synced", file.display());
        }
    }
}
