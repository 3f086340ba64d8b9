//! A picture of a disk in characters: each stands for a stretch of it and shows the worst that is in there.

use remap_core::SectorRange;

use super::size;

/// Characters in a line.
const WIDTH: u64 = 64;

/// What is known of a sector, from the least to the most telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// On the main disk, where it belongs.
    Healthy,
    /// Bad, and nothing has been stored there since.
    Bad,
    /// Carried to a spare.
    Moved,
    /// Nobody holds it.
    Lost,
}

impl Mark {
    fn character(self) -> char {
        match self {
            Self::Healthy => '.',
            Self::Bad => 'x',
            Self::Moved => 'm',
            Self::Lost => 'L',
        }
    }
}

/// Lines of the map of a disk of `sectors` sectors, at most `lines` of them, each behind `indent`.
pub fn draw(sectors: u64, lines: u64, marked: &[(SectorRange, Mark)], indent: &str) -> String {
    let stretch = stretch_of(sectors, lines);
    let mut marks = vec![Mark::Healthy; sectors.div_ceil(stretch) as usize];
    for (range, mark) in marked {
        let end = range.end().0.min(sectors);
        for at in range.start.0 / stretch..end.div_ceil(stretch) {
            let known = &mut marks[at as usize];
            *known = (*known).max(*mark);
        }
    }
    let lines = marks.chunks(WIDTH as usize);
    lines.fold(String::new(), |mut text, line| {
        text.push_str(indent);
        text.extend(line.iter().map(|mark| mark.character()));
        text.push('\n');
        text
    })
}

/// What one character stands for.
pub fn scale(sectors: u64, lines: u64) -> String {
    size::show_sectors(stretch_of(sectors, lines))
}

/// Sectors of one character: a power of two, at least a page.
fn stretch_of(sectors: u64, lines: u64) -> u64 {
    sectors.div_ceil(WIDTH * lines.max(1)).next_power_of_two().max(8)
}

#[cfg(test)]
mod tests;
