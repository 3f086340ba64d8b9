use super::*;

fn export(name: &str) -> Export {
    Export {
        name: name.into(),
        description: String::new(),
        bytes: 1 << 20,
        flags: TransmissionFlags::NONE,
        blocks: BlockSizes::DEFAULT,
        contexts: ContextSet::ALL,
    }
}

fn refused(export: Export) -> ExportError {
    Exports::new(vec![export]).unwrap_err()
}

#[test]
fn the_empty_name_means_the_first_export() {
    let exports = Exports::new(vec![export("a"), export("b")]).unwrap();
    assert_eq!(exports.find("").unwrap().0, 0);
    assert_eq!(exports.find("b").unwrap().0, 1);
    assert_eq!(exports.find("c"), None);
    assert_eq!(Exports::default().find(""), None);
}

#[test]
fn an_export_named_by_the_empty_string_goes_before_the_first() {
    let exports = Exports::new(vec![export("a"), export("")]).unwrap();
    assert_eq!(exports.find("").unwrap().0, 1);
}

#[test]
fn two_exports_of_one_name_are_refused() {
    let result = Exports::new(vec![export("a"), export("a")]);
    assert_eq!(result, Err(ExportError::DuplicateName("a".into())));
}

#[test]
fn strings_that_cannot_be_sent_are_refused() {
    let long = "x".repeat(4097);
    assert!(matches!(refused(export(&long)), ExportError::BadString(_)));
    assert!(matches!(refused(export("nul\0")), ExportError::BadString(_)));
    assert!(matches!(refused(Export { description: long, ..export("a") }), ExportError::BadString(_)));
    assert!(Exports::new(vec![export(&"x".repeat(4096))]).is_ok());
}

#[test]
fn block_sizes_outside_the_specification_are_refused() {
    let sizes = |minimum, preferred, maximum| BlockSizes { minimum, preferred, maximum };
    for blocks in [
        sizes(0, 4096, 1 << 20),
        sizes(3, 4096, 1 << 20),
        sizes(1 << 17, 1 << 17, 1 << 20),
        sizes(1, 256, 1 << 20),
        sizes(4096, 512, 1 << 20),
        sizes(512, 4096, 2048),
        sizes(512, 4096, 4097),
        sizes(512, 4096, MAX_PAYLOAD_BYTES + 512),
    ] {
        assert_eq!(refused(Export { blocks, ..export("a") }), ExportError::BadBlockSizes("a".into()));
    }
    for blocks in [sizes(1, 512, 512), sizes(1 << 16, 1 << 16, MAX_PAYLOAD_BYTES), sizes(512, 4096, 4608)] {
        assert!(Exports::new(vec![Export { blocks, ..export("a") }]).is_ok());
    }
}

#[test]
fn sizes_that_clients_cannot_address_are_refused() {
    for bytes in [513, 1 << 63, u64::MAX] {
        assert!(matches!(refused(Export { bytes, ..export("a") }), ExportError::BadSize { .. }));
    }
    assert!(Exports::new(vec![Export { bytes: (1 << 63) - 512, ..export("a") }]).is_ok());
    assert!(Exports::new(vec![Export { bytes: 0, ..export("a") }]).is_ok());
}

#[test]
fn unfragmented_reads_are_offered_only_with_structured_replies() {
    let export = Export { flags: TransmissionFlags::DONT_FRAGMENT, ..export("a") };
    assert_eq!(export.offered_flags(false), TransmissionFlags::HAS_FLAGS);
    assert!(export.offered_flags(true).contains(TransmissionFlags::DONT_FRAGMENT));
}

#[test]
fn a_read_only_export_offers_no_writing_command() {
    use TransmissionFlags as Flag;
    let flags = Flag::READ_ONLY | Flag::TRIM | Flag::WRITE_ZEROES | Flag::FAST_ZERO | Flag::FLUSH;
    let offered = Export { flags, ..export("a") }.offered_flags(false);
    assert_eq!(offered, Flag::HAS_FLAGS | Flag::READ_ONLY | Flag::FLUSH);
}

#[test]
fn fast_zeroes_are_offered_only_with_zeroes() {
    let export = Export { flags: TransmissionFlags::FAST_ZERO, ..export("a") };
    assert_eq!(export.offered_flags(false), TransmissionFlags::HAS_FLAGS);
}
