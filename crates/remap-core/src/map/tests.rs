use super::*;
use std::collections::HashMap;
use std::vec::Vec;

fn memory(slots: u64) -> (Vec<AtomicU64>, Vec<AtomicU32>) {
    (
        (0..MapTable::record_words(slots)).map(|_| AtomicU64::new(0)).collect(),
        (0..MapTable::index_cells(slots)).map(|_| AtomicU32::new(0)).collect(),
    )
}

fn masks(moved: u16) -> Masks {
    Masks { moved, lost: 0, stale: 0 }
}

#[test]
fn a_mapping_costs_at_most_24_bytes_with_its_bit_in_the_allocator() {
    for slots in [4096u64, 1_000_000, MAX_SLOTS] {
        let bits = (MapTable::record_words(slots) * 8 + MapTable::index_cells(slots) * 4) * 8 + slots;
        assert!(bits <= 24 * 8 * slots, "{slots} slots: {bits} bits");
    }
}

#[test]
fn zeroed_memory_is_an_empty_table() {
    let (records, index) = memory(10);
    let table = MapTable::new(&records, &index);
    assert_eq!(table.lookup(BlockIndex(0)), None);
    assert_eq!(table.record(SlotIndex(3)), Record::Free);
}

#[test]
fn the_table_agrees_with_a_hash_map_through_inserts_moves_and_removals() {
    let (records, index) = memory(500);
    let table = MapTable::new(&records, &index);
    let mut model: HashMap<u64, (u32, u16)> = HashMap::new();
    let mut free: Vec<u32> = (0..500).collect();
    let mut seed = 7u64;
    let mut random = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        seed >> 33
    };
    for step in 0..200_000 {
        let block = random() % 900;
        match random() % 3 {
            0 if model.contains_key(&block) => {
                let (slot, _) = model.remove(&block).unwrap();
                table.remove(BlockIndex(block));
                free.push(slot);
            }
            1 if model.contains_key(&block) && !free.is_empty() => {
                let at = (random() as usize) % free.len();
                let slot = free.swap_remove(at);
                let (old, mask) = model[&block];
                table.insert(BlockIndex(block), SlotIndex(slot), masks(mask), 1);
                free.push(old);
                model.insert(block, (slot, mask));
            }
            _ if !free.is_empty() || model.contains_key(&block) => {
                let mask = (random() % 255 + 1) as u16;
                let slot = model.get(&block).map_or_else(|| free.pop().unwrap(), |m| m.0);
                table.insert(BlockIndex(block), SlotIndex(slot), masks(mask), 0);
                model.insert(block, (slot, mask));
            }
            _ => {}
        }
        if step % 500 == 0 {
            for block in 0..900 {
                let got = table.lookup(BlockIndex(block)).map(|m| (m.slot.0, m.masks.moved));
                assert_eq!(got, model.get(&block).copied(), "block {block} at step {step}");
            }
        }
    }
}

#[test]
fn every_slot_can_be_mapped() {
    let (records, index) = memory(1000);
    let table = MapTable::new(&records, &index);
    for n in 0..1000u32 {
        table.insert(BlockIndex(u64::from(n) * 977), SlotIndex(n), masks(1), 0);
    }
    for n in 0..1000u32 {
        assert_eq!(table.lookup(BlockIndex(u64::from(n) * 977)).map(|m| m.slot), Some(SlotIndex(n)));
    }
}

#[test]
fn removed_cells_are_swept_when_the_search_can_end_there() {
    let (records, index) = memory(100);
    let table = MapTable::new(&records, &index);
    for round in 0..1000u64 {
        table.insert(BlockIndex(round), SlotIndex((round % 100) as u32), masks(1), 0);
        table.remove(BlockIndex(round));
    }
    assert!(index.iter().all(|cell| cell.load(Ordering::Relaxed) == EMPTY));
}

#[test]
fn blocks_in_any_regular_order_are_found_after_few_cells() {
    const SLOTS: u32 = 20_000;
    let strides = (0..40).map(|shift| 1u64 << shift).chain([3, 5, 7, 63, 65, 1000, 4097, 0x9e37_79b9]);
    for stride in strides {
        for start in [0, 12_345, 1 << 50] {
            let (records, index) = memory(u64::from(SLOTS));
            let table = MapTable::new(&records, &index);
            let block = |slot: u32| BlockIndex(start + u64::from(slot) * stride);
            for slot in 0..SLOTS {
                table.insert(block(slot), SlotIndex(slot), masks(1), 0);
            }
            let (mut cells, mut wrong) = (0, 0);
            for slot in 0..SLOTS {
                let hash = MapTable::hash(block(slot));
                let print = hash as u32 & !table.slot_mask;
                let mut at = table.home(hash);
                let (found, _) = table.find(block(slot)).unwrap();
                while at != found {
                    cells += 1;
                    wrong += u32::from(index[at].load(Ordering::Relaxed) & !table.slot_mask == print);
                    at = table.next(at);
                }
            }
            // Chance gives 0.67 cells before the right one, and of those one in 2^17 that seems right.
            assert!(cells < SLOTS * 8 / 10, "stride {stride} from {start}: {cells} cells");
            assert!(wrong < SLOTS / 100, "stride {stride} from {start}: {wrong} wrong cells");
        }
    }
}
