use super::{message, why_message, why_table};

/// From a guest with Linux 6.12.
const LOG: [&str; 5] = [
    "3,341,8071035,-;device-mapper: table: 253:1: remap: spare 1 of the table line is not blank: there is something in sector 0 (-EINVAL)",
    "3,342,8071036,-;device-mapper: ioctl: error adding target to table",
    "3,343,8071037,-;device-mapper: table: 253:2: remap: a device is in use by the set of 253:1 (-EBUSY)\n SUBSYSTEM=block\n",
    "3,344,8071038,-;device-mapper: remap: 253:1: message refused: unmap: expected <sector> [<sectors>] within the device's 32768",
    "3,345,8071039,-;device-mapper: remap: 253:2: message refused: ",
];

fn lines() -> Vec<String> {
    LOG.iter().filter_map(|record| message(record)).collect()
}

#[test]
fn a_refused_table_is_found_by_its_device() {
    assert_eq!(
        why_table(&lines(), (253, 1)).unwrap(),
        "spare 1 of the table line is not blank: there is something in sector 0"
    );
    assert_eq!(why_table(&lines(), (253, 2)).unwrap(), "a device is in use by the set of 253:1");
    assert_eq!(why_table(&lines(), (253, 3)), None);
}

#[test]
fn a_refused_message_is_found_by_its_device() {
    assert_eq!(
        why_message(&lines(), (253, 1)).unwrap(),
        "unmap: expected <sector> [<sectors>] within the device's 32768"
    );
    assert_eq!(why_message(&lines(), (253, 2)), None, "no word is no reason");
}
