use remap_core::{Sector, SectorRange};

use super::{runs, shown_mask};

#[test]
fn masks_become_runs() {
    let of = |mask| runs(800, mask).collect::<Vec<_>>();
    assert_eq!(of(0), []);
    assert_eq!(of(0xffff), [SectorRange::new(Sector(800), 16)]);
    assert_eq!(of(0b1000_0000_0000_0110).len(), 2);
    assert_eq!(shown_mask(800, 0b1000_0000_0000_0110), "801-802,815");
    assert_eq!(shown_mask(800, 0), "-");
}
