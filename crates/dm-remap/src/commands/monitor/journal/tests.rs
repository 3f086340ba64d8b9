use super::*;

#[test]
fn a_value_of_several_lines_cannot_forge_a_field() {
    let mut bytes = Vec::new();
    put(&mut bytes, "A", "one");
    put(&mut bytes, "B", "x\nPRIORITY=0");
    assert_eq!(bytes, b"A=one\nB\n\x0c\0\0\0\0\0\0\0x\nPRIORITY=0\n");
}
