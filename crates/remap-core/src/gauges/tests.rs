use super::*;

fn masks(moved: u16, lost: u16) -> Masks {
    Masks { moved, lost, stale: 0 }
}

fn values(gauges: &Gauges) -> [u64; 3] {
    [gauges.mapped.value(), gauges.moved.value(), gauges.lost.value()]
}

#[test]
fn gauges_follow_a_block_from_its_first_loss_to_its_return() {
    let gauges = Gauges::default();
    gauges.replace(None, Some(masks(0b1111_1110, 1)));
    assert_eq!(values(&gauges), [1, 7, 1]);
    gauges.replace(Some(masks(0b1111_1110, 1)), Some(masks(0xff, 0)));
    assert_eq!(values(&gauges), [1, 8, 0]);
    gauges.replace(None, Some(masks(0, 0b11)));
    assert_eq!(values(&gauges), [2, 8, 2]);
    gauges.replace(Some(masks(0xff, 0)), None);
    gauges.replace(Some(masks(0, 0b11)), None);
    assert_eq!(values(&gauges), [0, 0, 0]);
    assert_eq!(gauges.retired.value(), 0);
}
