//! A set as a block device with a filesystem: NBD by FUSE as a file, a loop device on that, a mount of that.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Play, end, finish, foreign};

pub struct Attached {
    fuse: Option<Child>,
    folder: PathBuf,
    loop_device: String,
}

impl Attached {
    /// Attaches the set `s`, which is open.
    pub fn attach(play: &Play) -> Self {
        let folder = play.folder().join("attached");
        for name in ["fuse", "mount"] {
            std::fs::create_dir_all(folder.join(name)).unwrap();
        }
        let file = folder.join("fuse/disk");
        let fuse = Command::new("nbdfuse")
            .args([file.to_str().unwrap(), &play.uri()])
            .stdin(Stdio::null())
            // It has much to say when its server dies.
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut attached = Self { fuse: Some(fuse), folder, loop_device: String::new() };
        let until = Instant::now() + Duration::from_secs(20);
        while !std::fs::metadata(&file).is_ok_and(|facts| facts.len() > 0) {
            assert!(Instant::now() < until, "nbdfuse shows no disk");
            std::thread::sleep(Duration::from_millis(20));
        }
        let shown = foreign("losetup", &["--find", "--show", file.to_str().unwrap()]);
        shown.trim().clone_into(&mut attached.loop_device);
        attached
    }

    pub fn path(&self) -> &str {
        &self.loop_device
    }

    pub fn mount_point(&self) -> PathBuf {
        self.folder.join("mount")
    }

    pub fn mount(&self) {
        foreign("mount", &["-t", "ext4", &self.loop_device, self.mount_point().to_str().unwrap()]);
    }

    pub fn unmount(&self) {
        foreign("umount", &[self.mount_point().to_str().unwrap()]);
    }

    /// The runs of free blocks of the filesystem, which is not mounted: first and last.
    pub fn free_blocks(&self) -> Vec<(u64, u64)> {
        let told = foreign("dumpe2fs", &[&self.loop_device]);
        // The superblock's own line of that name is a number, and is not indented.
        let lines = told.lines().filter_map(|line| line.strip_prefix("  Free blocks: "));
        let runs = lines.flat_map(|line| line.split(", ")).filter(|run| !run.is_empty());
        runs.map(|run| {
            let (first, last) = run.split_once('-').unwrap_or((run, run));
            (first.parse().unwrap(), last.parse().unwrap())
        })
        .collect()
    }

    /// Takes the device away in good order.
    pub fn detach(mut self) {
        foreign("losetup", &["--detach", &std::mem::take(&mut self.loop_device)]);
        foreign("fusermount3", &["-u", self.folder.join("fuse").to_str().unwrap()]);
        assert!(self.fuse.take().unwrap().wait().unwrap().success());
    }

    /// Takes away what is left when the server is gone.
    pub fn tear_down(mut self) {
        self.clean_up();
    }

    fn clean_up(&mut self) {
        let Some(fuse) = self.fuse.take() else { return };
        let mount = self.mount_point();
        if !try_run("umount", &[text(&mount)]) {
            try_run("umount", &["-l", text(&mount)]);
        }
        if !self.loop_device.is_empty() {
            try_run("losetup", &["--detach", &self.loop_device]);
        }
        let shown = self.folder.join("fuse");
        if !try_run("fusermount3", &["-u", text(&shown)]) {
            try_run("fusermount3", &["-uz", text(&shown)]);
        }
        end(fuse);
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.clean_up();
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Whether a program ended well, in the time that it may take.
fn try_run(program: &str, args: &[&str]) -> bool {
    finish(Command::new("timeout").args(["--kill-after=5", "20", program]).args(args)).code == Some(0)
}
