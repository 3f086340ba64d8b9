use proptest::prelude::*;

use super::{devices, number_of, packed, target_version};

fn entry(device: u64, next: u32, name: &str) -> Vec<u8> {
    let mut bytes = device.to_ne_bytes().to_vec();
    bytes.extend(next.to_ne_bytes());
    bytes.extend(name.as_bytes());
    bytes.push(0);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

#[test]
fn a_list_is_walked_from_entry_to_entry() {
    let mut list = entry(packed((253, 0)), 24, "main");
    list.resize(24, 0);
    list.extend(entry(packed((253, 300)), 0, "set"));
    let found: Vec<_> = devices(&list).unwrap().into_iter().map(|d| (d.name.text(), d.number)).collect();
    assert_eq!(found, [("main".to_owned(), (253, 0)), ("set".to_owned(), (253, 300))]);
}

#[test]
fn a_list_of_nothing_is_empty() {
    assert_eq!(devices(&[]).unwrap(), []);
    assert_eq!(devices(&[0; 16]).unwrap(), []);
}

#[test]
fn a_list_that_goes_nowhere_is_none() {
    assert_eq!(devices(&entry(packed((253, 0)), 4, "main")), None);
    assert_eq!(devices(&entry(packed((253, 0)), 4000, "main")), None);
    assert_eq!(devices(&[1; 12]), None);
}

#[test]
fn numbers_are_packed_as_the_kernel_does() {
    for number in [(0, 0), (7, 255), (253, 256), (253, 0xf_ffff)] {
        assert_eq!(number_of(packed(number)), Some(number));
    }
    assert_eq!(packed((253, 1)), 0xfd01);
}

#[test]
fn a_version_is_found_by_its_name() {
    let mut list = Vec::new();
    for (next, version, name) in [(24_u32, [1_u32, 2, 3], "linear\0\0"), (0, [4, 5, 6], "remap\0\0\0")] {
        list.extend(next.to_ne_bytes());
        list.extend(version.into_iter().flat_map(u32::to_ne_bytes));
        list.extend(name.as_bytes());
    }
    assert_eq!(target_version(&list, "remap"), Some([4, 5, 6]));
    assert_eq!(target_version(&list, "thin"), None);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = devices(&bytes);
        let _ = target_version(&bytes, "remap");
    }
}
