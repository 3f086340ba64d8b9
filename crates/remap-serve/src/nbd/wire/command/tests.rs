use super::*;

const READ_4K_AT_1M: [u8; 28] = [
    0x25, 0x60, 0x95, 0x13, // magic
    0x00, 0x04, // DF
    0x00, 0x00, // read
    1, 2, 3, 4, 5, 6, 7, 8, // cookie
    0, 0, 0, 0, 0, 0x10, 0, 0, // 1 MiB
    0, 0, 0x10, 0, // 4 KiB
];

#[test]
fn a_header_built_by_hand_is_read_field_by_field() {
    let header = RequestHeader::parse(&READ_4K_AT_1M).unwrap();
    assert_eq!(
        header,
        RequestHeader {
            flags: 4,
            command: 0,
            cookie: Cookie(0x0102_0304_0506_0708),
            offset: 1 << 20,
            length: 4096
        }
    );
    assert_eq!(header.encode(), READ_4K_AT_1M);
}

#[test]
fn a_wrong_magic_is_not_a_header() {
    let mut bytes = READ_4K_AT_1M;
    bytes[3] = 0x14; // a reserved value of the specification
    assert_eq!(RequestHeader::parse(&bytes), None);
}

#[test]
fn command_codes_are_those_of_the_specification() {
    for code in 0..8 {
        assert_eq!(Command::from_code(code).unwrap() as u16, code);
    }
    assert_eq!(Command::from_code(8), None); // resize, an experiment
    assert_eq!(Command::from_code(u16::MAX), None);
}

#[test]
fn only_write_trim_and_zeroes_change_an_export() {
    let writing: Vec<_> = (0..8).filter_map(Command::from_code).filter(|command| command.writes()).collect();
    assert_eq!(writing, [Command::Write, Command::Trim, Command::WriteZeroes]);
}
