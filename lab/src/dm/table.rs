//! Tables of mapped devices, put together piece by piece.

use std::fmt;
use std::path::Path;

/// A table: targets one behind the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    lines: Vec<String>,
    sectors: u64,
}

impl Table {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// `sectors` sectors of `device` from its sector `start` on.
    #[must_use]
    pub fn linear(self, sectors: u64, device: &Path, start: u64) -> Self {
        let arguments = format!("{} {start}", device.display());
        self.target("linear", sectors, &arguments)
    }

    /// `sectors` sectors that fail whatever is asked of them.
    #[must_use]
    pub fn error(self, sectors: u64) -> Self {
        self.target("error", sectors, "")
    }

    /// `sectors` sectors of any target; none if there are no sectors.
    #[must_use]
    pub fn target(mut self, name: &str, sectors: u64, arguments: &str) -> Self {
        if sectors > 0 {
            let line = format!("{} {sectors} {name} {arguments}", self.sectors);
            self.lines.push(line.trim_end().to_owned());
            self.sectors += sectors;
        }
        self
    }

    /// Its length, which is the size of the device.
    pub fn sectors(&self) -> u64 {
        self.sectors
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.lines.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Table;

    #[test]
    fn pieces_follow_each_other_and_empty_ones_are_left_out() {
        let ram = Path::new("/dev/ram0");
        let table = Table::new().linear(8, ram, 0).error(0).error(1).linear(7, ram, 9);
        assert_eq!(table.to_string(), "0 8 linear /dev/ram0 0\n8 1 error\n9 7 linear /dev/ram0 9");
        assert_eq!(table.sectors(), 16);
    }
}
