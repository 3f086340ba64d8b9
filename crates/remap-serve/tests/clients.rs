//! The clients that people use: what they are told, and that data goes in and comes out unchanged.

mod support;

use support::{Set, noise, run, text, try_run};

const BYTES: usize = 64 << 20;

#[test]
fn nbdinfo_is_told_name_size_abilities_and_contexts() {
    let served = Set::new().serve();
    let facts = run("libnbd-bin", "nbdinfo", &["--json", &served.uri()]);
    let facts: serde_json::Value = serde_json::from_str(&facts).expect("nbdinfo prints JSON");
    let export = &facts["exports"][0];
    assert_eq!(export["export-name"], "shelf", "the default export tells its name");
    assert_eq!(export["export-size"], BYTES);
    assert_eq!(export["block_size_minimum"], 512);
    for ability in ["can_multi_conn", "can_fua", "can_flush", "can_trim", "can_zero", "can_df"] {
        assert_eq!(export[ability], true, "{ability}");
    }
    assert_eq!(export["is_read_only"], false);
    let contexts = export["contexts"].as_array().expect("contexts");
    assert!(contexts.contains(&"base:allocation".into()) && contexts.contains(&"dm-remap:mapping".into()));
}

#[test]
fn the_export_is_named_like_the_set_and_is_the_default() {
    let served = Set::new().serve();
    let list = run("libnbd-bin", "nbdinfo", &["--list", "--json", &served.uri()]);
    let list: serde_json::Value = serde_json::from_str(&list).expect("nbdinfo prints JSON");
    assert_eq!(list["exports"][0]["export-name"], "shelf");
    let named = served.uri().replace(":///", ":///shelf");
    assert_eq!(run("libnbd-bin", "nbdinfo", &["--size", &named]).trim(), BYTES.to_string());
    let other = served.uri().replace(":///", ":///other");
    assert!(!try_run("libnbd-bin", "nbdinfo", &["--size", &other]).status.success());
}

#[test]
fn nbdcopy_brings_a_disk_in_and_out_unchanged_over_several_connections() {
    for set in Set::of_each_kind() {
        let served = set.serve();
        let data = noise(BYTES, 1);
        let (before, after) = (served.set.path("before"), served.set.path("after"));
        std::fs::write(&before, &data).expect("room for the data");
        run("libnbd-bin", "nbdcopy", &["--connections=4", "--flush", text(&before), &served.uri()]);
        assert!(served.set.image() == data, "the main disk holds what was copied");
        run("libnbd-bin", "nbdcopy", &["--connections=4", &served.uri(), text(&after)]);
        assert!(std::fs::read(&after).expect("the copy is there") == data);
    }
}

#[test]
fn qemu_img_converts_and_compares() {
    for set in Set::of_each_kind() {
        let served = set.serve();
        let image = served.set.path("image");
        std::fs::write(&image, noise(BYTES, 2)).expect("room for the data");
        run(
            "qemu-utils",
            "qemu-img",
            &["convert", "-n", "-f", "raw", "-O", "raw", text(&image), &served.uri()],
        );
        run("qemu-utils", "qemu-img", &["compare", "-f", "raw", "-F", "raw", text(&image), &served.uri()]);
    }
}

#[test]
fn qemu_io_writes_reads_zeroes_discards_and_flushes() {
    for set in Set::of_each_kind() {
        let served = set.serve();
        let commands = [
            "write -P 0x5a 0 1M",
            "write -f -P 0xc3 1M 8k",
            "read -P 0x5a 0 1M",
            "read -P 0xc3 1M 8k",
            "write -z 64k 128k",
            "read -P 0 64k 128k",
            "discard 512k 64k",
            "aio_write -P 0x77 2M 3M",
            "aio_flush",
            "read -P 0x77 2M 3M",
            "write -P 1 12345 1000",
            "read -P 1 12345 1000",
        ];
        let uri = served.uri();
        let mut arguments = vec!["-f", "raw"];
        for command in commands {
            arguments.extend(["-c", command]);
        }
        arguments.push(&uri);
        let printed = run("qemu-utils", "qemu-io", &arguments);
        assert!(!printed.contains("failed") && !printed.contains("error"), "{printed}");
    }
}

#[test]
fn the_map_of_mappings_shows_moved_and_lost_sectors_and_allocation_knows_no_hole() {
    let served = Set::new().serve();
    served.set.set_faults("bad-write 2048 8\nbad-read 4096 8");
    let mut client = served.client();
    client.send_write(1, 1 << 20, &[1; 4096]);
    assert_eq!(client.simple_reply(), (0, 1));
    client.send_read(2, 2 << 20, 4096);
    assert_eq!(client.simple_reply(), (5, 2), "a lost sector is an I/O error");
    let map = |context: &str| -> Vec<(u64, u64, u64)> {
        let printed = run("libnbd-bin", "nbdinfo", &["--json", &format!("--map={context}"), &served.uri()]);
        let extents: serde_json::Value = serde_json::from_str(&printed).expect("nbdinfo prints JSON");
        let extents = extents.as_array().expect("extents").iter();
        let number = |extent: &serde_json::Value, key| extent[key].as_u64().expect("a number");
        extents
            .map(|extent| (number(extent, "offset"), number(extent, "length"), number(extent, "type")))
            .collect()
    };
    let (mega, block, end) = (1 << 20, 4096, BYTES as u64);
    let expected = vec![
        (0, mega, 0),
        (mega, block, 1),
        (mega + block, mega - block, 0),
        (2 * mega, block, 2),
        (2 * mega + block, end - 2 * mega - block, 0),
    ];
    assert_eq!(map("dm-remap:mapping"), expected);
    assert_eq!(map("base:allocation"), [(0, end, 0)]);
}

#[test]
fn a_read_only_export_refuses_every_change() {
    let served = Set::new().serve_with(|options| options.read_only = true);
    let facts = run("libnbd-bin", "nbdinfo", &["--json", &served.uri()]);
    assert!(facts.contains("\"is_read_only\": true"), "{facts}");
    let mut client = served.client();
    client.send_write(1, 0, &[1; 512]);
    assert_eq!(client.simple_reply(), (1, 1));
    assert!(served.set.image().iter().all(|byte| *byte == 0));
}
